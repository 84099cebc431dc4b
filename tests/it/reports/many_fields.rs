//! Responses with more fields than hyper accepts at no cost.

use super::protocol_error;
use crate::support::{Client, Connection, Proxy, Upstream, ask, get, many_fields, post};

/// Responds with as many fields as the target names.
async fn of_many_fields() -> Upstream {
    Upstream::scripted(async |mut connection: Connection| {
        while let Some(request) = connection.request().await {
            let count = request.target.trim_start_matches('/').parse().unwrap();
            let fields = many_fields(count, "v");
            let head = format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 2\r\n\r\nok");
            connection.write(head.as_bytes()).await;
        }
    })
    .await
}

#[tokio::test]
async fn a_get_with_120_fields_in_its_response_is_sent_again_once_and_later_ones_are_not() {
    let upstream = of_many_fields().await;
    let proxy = Proxy::before(&upstream).await;
    let mut client = Client::connect(proxy.address).await;
    // The first request uses a new connection, and one after a usual response an idle one.
    for (target, seen) in [("/2", 1), ("/120", 3), ("/255", 4), ("/2", 5), ("/120", 6)] {
        client.send(get(target)).await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
        assert_eq!(upstream.seen_count(), seen, "{target}");
    }
    assert_eq!(upstream.accepted(), 2);
}

#[tokio::test]
async fn the_first_response_of_all_may_have_120_fields() {
    let upstream = of_many_fields().await;
    let proxy = Proxy::before(&upstream).await;
    let answer = ask(proxy.address, get("/120")).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
    assert_eq!(answer.field("x-119"), Some("v"));
    assert_eq!(upstream.seen_count(), 2);
}

#[tokio::test]
async fn a_post_is_not_sent_again_and_gets_a_502_with_the_count() {
    let upstream = of_many_fields().await;
    let proxy = Proxy::before(&upstream).await;
    let said = protocol_error(&ask(proxy.address, post("/120", "body")).await);
    assert!(
        said.contains("121 fields, and at most 100 are accepted; from now on 256 are"),
        "{said}"
    );
    assert_eq!(upstream.seen_count(), 1);
    let answer = ask(proxy.address, post("/120", "body")).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
    assert_eq!(upstream.seen_count(), 2);
}

#[tokio::test]
async fn a_response_with_300_fields_is_a_502_with_the_count() {
    let upstream = of_many_fields().await;
    let proxy = Proxy::before(&upstream).await;
    let said = protocol_error(&ask(proxy.address, get("/300")).await);
    assert!(
        said.contains("301 fields, and at most 256 are accepted"),
        "{said}"
    );
    assert_eq!(upstream.seen_count(), 2);
}
