//! Each reason for which a request cannot be forwarded has its own status, name and detail.

use crate::support::{
    Answer, Client, Connection, End, Proxy, Upstream, answer, ask, closed_port, get, post, until,
};

/// Status, reason, `Proxy-Status` and problem details agree, and the request can be found in the log.
fn assert_is(answer: &Answer, status: u16, reason: &str, proxy_error: &str) {
    assert_eq!(
        answer.outcome(),
        (status, reason.to_owned()),
        "{}",
        answer.text()
    );
    assert_eq!(answer.end, End::Complete);
    assert_eq!(
        answer.field("proxy-status"),
        Some(format!("cupbearer; error={proxy_error}; details=\"{reason}\"").as_str())
    );
    let problem: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(problem["status"], status);
    assert_eq!(problem["type"], "about:blank");
    assert!(
        problem["title"]
            .as_str()
            .is_some_and(|title| !title.is_empty())
    );
    assert!(
        problem["detail"]
            .as_str()
            .is_some_and(|detail| detail.len() > 20)
    );
    assert_eq!(problem["request_id"].as_str(), answer.field("x-request-id"));
    assert_eq!(answer.field("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn an_upstream_that_refuses_the_connection_is_a_502_that_says_so() {
    let url = format!("http://127.0.0.1:{}", closed_port().await);
    let proxy = Proxy::with(&url, &[]).await;
    let answer = ask(proxy.address, get("/")).await;
    assert_is(&answer, 502, "upstream_refused", "connection_refused");
}

#[tokio::test]
async fn an_upstream_that_dns_does_not_know_is_a_502_that_says_so() {
    let settings = [
        ("upstream.connect_timeout", "20s"),
        ("upstream.allow_plaintext", "true"),
    ];
    let proxy = Proxy::with("http://no-such-host.invalid", &settings).await;
    let answer = ask(proxy.address, get("/")).await;
    assert_is(&answer, 502, "upstream_dns", "dns_error");
    assert!(answer.text().contains("no-such-host.invalid"));
}

/// The accept queue is full, so the kernel drops new connections, as a firewall does.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_upstream_that_does_not_accept_connections_is_a_504_within_the_connect_timeout() {
    use std::time::Duration;
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(Ok(stream)) = tokio::time::timeout(
        Duration::from_millis(100),
        tokio::net::TcpStream::connect(address),
    )
    .await
    {
        queued.push(stream);
    }
    let proxy = Proxy::with(
        &format!("http://{address}"),
        &[("upstream.connect_timeout", "300ms")],
    )
    .await;
    let start = tokio::time::Instant::now();
    let answer = ask(proxy.address, get("/")).await;
    assert_is(
        &answer,
        504,
        "upstream_connect_timeout",
        "connection_timeout",
    );
    assert!(answer.text().contains("upstream.connect_timeout"));
    assert!(
        start.elapsed() < Duration::from_secs(8), // of 10 s by default
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn a_silent_upstream_is_a_504_that_names_the_timeout() {
    let upstream =
        Upstream::scripted(async |mut connection: Connection| connection.closed().await).await;
    let proxy = Proxy::with(&upstream.url(), &[("upstream.head_timeout", "300ms")]).await;
    let answer = ask(proxy.address, get("/")).await;
    assert_is(
        &answer,
        504,
        "upstream_head_timeout",
        "http_response_timeout",
    );
    assert!(answer.text().contains("upstream.head_timeout"));
    until("the silent connection is closed", || upstream.open() == 0).await;
}

#[tokio::test]
async fn an_upstream_that_closes_in_the_middle_of_the_head_is_a_502_and_gets_a_post_once() {
    for cut in ["", "HTTP/1.1 200 OK\r\nContent-Le"] {
        let upstream = Upstream::scripted(move |mut connection| async move {
            connection.request().await;
            connection.write(cut.as_bytes()).await;
        })
        .await;
        let proxy = Proxy::before(&upstream).await;
        let answer = ask(proxy.address, post("/", "x")).await;
        assert_is(&answer, 502, "upstream_closed", "connection_terminated");
        assert_eq!(upstream.only_request().body, b"x");
    }
}

#[tokio::test]
async fn an_upstream_that_resets_is_a_502() {
    let upstream = Upstream::scripted(async |mut connection: Connection| {
        connection.request().await;
        connection.reset();
    })
    .await;
    let proxy = Proxy::before(&upstream).await;
    let answer = ask(proxy.address, post("/", "x")).await;
    assert_is(&answer, 502, "upstream_closed", "connection_terminated");
    assert_eq!(upstream.seen_count(), 1);
}

/// Responds to the first request of a connection and closes it at the second.
async fn closes_on_the_second_request() -> Upstream {
    Upstream::scripted(async |mut connection: Connection| {
        if connection.request().await.is_some() {
            connection.write(&answer("200 OK", "", "first")).await;
            connection.request().await;
        }
    })
    .await
}

#[tokio::test]
async fn a_get_that_loses_its_reused_connection_is_retried() {
    let upstream = closes_on_the_second_request().await;
    let proxy = Proxy::before(&upstream).await;
    for _ in 0..5 {
        assert_eq!(ask(proxy.address, get("/")).await.text(), "first");
    }
    assert_eq!(upstream.accepted(), 5);
}

#[tokio::test]
async fn a_post_that_loses_its_reused_connection_is_a_502_and_is_not_retried() {
    let upstream = closes_on_the_second_request().await;
    let proxy = Proxy::before(&upstream).await;
    assert_eq!(ask(proxy.address, post("/1", "x")).await.status, 200);
    assert_is(
        &ask(proxy.address, post("/2", "x")).await,
        502,
        "upstream_closed",
        "connection_terminated",
    );
    assert_eq!(upstream.seen_count(), 2);
}

/// Even a request with a body, which could not be retried, does not fail.
#[tokio::test]
async fn no_request_fails_when_an_idle_connection_is_closed() {
    let upstream = Upstream::scripted(async |mut connection: Connection| {
        connection.request().await;
        connection.write(&answer("200 OK", "", "once")).await;
    })
    .await;
    let proxy = Proxy::before(&upstream).await;
    for number in 0..20 {
        let answer = ask(proxy.address, post(&format!("/{number}"), "x")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        until("the close has arrived", || upstream.open() == 0).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(upstream.seen_count(), 20);
}

#[tokio::test]
async fn a_response_that_is_not_http_is_a_502() {
    for garbage in [
        "SSH-2.0-OpenSSH_9.9\r\n",
        "<html>no head at all</html>\r\n\r\n",
        "HTTP/9.9 200 OK\r\n\r\n",
        "HTTP/1.1 abc OK\r\n\r\n",
        "\0\0\0\0\0\0\0\0\0\0\0\0",
    ] {
        let upstream = Upstream::answering(garbage).await;
        let proxy = Proxy::before(&upstream).await;
        let answer = ask(proxy.address, get("/")).await;
        assert_is(&answer, 502, "upstream_protocol", "http_protocol_error");
        assert_eq!(upstream.seen_count(), 1, "{garbage:?}");
    }
}

#[tokio::test]
async fn tls_to_a_plain_http_upstream_is_a_502_and_no_token_is_sent() {
    let upstream = Upstream::scripted(async |mut connection: Connection| {
        connection.fill().await;
        connection
            .write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            .await;
    })
    .await;
    let proxy = Proxy::with(&upstream.url().replace("http://", "https://"), &[]).await;
    let answer = ask(proxy.address, get("/")).await;
    assert_is(&answer, 502, "upstream_tls", "tls_protocol_error");
    assert_eq!(upstream.seen_count(), 0);
}

#[tokio::test]
async fn a_request_over_the_limit_gets_an_immediate_503_with_retry_after_1() {
    let upstream =
        Upstream::scripted(async |mut connection: Connection| connection.closed().await).await;
    let proxy = Proxy::with(&upstream.url(), &[("limits.in_flight", "1")]).await;
    let mut first = Client::connect(proxy.address).await;
    first.send(get("/")).await;
    until("the first request is in flight", || upstream.open() == 1).await;
    let answer = ask(proxy.address, get("/")).await;
    assert_is(&answer, 503, "saturated", "connection_limit_reached");
    assert_eq!(answer.field("retry-after"), Some("1"));
    drop(first);
    until("the first client has disconnected", || upstream.open() == 0).await;
    let mut next = Client::connect(proxy.address).await;
    next.send(get("/")).await;
    until("a slot is free again", || upstream.open() == 1).await;
}

const DENIED: &str = "http_request_denied";
const ERROR: &str = "http_request_error";

/// What is sent, the status, the reason, and the error of `Proxy-Status`.
const REJECTED: [(&str, u16, &str, &str); 12] = [
    ("GET / HTTP/1.1\r\n\r\n", 400, "bad_request", ERROR),
    ("GET / HTTP/1.0\r\n\r\n", 403, "host_refused", DENIED),
    (
        "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        403,
        "host_refused",
        DENIED,
    ),
    (
        "GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
        400,
        "bad_request",
        ERROR,
    ),
    (
        "GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        421,
        "target_refused",
        DENIED,
    ),
    (
        "GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\n\r\n",
        403,
        "origin_refused",
        DENIED,
    ),
    (
        "GET / HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: cross-site\r\n\r\n",
        403,
        "origin_refused",
        DENIED,
    ),
    (
        "TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        405,
        "method_refused",
        DENIED,
    ),
    (
        "CONNECT evil.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        405,
        "method_refused",
        DENIED,
    ),
    (
        "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
        400,
        "bad_request",
        ERROR,
    ),
    (
        "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        501,
        "not_supported",
        ERROR,
    ),
    (
        "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        400,
        "bad_request",
        ERROR,
    ),
];

#[tokio::test]
async fn a_request_that_the_guard_rejects_never_reaches_the_upstream() {
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::before(&upstream).await;
    for (request, status, reason, proxy_error) in REJECTED {
        let answer = ask(proxy.address, request).await;
        assert_is(&answer, status, reason, proxy_error);
    }
    assert_eq!(upstream.accepted(), 0);
    assert_eq!(
        ask(proxy.address, get("/still-here")).await.text(),
        "/still-here"
    );
}

/// A test that produces each reason and status of docs/troubleshooting.md: the file below the repository, and its name.
const PRODUCED: &[(&str, u16, &str, &str)] = &[
    (
        "token_unavailable",
        503,
        "tests/it/tokens.rs",
        "an_unreachable_endpoint_causes_a_503",
    ),
    (
        "token_refused",
        502,
        "tests/it/tokens.rs",
        "rejected_credentials_cause_a_502",
    ),
    (
        "login_required",
        503,
        "tests/it/sign_in.rs",
        "requests_are_told_where_to_sign_in_and_then_carry_the_token_until_the_person_signs_out",
    ),
    (
        "upstream_dns",
        502,
        "tests/it/reasons.rs",
        "an_upstream_that_dns_does_not_know_is_a_502_that_says_so",
    ),
    (
        "upstream_refused",
        502,
        "tests/it/reasons.rs",
        "an_upstream_that_refuses_the_connection_is_a_502_that_says_so",
    ),
    (
        "upstream_connect_timeout",
        504,
        "tests/it/reasons.rs",
        "an_upstream_that_does_not_accept_connections_is_a_504_within_the_connect_timeout",
    ),
    (
        "upstream_proxy",
        502,
        "tests/it/outbound/corporate_proxy.rs",
        "a_407_says_whether_credentials_are_missing_or_wrong",
    ),
    (
        "upstream_tls",
        502,
        "tests/it/outbound/tls.rs",
        "the_error_names_an_unknown_issuer",
    ),
    (
        "upstream_head_timeout",
        504,
        "tests/it/reasons.rs",
        "a_silent_upstream_is_a_504_that_names_the_timeout",
    ),
    (
        "upstream_closed",
        502,
        "tests/it/reasons.rs",
        "an_upstream_that_resets_is_a_502",
    ),
    (
        "upstream_protocol",
        502,
        "tests/it/reasons.rs",
        "a_response_that_is_not_http_is_a_502",
    ),
    (
        "upstream_stalled",
        504,
        "tests/it/cuts.rs",
        "a_response_that_stops_half_way_is_cut_after_the_stall_timeout",
    ),
    (
        "saturated",
        503,
        "tests/it/reasons.rs",
        "a_request_over_the_limit_gets_an_immediate_503_with_retry_after_1",
    ),
    (
        "draining",
        503,
        "tests/it/floods.rs",
        "a_head_that_has_not_arrived_when_the_proxy_stops_gets_a_503",
    ),
    (
        "caller_unknown",
        401,
        "src/guard/callers/tests.rs",
        "a_request_with_no_key_a_wrong_one_or_several_is_rejected",
    ),
    (
        "host_refused",
        403,
        "tests/it/reasons.rs",
        "a_request_that_the_guard_rejects_never_reaches_the_upstream",
    ),
    (
        "origin_refused",
        403,
        "tests/it/reasons.rs",
        "a_request_that_the_guard_rejects_never_reaches_the_upstream",
    ),
    (
        "user_refused",
        403,
        "tests/it/users.rs",
        "an_unlisted_user_is_shown_the_setting_to_change_and_a_listed_user_is_admitted",
    ),
    (
        "rule_refused",
        403,
        "src/guard/callers/tests.rs",
        "each_caller_has_its_own_rules_and_its_rejections_name_it",
    ),
    (
        "target_refused",
        421,
        "tests/it/reasons.rs",
        "a_request_that_the_guard_rejects_never_reaches_the_upstream",
    ),
    (
        "method_refused",
        405,
        "tests/it/reasons.rs",
        "a_request_that_the_guard_rejects_never_reaches_the_upstream",
    ),
    (
        "too_large",
        414,
        "tests/it/unreadable_heads.rs",
        "a_target_that_is_too_long_for_the_http_library_is_a_414",
    ),
    (
        "too_large",
        431,
        "tests/it/unreadable_heads.rs",
        "each_is_answered_by_cupbearer_with_what_is_wrong_and_where",
    ),
    (
        "client_timeout",
        408,
        "tests/it/floods.rs",
        "a_head_that_does_not_arrive_in_time_gets_a_408_and_a_silent_connection_gets_nothing",
    ),
    (
        "bad_request",
        400,
        "tests/it/unreadable_heads.rs",
        "each_is_answered_by_cupbearer_with_what_is_wrong_and_where",
    ),
    (
        "not_supported",
        501,
        "tests/it/reasons.rs",
        "a_request_that_the_guard_rejects_never_reaches_the_upstream",
    ),
    (
        "not_supported",
        505,
        "tests/it/unreadable_heads.rs",
        "each_is_answered_by_cupbearer_with_what_is_wrong_and_where",
    ),
    (
        "loop",
        508,
        "tests/it/rewriting/mod.rs",
        "a_request_that_comes_back_is_a_508_after_one_round",
    ),
    (
        "internal",
        500,
        "src/proxy/service/tests.rs",
        "after_a_panic_the_client_gets_a_500_and_the_next_request_is_served",
    ),
];

/// docs/troubleshooting.md lists every reason, so that a reason which nothing produces would be a promise without
/// cover.
#[test]
fn each_documented_reason_has_a_test_that_produces_it() {
    let mut documented: Vec<_> = cupbearer::problem::Reason::ALL
        .iter()
        .map(|reason| (reason.name(), reason.status().as_u16()))
        .collect();
    documented.dedup();
    let produced: Vec<_> = PRODUCED
        .iter()
        .map(|(name, status, ..)| (*name, *status))
        .collect();
    assert_eq!(produced, documented);
    for (name, _, file, test) in PRODUCED {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let text = std::fs::read_to_string(path).unwrap();
        assert!(
            text.contains(&format!("fn {test}(")),
            "{file} has no {test}"
        );
        assert!(
            text.contains(name) || *name == "internal",
            "{file} does not name {name}"
        );
    }
}
