//! Slow clients, stalled clients, and clients that send more than the upstream reads: each is served or closed in time.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, sleep};

use crate::support::{Client, Connection, End, Proxy, Upstream, answer, ask, get, until, within};

#[tokio::test]
async fn a_slow_upload_that_takes_three_head_timeouts_succeeds() {
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::with(&upstream.url(), &[("upstream.head_timeout", "300ms")]).await;
    let mut client = Client::connect(proxy.address).await;
    client
        .send("POST /drip HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20\r\n\r\n")
        .await;
    for _ in 0..20 {
        sleep(Duration::from_millis(50)).await; // deliberately slow
        client.send("x").await;
    }
    assert_eq!(client.answer().await.text(), "/drip");
    assert_eq!(upstream.only_request().body.len(), 20);
}

#[tokio::test]
async fn a_stalled_upload_is_a_408() {
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::with(
        &upstream.url(),
        &[
            ("upstream.head_timeout", "300ms"),
            ("upstream.stall_timeout", "500ms"),
        ],
    )
    .await;
    let answer = ask(
        proxy.address,
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20\r\n\r\nhalf",
    )
    .await;
    assert_eq!(answer.outcome(), (408, "client_timeout".to_owned()));
    assert_eq!(answer.field("connection"), Some("close"));
    until("the upstream connection is closed", || upstream.open() == 0).await;
}

#[tokio::test]
async fn a_stall_timeout_shorter_than_the_head_timeout_applies_too() {
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::with(&upstream.url(), &[("upstream.stall_timeout", "300ms")]).await;
    for framing in [
        "Content-Length: 20\r\n\r\nhalf",
        "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ] {
        let request = format!("POST / HTTP/1.1\r\nHost: localhost\r\n{framing}");
        let answer = ask(proxy.address, request).await;
        assert_eq!(answer.outcome(), (408, "client_timeout".to_owned()));
    }
}

#[tokio::test]
async fn a_malformed_chunk_is_a_400_and_the_upstream_gets_no_complete_request() {
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::before(&upstream).await;
    for body in [
        "5\r\nhelloXX0\r\n\r\n",
        "zz\r\n",
        "-1\r\n",
        "5\nhello\n0\n\n",
        "ffffffffffffffffff\r\n",
        "5\r\nhello\r\n0\r\nno colon\r\n\r\n",
    ] {
        let request = format!(
            "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{body}"
        );
        let answer = ask(proxy.address, request).await;
        assert_eq!(
            answer.outcome(),
            (400, "bad_request".to_owned()),
            "{body:?}"
        );
    }
    until("the upstream connection is closed", || upstream.open() == 0).await;
    assert!(upstream.seen().iter().all(|seen| seen.body.is_empty()));
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_disconnected_after_the_stall_timeout() {
    let upstream = Upstream::scripted(async |mut connection: Connection| {
        connection.request().await;
        connection.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        let piece = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
        tokio::select! {
            () = async { loop { connection.write(piece.as_bytes()).await; tokio::task::yield_now().await } } => {}
            () = sleep(Duration::from_secs(10)) => {}
        }
    })
    .await;
    let relay_ended = Instant::now();
    let proxy = Proxy::with(
        &upstream.url(),
        &[
            ("upstream.stall_timeout", "300ms"),
            ("limits.in_flight", "1"),
        ],
    )
    .await;
    let mut stalled = Client::connect(proxy.address).await;
    stalled.send(get("/")).await;
    until("the request is in flight", || upstream.seen_count() == 1).await;
    let mut served = 503;
    while served == 503 && relay_ended.elapsed() < Duration::from_secs(5) {
        let mut next = Client::connect(proxy.address).await;
        next.send("HEAD / HTTP/1.1\r\nHost: evil\r\n\r\n").await; // rejected before it takes an in-flight slot
        next.head_answer().await;
        let mut next = Client::connect(proxy.address).await;
        next.send("GET /next HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .await;
        let head = next.read_until(b"\r\n\r\n").await;
        served = String::from_utf8_lossy(&head)[9..12].parse().unwrap();
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(served, 200, "its slot is released");
}

/// The upstream rejects the request after its head; the client sends the whole body before it reads.
#[tokio::test]
async fn a_client_that_uploads_thirty_megabytes_can_read_an_early_rejection() {
    let upstream = Upstream::scripted(async |mut connection: Connection| {
        connection.head().await;
        connection
            .write(&answer(
                "413 Content Too Large",
                "Connection: close\r\n",
                "too much",
            ))
            .await;
    })
    .await;
    let proxy = Proxy::before(&upstream).await;
    early_rejections(&proxy).await;
}

/// The same, for an upstream that keeps the connection open and never reads the rest.
#[tokio::test]
async fn an_early_rejection_on_an_open_connection_can_be_read() {
    let upstream = Upstream::scripted(async |mut connection: Connection| {
        connection.head().await;
        connection
            .write(&answer("413 Content Too Large", "", "too much"))
            .await;
        sleep(Duration::from_mins(1)).await; // neither reads on nor announces a close
    })
    .await;
    let proxy = Proxy::before(&upstream).await;
    early_rejections(&proxy).await;
}

async fn early_rejections(proxy: &Proxy) {
    let body = vec![b'x'; 30 << 20];
    for host in ["localhost", "evil.example"] {
        for _ in 0..3 {
            let mut client = Client::connect(proxy.address).await;
            client
                .send(format!(
                    "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\n\r\n",
                    body.len()
                ))
                .await;
            client.send(&body).await;
            let answer = client.answer().await;
            let expected = if host == "localhost" { 413 } else { 403 };
            assert_eq!((answer.status, answer.end), (expected, End::Complete));
            assert_eq!(answer.field("connection"), Some("close"));
        }
    }
}

/// The upstream continues to read after the head of its early response, like an echo server.
#[tokio::test]
async fn a_response_may_begin_before_its_request_has_ended() {
    let upstream = Upstream::scripted(async |mut connection: Connection| {
        connection.head().await;
        connection
            .write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
            .await;
        for _ in 0..10 {
            while connection.buffered() == 0 {
                if connection.fill().await.is_none() {
                    return;
                }
            }
            let byte = connection.take(1);
            connection.write(&byte).await;
        }
        connection.closed().await;
    })
    .await;
    let proxy = Proxy::before(&upstream).await;
    let mut client = Client::connect(proxy.address).await;
    client
        .send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n")
        .await;
    client.read_until(b"\r\n\r\n").await;
    for letter in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"] {
        client.send(letter).await;
        client.read_until(letter.as_bytes()).await;
    }
}

/// The client fills every buffer on the response path; its upload must continue anyway.
#[tokio::test]
async fn a_client_that_sends_everything_before_it_reads_gets_an_immediate_response() {
    const SIZE: usize = 24 << 20;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let upstream = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let (mut from, mut to) = stream.into_split();
        let answer = tokio::spawn(async move {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n");
            to.write_all(head.as_bytes()).await.unwrap();
            to.write_all(&vec![b'a'; SIZE]).await.unwrap();
        });
        let mut taken = 0;
        let mut space = vec![0; 64 << 10];
        while taken < SIZE {
            taken += from.read(&mut space).await.unwrap();
        }
        answer.await.unwrap();
    });
    let proxy = Proxy::with(&url, &[]).await;
    let mut client = tokio::net::TcpStream::connect(proxy.address).await.unwrap();
    let head = format!("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {SIZE}\r\n\r\n");
    client.write_all(head.as_bytes()).await.unwrap();
    within("the whole upload", client.write_all(&vec![b'b'; SIZE]))
        .await
        .unwrap();
    let mut got = 0;
    let mut space = vec![0; 64 << 10];
    while got < SIZE {
        let read = within("the response", client.read(&mut space))
            .await
            .unwrap();
        assert_ne!(read, 0, "the response ended early after {got} bytes");
        got += read;
    }
    drop(client);
    upstream.abort();
}
