//! Lengths and codings of a response that say the same thing twice, or two things.

use super::{protocol_error, through};
#[cfg(unix)]
use crate::support::{Binary, Config, SECRET, token_answer};
use crate::support::{Client, Connection, Proxy, Upstream, ask, get, until};

fn ok(fields: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{fields}\r\n{body}")
}

#[tokio::test]
async fn a_length_that_is_given_twice_is_one() {
    for fields in [
        "Content-Length: 2\r\nContent-Length: 2\r\n",
        "Content-Length: 2, 2\r\n",
        "Content-Length: 2\r\nX: y\r\nContent-Length: 2,2\r\n",
    ] {
        let answer = through(ok(fields, "ok")).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
        assert_eq!(answer.fields_named("content-length"), ["2"], "{fields:?}");
    }
}

#[tokio::test]
async fn a_length_beside_chunked_is_removed_and_its_connection_is_closed_after_the_message() {
    let upstream = Upstream::scripted(async |mut connection: Connection| {
        while let Some(request) = connection.request().await {
            let (fields, body) = match request.target.as_str() {
                "/both" => (
                    "Content-Length: 9\r\nTransfer-Encoding: chunked\r\n",
                    "2\r\nok\r\n0\r\n\r\n",
                ),
                _ => ("Content-Length: 2\r\n", "ok"),
            };
            connection.write(ok(fields, body).as_bytes()).await;
        }
    })
    .await;
    let proxy = Proxy::before(&upstream).await;
    let mut client = Client::connect(proxy.address).await;
    for (target, connections) in [("/both", 1), ("/both", 2), ("/plain", 3), ("/plain", 3)] {
        client.send(get(target)).await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
        assert_eq!(upstream.accepted(), connections, "{target}");
    }
    until("the first two are closed", || upstream.open() == 1).await;
}

#[tokio::test]
async fn framing_that_can_be_read_in_two_ways_is_a_502_that_names_the_cause() {
    for (fields, words) in [
        (
            "Content-Length: 2\r\nContent-Length: 3\r\n",
            "Content-Length values differ",
        ),
        ("Content-Length: 2, 3\r\n", "Content-Length values differ"),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "more than one Transfer-Encoding",
        ),
        (
            "Transfer-Encoding: chunked, chunked\r\n",
            "chunked, chunked",
        ),
        ("Transfer-Encoding: gzip, chunked\r\n", "gzip, chunked"),
        (
            "Transfer-Encoding: x-chunked\r\n",
            "its Transfer-Encoding is unknown",
        ),
        (
            "Content-Length: 2\r\nTransfer-Encoding: gzip\r\n",
            "only \\\"chunked\\\" is supported",
        ),
    ] {
        let said = protocol_error(&through(ok(fields, "2\r\nok\r\n0\r\n\r\n")).await);
        assert!(said.contains(words), "{fields:?}: {said}");
    }
}

#[tokio::test]
async fn a_request_with_two_lengths_is_still_rejected() {
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::before(&upstream).await;
    for fields in [
        "Content-Length: 2\r\nContent-Length: 2\r\n",
        "Content-Length: 2, 2\r\n",
        "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
        "X-Name : value\r\nContent-Length: 2\r\n",
    ] {
        let request = format!("POST / HTTP/1.1\r\nHost: localhost\r\n{fields}\r\nok");
        assert_eq!(ask(proxy.address, request).await.status, 400, "{fields:?}");
    }
    assert_eq!(upstream.seen_count(), 0);
}

#[cfg(unix)]
#[tokio::test]
async fn a_length_beside_chunked_is_logged_but_not_for_each_response() {
    let body = "Content-Length: 9\r\nTransfer-Encoding: chunked\r\n";
    let upstream = Upstream::answering(ok(body, "2\r\nok\r\n0\r\n\r\n")).await;
    let endpoint = Upstream::answering(token_answer()).await;
    let binary = Binary::start(&Config {
        upstream: &upstream.url(),
        token_url: &endpoint.url(),
        client_id: "framing",
        secret: SECRET,
        settings: &["guard.local_users=any", "log.access=all"],
    })
    .await;
    for _ in 0..3 {
        while ask(binary.address, get("/a")).await.status != 200 {}
    }
    // Lines are written in order, so the note precedes the third access line.
    until("the access lines", || {
        binary.output().matches("\"status\":200").count() >= 3
    })
    .await;
    let note = "the API sends Content-Length beside Transfer-Encoding: chunked";
    assert_eq!(
        binary.output().matches(note).count(),
        1,
        "{}",
        binary.output()
    );
}
