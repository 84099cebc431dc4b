//! `cupbearer_bytes_total` is what went over the client's connection, whatever became of the request.

use std::net::SocketAddr;
use std::sync::Arc;

use cupbearer::metrics::{self, ProcessMetrics};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Connection, Proxy, Upstream, answer, until};

const CLOSE: &str = "Host: localhost\r\nConnection: close\r\n";

/// The bytes read from clients, and those written to them.
fn counted(proxy: &Proxy) -> (u64, u64) {
    let process_metrics = ProcessMetrics::new(|| 0);
    let text = metrics::text(&process_metrics, &[Arc::clone(&proxy.running.metrics)]);
    let bytes = |direction: &str| {
        let name = format!("cupbearer_bytes_total{{direction=\"{direction}\"}} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&name));
        line.unwrap().parse().unwrap()
    };
    (bytes("in"), bytes("out"))
}

async fn upstream() -> Upstream {
    Upstream::scripted(async |mut connection: Connection| {
        while let Some(request) = connection.request().await {
            if request.target == "/tunnel" {
                let head =
                    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n";
                connection.write(head.as_bytes()).await;
                connection.write(b"from the API").await;
                connection.fill().await;
                return;
            }
            connection.write(&answer("200 OK", "", "the content")).await;
        }
    })
    .await
}

/// Sends bytes, and returns how many come back before the connection ends.
async fn exchange(address: SocketAddr, bytes: &[u8]) -> usize {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut received = Vec::new();
    let _ = stream.read_to_end(&mut received).await; // the end may be a reset
    received.len()
}

#[tokio::test]
async fn all_bytes_of_a_connection_count_and_no_others() {
    let upstream = upstream().await;
    let proxy = Proxy::before(&upstream).await;
    let (mut sent, mut received) = (0, 0);
    let body = "x".repeat(100_000);
    let mut http2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    http2.extend([0, 0, 0, 4, 0, 0, 0, 0, 0]); // SETTINGS
    http2.extend([0, 0, 7, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7]); // PING that is too short
    for (what, bytes) in [
        (
            "a request",
            format!("GET / HTTP/1.1\r\n{CLOSE}\r\n").into_bytes(),
        ),
        (
            "a head only",
            format!("HEAD / HTTP/1.1\r\n{CLOSE}\r\n").into_bytes(),
        ),
        (
            "an upload that asks to continue",
            format!(
                "POST / HTTP/1.1\r\n{CLOSE}Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc"
            )
            .into_bytes(),
        ),
        (
            "a response of the proxy",
            b"GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n".to_vec(),
        ),
        (
            "a rejected upload",
            format!(
                "POST / HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 100000\r\n\r\n{body}"
            )
            .into_bytes(),
        ),
        (
            "a head that cannot be read",
            b"GET / HTTP/1.1\r\nHost localhost\r\n\r\n".to_vec(),
        ),
        (
            "another one",
            b"G\x01T / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        ),
        ("HTTP/2", http2),
    ] {
        let back = exchange(proxy.address, &bytes).await;
        assert!(back > 0, "{what}");
        sent += bytes.len() as u64;
        received += back as u64;
        until(what, || counted(&proxy) == (sent, received)).await;
    }

    let mut stream = TcpStream::connect(proxy.address).await.unwrap();
    let head =
        "GET /tunnel HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut got = Vec::new();
    while !got.ends_with(b"from the API") {
        let mut piece = [0; 1024];
        let length = stream.read(&mut piece).await.unwrap();
        assert!(length > 0);
        got.extend_from_slice(&piece[..length]);
    }
    stream.write_all(b"from the client").await.unwrap();
    sent += (head.len() + b"from the client".len()) as u64;
    received += got.len() as u64;
    until("the tunnel counts", || counted(&proxy) == (sent, received)).await;
}
