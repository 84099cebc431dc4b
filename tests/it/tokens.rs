//! Without a usable token no request reaches the upstream, and the caller learns on whose side the problem is.

use std::time::Duration;

use cupbearer::demo::{self, Demo, Options, TokenReply};
use http::{HeaderMap, StatusCode};

use crate::support::{
    Client, Connection, Proxy, Upstream, answer, ask, closed_port, get, token_answer, until,
};

/// The outcome of a request when the token endpoint responds with `bytes`; nothing must reach the upstream.
async fn outcome_for_response(bytes: impl Into<Vec<u8>>) -> (u16, String) {
    let upstream = Upstream::echoing().await;
    let endpoint = Upstream::answering(bytes).await;
    let proxy = Proxy::with_token_url(&upstream.url(), &endpoint.url(), &[("token.wait", "300ms")]);
    let answer = ask(proxy.address, get("/")).await;
    assert_eq!(upstream.accepted(), 0);
    if answer.status == 503 {
        let seconds: u64 = answer.field("retry-after").unwrap().parse().unwrap();
        assert!((1..=300).contains(&seconds), "{seconds}");
    }
    answer.outcome()
}

fn unavailable() -> (u16, String) {
    (503, "token_unavailable".to_owned())
}

#[tokio::test]
async fn an_unreachable_endpoint_causes_a_503() {
    let upstream = Upstream::echoing().await;
    let url = format!("http://127.0.0.1:{}/token", closed_port().await);
    let proxy = Proxy::with_token_url(&upstream.url(), &url, &[("token.wait", "300ms")]);
    let answer = ask(proxy.address, get("/")).await;
    assert_eq!(answer.outcome(), unavailable());
    assert!(answer.field("retry-after").is_some());
    assert_eq!(upstream.accepted(), 0);
}

#[tokio::test]
async fn an_endpoint_that_does_not_respond_causes_a_503_after_the_wait() {
    let upstream = Upstream::echoing().await;
    let endpoint =
        Upstream::scripted(async |mut connection: Connection| connection.closed().await).await;
    let proxy = Proxy::with_token_url(&upstream.url(), &endpoint.url(), &[("token.wait", "300ms")]);
    let start = tokio::time::Instant::now();
    assert_eq!(ask(proxy.address, get("/")).await.outcome(), unavailable());
    assert!(
        start.elapsed() < Duration::from_secs(6), // of 10 s by default
        "{:?}",
        start.elapsed()
    );
    assert_eq!(upstream.accepted(), 0);
}

#[tokio::test]
async fn an_invalid_response_of_the_endpoint_causes_a_503() {
    for bytes in [
        answer(
            "200 OK",
            "Content-Type: text/html\r\n",
            "<html>log in</html>",
        ),
        answer("200 OK", "Content-Type: application/json\r\n", "{}"),
        answer(
            "200 OK",
            "Content-Type: application/json\r\n",
            r#"{"access_token":"","token_type":"Bearer"}"#,
        ),
        answer(
            "200 OK",
            "Content-Type: application/json\r\n",
            r#"{"access_token":"a\r\nX: y","token_type":"Bearer"}"#,
        ),
        answer(
            "200 OK",
            "Content-Type: application/json\r\n",
            r#"{"access_token":"a","token_type":"DPoP"}"#,
        ),
        answer("500 Internal Server Error", "", "oops"),
        answer("503 Service Unavailable", "Retry-After: 20\r\n", ""),
        b"SSH-2.0-x\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{".to_vec(),
    ] {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert_eq!(outcome_for_response(bytes).await, unavailable(), "{text}");
    }
}

#[tokio::test]
async fn rejected_credentials_cause_a_502() {
    let refused = answer(
        "401 Unauthorized",
        "Content-Type: application/json\r\n",
        r#"{"error":"invalid_client","error_description":"no"}"#,
    );
    assert_eq!(
        outcome_for_response(refused).await,
        (502, "token_refused".to_owned())
    );
}

#[tokio::test]
async fn a_redirect_of_the_endpoint_is_not_followed() {
    let canary = Upstream::answering(token_answer()).await;
    for status in [
        "301 Moved",
        "302 Found",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        let moved = answer(status, &format!("Location: {}/token\r\n", canary.url()), "");
        let (status, _) = outcome_for_response(moved).await;
        assert!([502, 503].contains(&status), "{status}");
    }
    assert_eq!(canary.accepted(), 0);
}

async fn demo_and_proxy() -> (Demo, Proxy) {
    let demo = demo::start(Options::on_free_ports()).await.unwrap();
    let secret = String::from_utf8(demo.client_secret.expose().to_vec()).unwrap();
    let proxy =
        Proxy::with_credentials(&demo.api_url, &demo.token_url, demo.client_id, &secret, &[]);
    (demo, proxy)
}

#[tokio::test]
async fn two_hundred_concurrent_first_requests_cause_one_token_request() {
    let demo = demo::start(Options::on_free_ports()).await.unwrap();
    demo.state
        .change(|it| it.latency = Duration::from_millis(300));
    let secret = String::from_utf8(demo.client_secret.expose().to_vec()).unwrap();
    let proxy =
        Proxy::with_credentials(&demo.api_url, &demo.token_url, demo.client_id, &secret, &[]);
    let herd: Vec<_> = (0..200)
        .map(|_| tokio::spawn(ask(proxy.address, get("/api/v1/certificates"))))
        .collect();
    for request in herd {
        assert_eq!(request.await.unwrap().status, 200);
    }
    assert_eq!(demo.state.token_request_count(), 1);
}

#[tokio::test]
async fn nothing_is_sent_in_an_outage_past_the_expiry_and_recovery_needs_no_traffic() {
    let (demo, proxy) = demo_and_proxy().await;
    demo.state.change(|it| it.lifetime = Duration::from_secs(2));
    assert_eq!(
        ask(proxy.address, get("/api/v1/certificates")).await.status,
        200
    );
    demo.state.reply_always(TokenReply::Fixed {
        status: StatusCode::BAD_GATEWAY,
        headers: HeaderMap::new(),
        body: Vec::new(),
    });
    until("the token has expired", || {
        proxy.running.tokens().usable().is_none()
    })
    .await;
    let before = demo.state.api_request_count();
    let start = tokio::time::Instant::now();
    assert_eq!(
        ask(proxy.address, get("/api/v1/certificates"))
            .await
            .outcome(),
        unavailable()
    );
    assert!(start.elapsed() < Duration::from_secs(6));
    assert_eq!(demo.state.api_request_count(), before);
    demo.state.reply_always(TokenReply::Normal);
    until("it recovers by itself", || {
        proxy.running.tokens().usable().is_some()
    })
    .await;
    assert_eq!(
        ask(proxy.address, get("/api/v1/certificates")).await.status,
        200
    );
    assert!(
        demo.state
            .api_requests()
            .iter()
            .all(|seen| seen.authorization_lines() == 1)
    );
}

#[tokio::test]
async fn a_client_that_disconnects_while_it_waits_for_a_token_affects_no_other_request() {
    let upstream = Upstream::echoing().await;
    let endpoint = Upstream::scripted(async |mut connection: Connection| {
        connection.request().await;
        tokio::time::sleep(Duration::from_millis(200)).await; // the test needs a slow endpoint
        connection.write(&token_answer()).await;
    })
    .await;
    let proxy = Proxy::with_token_url(&upstream.url(), &endpoint.url(), &[]);
    for _ in 0..10 {
        let mut client = Client::connect(proxy.address).await;
        client.send(get("/left")).await;
    }
    assert_eq!(ask(proxy.address, get("/stayed")).await.text(), "/stayed");
    assert_eq!(endpoint.seen_count(), 1);
}
