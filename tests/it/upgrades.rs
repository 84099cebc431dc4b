//! The head of a 101, and upgrades that the upstream rejects: what the client sent after its request is not forwarded.

use std::time::Duration;

use tokio::net::TcpListener;

use crate::support::{Client, Connection, Proxy, Upstream, answer, ask, until};

const UPGRADE: &str =
    "GET /ws HTTP/1.1\r\nHost: localhost:1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

#[tokio::test]
async fn bytes_sent_early_never_reach_an_upstream_that_has_not_switched() {
    for (given, expected) in [
        (Some("200 OK"), 200),
        (Some("403 Forbidden"), 403),
        (None, 504),
    ] {
        let upstream = Upstream::scripted(move |mut connection: Connection| async move {
            let request = connection.request().await.unwrap();
            assert_eq!(request.values("upgrade"), ["websocket"]);
            if let Some(status) = given {
                connection.write(&answer(status, "", "no")).await;
            }
            assert_eq!(connection.fill().await, None, "bytes after the request");
            assert_eq!(connection.buffered(), 0);
        })
        .await;
        let proxy = Proxy::with(&upstream.url(), &[("upstream.head_timeout", "300ms")]).await;
        let mut client = Client::connect(proxy.address).await;
        let early = "SMUGGLED".repeat(128);
        client
            .send(format!(
                "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n{early}"
            ))
            .await;
        let got = client.answer().await;
        assert_eq!(got.status, expected, "{got:?}");
        assert_eq!(got.field("connection"), Some("close"));
        client.rest().await;
        drop(proxy);
        until("the upstream connection is closed", || upstream.open() == 0).await;
        assert_eq!(upstream.seen_count(), 1);
    }
}

#[tokio::test]
async fn an_upgrade_to_http_in_any_version_is_not_forwarded() {
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::before(&upstream).await;
    for protocol in [
        "h2c", "H2C", "h2c/2", "HTTP/2.0", "http", "TLS/1.0", "h2c , x", "h2c-14", "H2C-17", "h2",
        "HTTP2", "SPDY/3.1", "h2c;x", "\"h2c\"",
    ] {
        let request = UPGRADE.replace("websocket", protocol);
        let answer = ask(proxy.address, request).await;
        assert_eq!(answer.status, 200, "{protocol}");
        let seen = upstream.seen().pop().unwrap();
        assert!(seen.values("upgrade").is_empty(), "{protocol}: {seen:?}");
    }
}

/// An intermediary that does not know `Upgrade` may pass it on, and share its connection to us with other clients.
#[tokio::test]
async fn an_upgrade_that_connection_does_not_name_is_not_forwarded() {
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::before(&upstream).await;
    for (connection, expected) in [
        ("", &[][..]),
        ("Connection: close\r\n", &[]),
        ("Connection: keep-alive\r\n", &[]),
        ("Connection: x-upgrade, \"upgrade\"\r\n", &[]),
        ("Connection: keep-alive, Upgrade\r\n", &["websocket"]),
        (
            "Connection: close\r\nConnection: UPGRADE\r\n",
            &["websocket"],
        ),
    ] {
        let request = UPGRADE.replace("Connection: Upgrade\r\n", connection);
        let answer = ask(proxy.address, request).await;
        assert_eq!(answer.status, 200, "{connection:?}");
        assert_eq!(answer.field("connection"), Some("close"), "{connection:?}");
        let seen = upstream.seen().pop().unwrap();
        assert_eq!(seen.values("upgrade"), expected, "{connection:?}");
        let named: &[&str] = if expected.is_empty() {
            &[]
        } else {
            &["upgrade"]
        };
        assert_eq!(seen.values("connection"), named, "{connection:?}");
    }
}

#[tokio::test]
async fn a_request_for_trailers_is_named_in_connection_beside_the_upgrade() {
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::before(&upstream).await;
    let request = UPGRADE.replace("\r\n\r\n", "\r\nTE: trailers\r\n\r\n");
    assert_eq!(ask(proxy.address, request).await.status, 200);
    let seen = upstream.seen().pop().unwrap();
    assert_eq!(seen.values("te"), ["trailers"]);
    assert_eq!(seen.values("connection"), ["upgrade, te"]);
}

#[tokio::test]
async fn the_head_of_a_101_is_rewritten_like_any_other() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap();
    let upstream = Upstream::on(listener, None, move |mut connection| async move {
        connection.request().await.unwrap();
        let fields = format!(
            "Location: http://{own}/here\r\nSet-Cookie: a=1; Domain=api.example.com; Secure; SameSite=None\r\n\
             Alt-Svc: h2=\":443\"\r\nProxy-Status: x\r\n"
        );
        let head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{fields}\r\n"
        );
        connection.write(head.as_bytes()).await;
        connection.closed().await;
    });
    let proxy = Proxy::before(&upstream).await;
    let mut client = Client::connect(proxy.address).await;
    client.send(UPGRADE).await;
    let got = client.head_answer().await;
    assert_eq!(got.status, 101, "{got:?}");
    assert_eq!(got.field("location"), Some("http://localhost:1/here"));
    assert_eq!(got.field("set-cookie"), Some("a=1; SameSite=Lax"));
    assert_eq!(got.field("alt-svc"), None);
    assert_eq!(got.field("proxy-status"), None);
    assert_eq!(got.field("upgrade"), Some("websocket"));
}

#[tokio::test]
async fn an_event_stream_that_answers_an_upgrade_outlives_the_stall_timeout() {
    const LIMIT: Duration = Duration::from_millis(100);
    let upstream = Upstream::scripted(|mut connection: Connection| async move {
        connection.request().await.unwrap();
        connection
            .write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n5\r\none\n\n\r\n")
            .await;
        tokio::time::sleep(LIMIT * 5).await; // the silence that is tested
        connection.write(b"5\r\ntwo\n\n\r\n0\r\n\r\n").await;
        connection.closed().await;
    })
    .await;
    let proxy = Proxy::with(&upstream.url(), &[("upstream.stall_timeout", "100ms")]).await;
    let mut client = Client::connect(proxy.address).await;
    client.send(UPGRADE).await;
    let got = client.answer().await;
    assert_eq!((got.status, got.text()), (200, "one\n\ntwo\n\n".to_owned()));
}
