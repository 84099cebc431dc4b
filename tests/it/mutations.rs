//! Ten thousand requests, malformed in every way that the generator produces. The upstream parses strictly
//! (`support::upstream` panics at anything but canonical framing), and no client receives another client's response.

use std::net::SocketAddr;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Proxy, Upstream, ask, get, within};

const REQUESTS: usize = 10_000;

/// How many requests run concurrently.
const AT_ONCE: usize = 128;

/// The parts that requests are made of, valid and malformed.
const PIECES: &[&str] = &[
    "Content-Length: 5\r\n",
    "Content-Length: 05\r\n",
    "content-length: 4\r\n",
    "Content-Length: 0\r\n",
    "Content-Length: -1\r\n",
    "Content-Length:5,5\r\n",
    "Content-Length: 99999999999999999999\r\n",
    "Transfer-Encoding: chunked\r\n",
    "transfer-encoding:CHUNKED\r\n",
    "Transfer-Encoding: gzip, chunked\r\n",
    "Transfer-Encoding: identity\r\n",
    "Transfer-Encoding: \x0bchunked\r\n",
    "Transfer-Encoding : chunked\r\n",
    "Connection: close\r\n",
    "Connection: content-length\r\n",
    "Connection: transfer-encoding, host, authorization\r\n",
    "Connection: keep-alive\r\n",
    "TE: trailers\r\n",
    "Trailer: X-T\r\n",
    "Upgrade: h2c\r\n",
    "Upgrade: websocket\r\n",
    "Expect: 100-continue\r\n",
    "Expect: nonsense\r\n",
    "Host: localhost\r\n",
    "X-Fold: a\r\n b\r\n",
    "X: \0\r\n",
    "X: y\n",
    "X: y\r",
    "A: b",
    "\r\n",
    "\n",
    "\r\n\r\n",
    "5\r\nhello\r\n0\r\n\r\n",
    "5;x=y\r\nhello\r\n0\r\nX-T: u\r\n\r\n",
    "5\nhello\n0\n\n",
    "0\r\n\r\n",
    "hello",
    "GET /inner HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "POST /inner HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc",
];

const LINES: &[&str] = &[
    "GET /a HTTP/1.1\r\n",
    "POST /b?c=d HTTP/1.1\r\n",
    "PUT /%2f HTTP/1.1\r\n",
    "DELETE /d HTTP/1.0\r\n",
    "HEAD /e HTTP/1.1\r\n",
    "OPTIONS * HTTP/1.1\r\n",
    "GET http://localhost/f HTTP/1.1\r\n",
    "POST /g HTTP/1.1\n",
    "QUERY /h HTTP/1.1\r\n",
];

/// A request line, a host and parts, of which a few bytes are then changed, removed or duplicated.
fn mutated_request() -> impl Strategy<Value = Vec<u8>> {
    let pieces = proptest::collection::vec(proptest::sample::select(PIECES), 0..6);
    let body =
        proptest::sample::select(&["", "hello", "5\r\nhello\r\n0\r\n\r\n", "4\r\nhell\r\n"][..]);
    let change = (any::<prop::sample::Index>(), 0..4_u8, any::<u8>());
    let changes = proptest::collection::vec(change, 0..3);
    (proptest::sample::select(LINES), pieces, body, changes).prop_map(
        |(line, pieces, body, changes)| {
            let mut bytes =
                format!("{line}Host: localhost\r\n{}\r\n{body}", pieces.concat()).into_bytes();
            for (place, kind, byte) in changes {
                let at = place.index(bytes.len());
                match kind {
                    0 => bytes[at] = byte,
                    1 => drop(bytes.remove(at)),
                    2 => bytes.insert(at, byte),
                    _ => bytes.truncate(at.max(16)),
                }
                if bytes.is_empty() {
                    break;
                }
            }
            bytes
        },
    )
}

#[tokio::test]
async fn ten_thousand_mutated_requests_reach_the_upstream_only_with_canonical_framing() {
    let upstream = Upstream::echoing().await;
    let settings = [
        ("limits.keep_alive", "200ms"),
        ("limits.header_timeout", "200ms"),
        ("upstream.stall_timeout", "200ms"),
    ];
    let proxy = Proxy::with(&upstream.url(), &settings).await;
    let mut runner = TestRunner::new(Config::default());
    let strategy = mutated_request();
    let mut asked = tokio::task::JoinSet::new();
    let mut answers = 0;
    for _ in 0..REQUESTS {
        let request = strategy.new_tree(&mut runner).unwrap().current();
        if asked.len() >= AT_ONCE {
            answers += asked.join_next().await.unwrap().unwrap();
        }
        asked.spawn(successes(proxy.address, request));
    }
    while let Some(count) = asked.join_next().await {
        answers += count.unwrap();
    }
    let whole = upstream.completed();
    assert!(
        whole > REQUESTS / 100,
        "{whole}: the generator produces too few valid requests"
    );
    assert_eq!(
        answers, whole,
        "each request that arrived complete has its response"
    );
    assert_eq!(ask(proxy.address, get("/alive")).await.text(), "/alive");
}

/// Sends the request, reads to the end and counts the responses that came from the upstream.
async fn successes(address: SocketAddr, request: Vec<u8>) -> usize {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let _ = stream.write_all(&request).await;
    // Do not close the sending side yet: hyper would treat that as a client that has disconnected.
    let mut answer = Vec::new();
    let what = format!(
        "the end of the response to {:?}",
        String::from_utf8_lossy(&request)
    );
    let read = within(&what, async {
        let mut piece = [0; 4096];
        loop {
            match stream.read(&mut piece).await {
                Ok(count @ 1..) => answer.extend_from_slice(&piece[..count]),
                Ok(0) | Err(_) => return,
            }
        }
    });
    read.await;
    let text = String::from_utf8_lossy(&answer);
    text.matches("HTTP/1.1 200 OK\r\n").count() + text.matches("HTTP/1.0 200 OK\r\n").count()
}
