//! Interim responses (1xx) without an end, from the API and from the token endpoint. The proxy and the servers of these
//! tests share one thread, so a loop that never yields would also stop the test's own clock.

use std::time::Duration;

use super::protocol_error;
use tokio::time::Instant;

use crate::support::{
    Client, Connection, Proxy, TOKEN, Upstream, answer, ask, figure, get, token_answer, within,
};

const EARLY_HINTS: &str = "HTTP/1.1 103 Early Hints\r\nLink: </s.css>; rel=preload\r\n\r\n";

/// Sends `piece` to the first request until the connection is closed.
async fn endless(piece: &'static str) -> Upstream {
    Upstream::scripted(move |mut connection: Connection| async move {
        let many = piece.repeat(1000);
        if connection.request().await.is_some() {
            while connection.try_write(many.as_bytes()).await {}
        }
    })
    .await
}

#[tokio::test]
async fn an_endless_series_of_interim_responses_is_a_502_at_once() {
    for piece in [
        EARLY_HINTS,
        "HTTP/1.1 102 \r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 199 \n\n",
        "\r\n",
    ] {
        let upstream = endless(piece).await;
        let proxy = Proxy::before(&upstream).await;
        let start = Instant::now();
        let said = protocol_error(&ask(proxy.address, get("/")).await);
        assert!(said.contains("interim responses (1xx)"), "{said}");
        assert!(start.elapsed() < Duration::from_secs(10), "{piece:?}");
    }
}

#[tokio::test]
async fn other_requests_are_served_meanwhile() {
    let upstream = Upstream::scripted(async |mut connection: Connection| {
        let many = EARLY_HINTS.repeat(1000);
        while let Some(request) = connection.request().await {
            if request.target == "/flood" {
                while connection.try_write(many.as_bytes()).await {}
            } else {
                let response = answer("200 OK", "", &request.target);
                connection.write(&response).await;
            }
        }
    })
    .await;
    let proxy = Proxy::before(&upstream).await;
    let address = proxy.address;
    let attackers: Vec<_> = (0..8)
        .map(|_| {
            tokio::spawn(async move {
                loop {
                    protocol_error(&ask(address, get("/flood")).await);
                }
            })
        })
        .collect();
    let mut client = Client::connect(address).await;
    let mut slowest = Duration::ZERO;
    for number in 0..200 {
        let target = format!("/{number}");
        let start = Instant::now();
        client.send(get(&target)).await;
        assert_eq!(client.answer().await.text(), target);
        slowest = slowest.max(start.elapsed());
    }
    for attacker in attackers {
        assert!(!attacker.is_finished(), "{:?}", attacker.await);
        attacker.abort();
    }
    figure("slowest of 200 other requests", format!("{slowest:?}"));
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
}

#[tokio::test]
async fn an_upgrade_gets_a_502_too() {
    let upstream = endless(EARLY_HINTS).await;
    let proxy = Proxy::before(&upstream).await;
    let request =
        "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    let said = protocol_error(&ask(proxy.address, request).await);
    assert!(said.contains("more than 100 interim responses"), "{said}");
}

#[tokio::test]
async fn a_hundred_interim_responses_are_removed_for_each_request_of_a_connection() {
    let upstream = Upstream::scripted(async |mut connection: Connection| {
        while let Some(request) = connection.request().await {
            let hints = EARLY_HINTS.repeat(100);
            // In short pieces, so that a head is split at every position.
            for piece in hints.as_bytes().chunks(7) {
                connection.write(piece).await;
            }
            let response = answer("200 OK", "", &request.target);
            connection.write(&response).await;
        }
    })
    .await;
    let proxy = Proxy::before(&upstream).await;
    let mut client = Client::connect(proxy.address).await;
    for target in ["/1", "/2", "/3"] {
        client.send(get(target)).await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.text().as_str()), (200, target));
        assert_eq!(answer.field("link"), None);
    }
    assert_eq!(upstream.accepted(), 1);
}

#[tokio::test]
async fn slow_interim_responses_do_not_extend_the_head_timeout() {
    let upstream = Upstream::scripted(async |mut connection: Connection| {
        if connection.request().await.is_some() {
            while connection.try_write(EARLY_HINTS.as_bytes()).await {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    })
    .await;
    let settings = [("upstream.head_timeout", "300ms")];
    let proxy = Proxy::with(&upstream.url(), &settings).await;
    let start = Instant::now();
    let answer = ask(proxy.address, get("/")).await;
    assert_eq!(answer.outcome(), (504, "upstream_head_timeout".to_owned()));
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn an_endless_series_from_the_token_endpoint_is_an_error_that_says_so() {
    let endpoint = endless(EARLY_HINTS).await;
    let proxy = Proxy::with_token_url("http://127.0.0.1:9", &endpoint.url(), &[]);
    let start = Instant::now();
    let snapshot = within("the first attempt", proxy.running.tokens().settled()).await;
    let error = snapshot.last_error.unwrap();
    assert!(error.contains("more than 100 interim responses"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(8)); // an attempt ends after 10 s
}

#[tokio::test]
async fn early_hints_of_the_token_endpoint_are_skipped() {
    let response = [EARLY_HINTS.as_bytes(), &token_answer()].concat();
    let endpoint = Upstream::answering(response).await;
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::with_token_url(&upstream.url(), &endpoint.url(), &[]);
    within("a token", proxy.running.tokens().bearer())
        .await
        .unwrap();
    assert_eq!(ask(proxy.address, get("/")).await.status, 200);
    let request = upstream.only_request();
    assert_eq!(
        request.values("authorization"),
        [format!("Bearer {TOKEN}").as_str()]
    );
}
