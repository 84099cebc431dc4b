//! What is wrong with every response of a server is logged once, and not with each of them.

use super::config;
use crate::support::{Binary, Config, Connection, Upstream, answer, ask, get, token_answer};

const ADMIN: &[&str] = &["admin.listen=127.0.0.1:0"];

/// Starts the binary and waits for its first token.
async fn start(config: &Config<'_>) -> Binary {
    let binary = Binary::start(config).await;
    while ask(binary.admin(), get("/ready")).await.status != 200 {}
    binary
}

/// How many lines the binary has printed that contain `words`.
async fn lines_with(mut binary: Binary, words: &str) -> usize {
    binary.terminate();
    let (_, output) = binary.wait().await;
    output.lines().filter(|line| line.contains(words)).count()
}

#[tokio::test]
async fn tokens_without_a_type_cause_one_warning() {
    let untyped = answer("200 OK", "", r#"{"access_token":"t","expires_in":3600}"#);
    let endpoint = Upstream::answering(untyped).await;
    let upstream = Upstream::answering(answer("200 OK", "", "ok")).await;
    let binary = start(&Config {
        upstream: &upstream.url(),
        token_url: &endpoint.url(),
        ..config(ADMIN)
    })
    .await;
    assert_eq!(ask(binary.address, get("/")).await.status, 200);
    assert_eq!(upstream.seen()[0].values("authorization"), ["Bearer t"]);
    let refresh = "POST /token/refresh HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nX-Cupbearer: 1\r\n\r\n";
    assert_eq!(ask(binary.admin(), refresh).await.status, 200);
    assert_eq!(endpoint.seen_count(), 2);
    assert_eq!(lines_with(binary, "names no token_type").await, 1);
}

#[tokio::test]
async fn lengths_beside_chunked_cause_one_warning_an_hour() {
    let endpoint = Upstream::answering(token_answer()).await;
    let upstream = Upstream::scripted(async |mut connection: Connection| {
        connection.request().await;
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n";
        connection
            .write(format!("{head}2\r\nok\r\n0\r\n\r\n").as_bytes())
            .await;
        connection.closed().await;
    })
    .await;
    let binary = start(&Config {
        upstream: &upstream.url(),
        token_url: &endpoint.url(),
        ..config(ADMIN)
    })
    .await;
    for _ in 0..3 {
        assert_eq!(ask(binary.address, get("/")).await.text(), "ok");
    }
    assert_eq!(upstream.accepted(), 3);
    let words = "Content-Length beside Transfer-Encoding: chunked";
    assert_eq!(lines_with(binary, words).await, 1);
}
