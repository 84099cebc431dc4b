//! Upgrades that the upstream rejects: what the client sent after its request is not forwarded.

use crate::support::{Client, Connection, Proxy, Upstream, answer, until};

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
