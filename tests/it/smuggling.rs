//! Ambiguous requests (request smuggling): none is forwarded with a different meaning.

use crate::support::{Client, Connection, Proxy, Upstream, ask, get};

/// Heads that published corpora rate as severe: each must be rejected, or get no response.
const SEVERE: &[&str] = &[
    "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "Content-Length: 5, 5\r\n\r\nhello",
    "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked\r\ncontent-LENGTH: 0\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello",
    "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding:\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n",
    " Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "X: y\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "X: y\r\n\tz\r\n\r\n",
    "X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "X: y\r\r\n\r\n",
    "X: y\r\n\n",
    "X: y\n\n",
    "X: a\0b\r\n\r\n",
    "X\0: b\r\n\r\n",
    "X: a\x0bb\r\n\r\n",
    "Content-Length: +5\r\n\r\nhello",
    "Content-Length: -5\r\n\r\nhello",
    "Content-Length: 0x5\r\n\r\nhello",
    "Content-Length: 5 5\r\n\r\nhello",
    "Content-Length: 5;\r\n\r\nhello",
    "Content-Length: \"5\"\r\n\r\nhello",
    "Content-Length: 5.0\r\n\r\nhello",
    "Content-Length: 1e1\r\n\r\nhello",
    "Content-Length:\r\n\r\nhello",
    "Content-Length: ,5\r\n\r\nhello",
    "Content-Length: 18446744073709551616\r\n\r\nhello",
    "Content-Length: 18446744073709551621\r\n\r\nhello",
    "Content-Length: 99999999999999999999999999\r\n\r\nhello",
    "Content-Length : 5\r\n\r\nhello",
    "Content_Length\x00: 5\r\n\r\nhello",
    "no colon here\r\n\r\n",
    ": no name\r\n\r\n",
    "A B: c\r\n\r\n",
    "Host: localhost\r\n\r\n",
    "Host: evil.example\r\n\r\n",
];

/// Request lines that are not HTTP/1.0 or 1.1.
const INVALID_REQUEST_LINES: &[&str] = &[
    "GET /\r\n",
    "GET / HTTP/0.9\r\n",
    "GET / HTTP/1.2\r\n",
    "GET / HTTP/2.0\r\n",
    "GET / HTTP/11\r\n",
    "GET / HTTP/1.1 \r\n",
    "GET / http/1.1\r\n",
    "GET  / HTTP/1.1\r\n",
    "GET /  HTTP/1.1\r\n",
    "GET\t/\tHTTP/1.1\r\n",
    "GET / HTTP/1.1\n",
    "GET / HTTP/1.1\r",
    "GET /a b HTTP/1.1\r\n",
    "GET /\0 HTTP/1.1\r\n",
    " GET / HTTP/1.1\r\n",
    "G@T(/ / HTTP/1.1\r\n",
    "/ HTTP/1.1\r\n",
    "PRI * HTTP/2.0\r\n",
];

/// Short, so that heads which hyper considers incomplete time out quickly.
const SHORT_LIMITS: [(&str, &str); 3] = [
    ("limits.header_timeout", "200ms"),
    ("limits.keep_alive", "200ms"),
    ("upstream.stall_timeout", "200ms"),
];

async fn assert_rejected(proxy: &Proxy, upstream: &Upstream, request: &str) {
    let mut client = Client::connect(proxy.address).await;
    client.send(request).await;
    let answer = client.answer().await;
    assert!(
        answer.status == 0
            || (400..500).contains(&answer.status)
            || matches!(answer.status, 501 | 505),
        "{request:?}: {answer:?}"
    );
    assert_eq!(
        upstream.seen_count(),
        0,
        "{request:?}: {:?}",
        upstream.seen()
    );
}

#[tokio::test]
async fn severe_heads_are_rejected_and_the_connection_is_closed() {
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::with(&upstream.url(), &SHORT_LIMITS).await;
    for rest in SEVERE {
        assert_rejected(
            &proxy,
            &upstream,
            &format!("POST / HTTP/1.1\r\nHost: localhost\r\n{rest}"),
        )
        .await;
    }
    for line in INVALID_REQUEST_LINES {
        assert_rejected(&proxy, &upstream, &format!("{line}Host: localhost\r\n\r\n")).await;
    }
    assert_rejected(
        &proxy,
        &upstream,
        "POST / HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    )
    .await;
    assert_eq!(ask(proxy.address, get("/alive")).await.text(), "/alive");
}

/// Valid requests, with a body of each kind, that may precede an ambiguous one.
const VALID: &[&str] = &[
    "GET /valid HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "POST /valid HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\na\nb\n\n",
    "POST /valid HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5;a=\"b\"\r\na\nb\n\n\r\n0\r\n\r\n",
    "GET /valid HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
    "POST /valid HTTP/1.1\r\nHost: localhost\r\nTrailer: X\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: y\r\n\r\n",
];

/// After a valid request on the same connection, sent together with it: only the valid one is forwarded.
#[tokio::test]
async fn severe_heads_after_a_valid_request_are_rejected_too() {
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::with(&upstream.url(), &SHORT_LIMITS).await;
    for rest in SEVERE {
        for valid in VALID {
            let before = upstream.seen_count();
            let mut client = Client::connect(proxy.address).await;
            let invalid = format!("POST /invalid HTTP/1.1\r\nHost: localhost\r\n{rest}");
            client.send(format!("{valid}{invalid}")).await;
            assert_eq!(client.answer().await.text(), "/valid", "{valid:?} {rest:?}");
            while client.answer().await.status != 0 {}
            let seen = upstream.seen();
            assert!(
                seen[before..].iter().all(|seen| seen.target == "/valid"),
                "{valid:?} {rest:?}: {:?}",
                &seen[before..]
            );
        }
    }
}

/// hyper reads on to CR LF CR LF in a trailer section, which may be the end of another request's head: that request
/// would be lost, and the one behind it answered in its place.
#[tokio::test]
async fn a_line_after_the_last_chunk_that_ends_otherwise_than_with_cr_lf_is_rejected() {
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::before(&upstream).await;
    for end in [
        "0\r\n\n",
        "0\r\n\n\r\n",
        "0\r\nX: a\n\r\n",
        "0\r\nX: a\n\n",
        "0\r\nX: a\r\n\n",
        "0\r\nX: a\n\r\nY: b\r\n\r\n",
        // These hyper rejects.
        "0\r\nX: a\rb\r\n\r\n",
        "0\r\n\ra\r\n\r\n",
        "0\r\r\n\r\n",
        "0\n\r\n",
        "0;a\n\r\n\r\n",
        "0;a\rb\r\n\r\n",
        "1\na\r\n0\r\n\r\n",
    ] {
        let head = "POST /one HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
        let (chunked, two, three) = (format!("{head}1\r\na\r\n{end}"), get("/two"), get("/three"));
        let together = format!("{chunked}{two}{three}");
        for pieces in [vec![together], vec![chunked, format!("{two}{three}")]] {
            let before = upstream.completed();
            let mut client = Client::connect(proxy.address).await;
            for piece in pieces {
                client.send(piece).await;
            }
            let answer = client.answer().await;
            assert_eq!(answer.outcome(), (400, "bad_request".to_owned()), "{end:?}");
            assert_eq!(answer.field("connection"), Some("close"), "{end:?}");
            assert!(client.rest().await.is_empty(), "{end:?}");
            assert_eq!(upstream.completed(), before, "{end:?}");
        }
    }
    let others = upstream.seen();
    assert!(
        others.iter().all(|seen| seen.target == "/one"),
        "{others:?}"
    );
    assert_eq!(ask(proxy.address, get("/alive")).await.text(), "/alive");
}

/// What follows an upgrade request is never a request: after a 101 it belongs to the tunnel, and otherwise the
/// connection closes.
#[tokio::test]
async fn nothing_is_forwarded_after_an_upgrade_that_was_not_accepted() {
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::before(&upstream).await;
    for (fields, status) in [
        ("Upgrade: websocket\r\nConnection: Upgrade\r\n", 200),
        ("Upgrade: websocket\r\n", 200),
        ("Upgrade: websocket\r\nOrigin: http://evil.example\r\n", 403),
    ] {
        let before = upstream.seen_count();
        let mut client = Client::connect(proxy.address).await;
        let valid = get("/valid").replace("\r\n\r\n", &format!("\r\n{fields}\r\n"));
        client.send(format!("{valid}{}", get("/behind"))).await;
        let answer = client.answer().await;
        assert_eq!(
            (answer.status, answer.field("connection")),
            (status, Some("close")),
            "{fields:?}"
        );
        assert!(client.rest().await.is_empty(), "{fields:?}");
        assert!(
            upstream.seen()[before..]
                .iter()
                .all(|seen| seen.target == "/valid"),
            "{fields:?}"
        );
    }
}

/// What follows a chunked request is a request, however the stream is split, and no byte of it changes.
#[tokio::test]
async fn valid_requests_after_chunked_ones_are_forwarded_however_the_stream_is_split() {
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::before(&upstream).await;
    for valid in VALID {
        let both = format!("{valid}{valid}");
        for cut in [
            0,
            valid.len() - 3,
            valid.len() - 1,
            valid.len(),
            valid.len() + 1,
        ] {
            let mut client = Client::connect(proxy.address).await;
            client.send(&both[..cut]).await;
            client.send(&both[cut..]).await;
            for _ in 0..2 {
                assert_eq!(client.answer().await.text(), "/valid", "{valid:?} at {cut}");
            }
            let seen = upstream.seen();
            let [.., first, second] = &seen[..] else {
                panic!("fewer than two requests");
            };
            assert_eq!(first.body, second.body, "{valid:?} at {cut}");
        }
    }
}

#[tokio::test]
async fn compliant_requests_of_the_same_corpora_are_forwarded() {
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::before(&upstream).await;
    for request in [
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello",
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 005\r\n\r\nhello",
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length:5\t \r\n\r\nhello",
        "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: CHUNKED\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n00005;a=\"b\"\r\nhello\r\n0\r\nX: y\r\n\r\n",
        "\r\nPOST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello",
        "POST / HTTP/1.1\r\nhOsT: LOCALHOST\r\nCONTENT-length: 5\r\n\r\nhello",
        "POST / HTTP/1.1\r\nHost: localhost\r\nX: \u{e4}\r\nContent-Length: 5\r\n\r\nhello",
    ] {
        assert_eq!(ask(proxy.address, request).await.status, 200, "{request:?}");
        assert_eq!(upstream.seen().pop().unwrap().body, b"hello", "{request:?}");
    }
}

/// The classic attack: a request hidden in the body of the first one is never a request of its own.
#[tokio::test]
async fn a_body_that_looks_like_a_request_remains_a_body() {
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::before(&upstream).await;
    let hidden = get("/hidden");
    let mut client = Client::connect(proxy.address).await;
    client
        .send(format!(
            "POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{hidden}{}",
            hidden.len(),
            get("/b")
        ))
        .await;
    assert_eq!(client.answer().await.text(), "/a");
    assert_eq!(client.answer().await.text(), "/b");
    let targets: Vec<_> = upstream
        .seen()
        .into_iter()
        .map(|seen| seen.target)
        .collect();
    assert_eq!(targets, ["/a", "/b"]);
}

/// After a 101, nothing is parsed as a head, whatever it looks like.
#[tokio::test]
async fn the_bytes_of_a_tunnel_are_not_parsed() {
    let upstream = Upstream::scripted(async |mut connection: Connection| {
        connection.head().await;
        connection
            .write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
            .await;
        while connection.fill().await.is_some() {
            let all = connection.take(connection.buffered());
            connection.write(&all).await;
        }
    })
    .await;
    let proxy = Proxy::before(&upstream).await;
    let mut client = Client::connect(proxy.address).await;
    client
        .send("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        .await;
    client.read_until(b"\r\n\r\n").await;
    for piece in [
        "a\nb\n\nend1",
        "GET / HTTP/1.1\nContent-Length: 1\r\nContent-Length: 1\r\nend2",
        "\n\n\nend3",
    ] {
        client.send(piece).await;
        let end = &piece[piece.len() - 4..];
        let echoed = client.read_until(end.as_bytes()).await;
        assert_eq!(String::from_utf8_lossy(&echoed), piece);
    }
}
