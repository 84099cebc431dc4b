//! Which web pages may read what: the proxy answers preflights and sets the CORS fields of every response; those of the
//! upstream are removed.

use crate::support::{
    Answer, Client, Connection, Proxy, Upstream, answer, ask, closed_port, get, until,
};

const TOOL: &str = "https://tool.example";

const ORIGINS: (&str, &str) = ("guard.origins", r#"["https://tool.example"]"#);

/// A response head of the upstream that would allow every page and bind browsers to `localhost`.
const OPEN_TO_ALL: &str = "Access-Control-Allow-Origin: *\r\nAccess-Control-Allow-Credentials: true\r\n\
     Access-Control-Allow-Private-Network: true\r\nAccess-Control-Expose-Headers: X-Leak\r\n\
     Access-Control-Something-New: 1\r\nAlt-Svc: h2=\":443\"\r\nStrict-Transport-Security: max-age=1\r\n\
     Clear-Site-Data: \"*\"\r\nVary: Accept\r\nETag: \"1\"\r\n";

/// A request as a browser sends it for a page of `origin`.
fn from_page(line: &str, origin: &str, more: &str) -> String {
    format!(
        "{line} HTTP/1.1\r\nHost: localhost\r\nOrigin: {origin}\r\nSec-Fetch-Site: cross-site\r\n\
         Sec-Fetch-Mode: cors\r\n{more}Content-Length: 0\r\nConnection: close\r\n\r\n"
    )
}

/// The values of all lines of a field.
fn lines<'a>(answer: &'a Answer, name: &str) -> Vec<&'a str> {
    let lines = answer.fields.iter();
    lines
        .filter(|(field, _)| field.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
        .collect()
}

/// The comma-separated values of all lines of a field, in lower case.
fn list(answer: &Answer, name: &str) -> Vec<String> {
    lines(answer, name)
        .iter()
        .flat_map(|line| line.split(','))
        .map(|item| item.trim().to_ascii_lowercase())
        .collect()
}

/// The names of all fields that start with `access-control-`.
fn cors_fields(answer: &Answer) -> Vec<String> {
    let names = answer
        .fields
        .iter()
        .map(|(name, _)| name.to_ascii_lowercase());
    let mut names: Vec<_> = names
        .filter(|name| name.starts_with("access-control-"))
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn any_preflight_of_an_allowed_origin_is_answered_by_the_proxy() {
    let upstream = Upstream::answering(answer("200 OK", "", "never")).await;
    let proxy = Proxy::with(&upstream.url(), &[ORIGINS]).await;
    let asked = "Access-Control-Request-Method: DELETE\r\n\
                 Access-Control-Request-Headers: authorization,x-cupbearer-key\r\n\
                 Access-Control-Request-Private-Network: true\r\n";

    let answer = ask(proxy.address, from_page("OPTIONS /a", TOOL, asked)).await;

    assert_eq!(answer.status, 204);
    assert_eq!(lines(&answer, "access-control-allow-origin"), [TOOL]);
    assert_eq!(lines(&answer, "access-control-allow-methods"), ["DELETE"]);
    assert_eq!(
        list(&answer, "access-control-allow-headers"),
        ["authorization", "x-cupbearer-key"]
    );
    assert_eq!(
        lines(&answer, "access-control-allow-private-network"),
        ["true"]
    );
    assert_eq!(lines(&answer, "access-control-max-age"), ["7200"]);
    assert_eq!(
        list(&answer, "vary"),
        [
            "origin",
            "access-control-request-method",
            "access-control-request-headers",
            "access-control-request-private-network"
        ]
    );
    assert!(answer.field("x-request-id").is_some());
    let status = answer.field("proxy-status");
    assert_eq!(status, Some("cupbearer; details=\"preflight\""));
    assert!(answer.field("access-control-allow-credentials").is_none());
    assert_eq!(upstream.seen_count(), 0);
}

#[tokio::test]
async fn a_preflight_of_any_other_origin_is_rejected_without_cors_fields() {
    let upstream = Upstream::answering(answer("200 OK", "", "never")).await;
    let proxy = Proxy::with(&upstream.url(), &[ORIGINS]).await;
    let asked = "Access-Control-Request-Method: DELETE\r\n";
    for origin in [
        "http://evil.test",
        "null",
        "https://tool.example.evil.test",
        "http://tool.example",
    ] {
        let answer = ask(proxy.address, from_page("OPTIONS /a", origin, asked)).await;
        assert_eq!(answer.outcome(), (403, "origin_refused".to_owned()));
        assert_eq!(cors_fields(&answer), [""; 0], "{origin}");
    }
    assert_eq!(upstream.seen_count(), 0);
}

#[tokio::test]
async fn an_options_request_that_is_not_a_preflight_is_forwarded() {
    let upstream = Upstream::answering(answer("200 OK", "", "hello")).await;
    let proxy = Proxy::with(&upstream.url(), &[ORIGINS]).await;
    let answer = ask(proxy.address, from_page("OPTIONS /a", TOOL, "")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(upstream.seen_count(), 1);
}

#[tokio::test]
async fn an_allowed_page_may_read_the_response_and_all_its_fields_regardless_of_the_upstream() {
    let upstream = Upstream::answering(answer("200 OK", OPEN_TO_ALL, "hello")).await;
    let proxy = Proxy::with(&upstream.url(), &[ORIGINS]).await;

    let answer = ask(proxy.address, from_page("GET /a", TOOL, "")).await;

    assert_eq!(answer.status, 200);
    assert_eq!(
        cors_fields(&answer),
        [
            "access-control-allow-origin",
            "access-control-expose-headers"
        ]
    );
    assert_eq!(lines(&answer, "access-control-allow-origin"), [TOOL]);
    assert_eq!(lines(&answer, "access-control-expose-headers"), ["*"]);
    assert_eq!(list(&answer, "vary"), ["accept", "origin"]);
    assert_eq!(answer.field("etag"), Some("\"1\""));
}

#[tokio::test]
async fn an_upstream_that_allows_all_origins_allows_none_here() {
    let upstream = Upstream::answering(answer("200 OK", OPEN_TO_ALL, "hello")).await;
    for settings in [&[][..], &[ORIGINS]] {
        let proxy = Proxy::with(&upstream.url(), settings).await;
        let request = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        let answer = ask(proxy.address, request).await;
        assert_eq!(answer.status, 200);
        assert_eq!(cors_fields(&answer), [""; 0]);
        for field in ["alt-svc", "strict-transport-security", "clear-site-data"] {
            assert_eq!(answer.field(field), None, "{field}");
        }
    }
}

#[tokio::test]
async fn with_allowed_origins_every_response_varies_by_origin() {
    let request = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    for (fields, without, with) in [
        ("", &[][..], &["origin"][..]),
        ("Vary: Accept\r\n", &["accept"], &["accept", "origin"]),
        (
            "Vary: Accept, ORIGIN\r\n",
            &["accept", "origin"],
            &["accept", "origin"],
        ),
        ("Vary: *\r\n", &["*"], &["*"]),
    ] {
        let upstream = Upstream::answering(answer("200 OK", fields, "hello")).await;
        let closed = Proxy::with(&upstream.url(), &[]).await;
        assert_eq!(list(&ask(closed.address, request).await, "vary"), without);
        let open = Proxy::with(&upstream.url(), &[ORIGINS]).await;
        assert_eq!(list(&ask(open.address, request).await, "vary"), with);
    }
}

#[tokio::test]
async fn an_allowed_page_may_read_why_its_request_failed() {
    let nobody = format!("http://127.0.0.1:{}", closed_port().await);
    let proxy = Proxy::with(&nobody, &[ORIGINS]).await;
    let of_other_host = from_page("GET /", TOOL, "").replace("localhost", "rebind.test");
    let unknown_coding = from_page("POST /", TOOL, "Transfer-Encoding: gzip, chunked\r\n")
        .replace("Content-Length: 0\r\n", "");
    for (request, reason) in [
        (from_page("GET /", TOOL, ""), "upstream_refused"),
        (from_page("TRACE /", TOOL, ""), "method_refused"),
        (of_other_host, "host_refused"),
        (unknown_coding + "0\r\n\r\n", "not_supported"),
    ] {
        let answer = ask(proxy.address, request).await;
        assert_eq!(answer.outcome().1, reason);
        assert_eq!(
            lines(&answer, "access-control-allow-origin"),
            [TOOL],
            "{reason}"
        );
        assert_eq!(list(&answer, "vary"), ["origin"], "{reason}");
    }
}

#[tokio::test]
async fn an_allowed_page_may_read_that_all_connections_are_busy() {
    let upstream = Upstream::scripted(async |mut connection: Connection| {
        connection.request().await;
        connection.closed().await;
    })
    .await;
    let settings = [ORIGINS, ("limits.connections", "1")];
    let proxy = Proxy::with(&upstream.url(), &settings).await;
    let mut busy = Client::connect(proxy.address).await;
    busy.send(get("/")).await;
    until("the request is in flight", || upstream.seen_count() == 1).await;
    let other = "https://other.example";
    for (origin, allowed) in [(TOOL, &[TOOL][..]), (other, &[])] {
        let answer = ask(proxy.address, from_page("GET /", origin, "")).await;
        assert_eq!(answer.outcome(), (503, "saturated".to_owned()));
        let read_by = lines(&answer, "access-control-allow-origin");
        assert_eq!(read_by, allowed, "{origin}");
        assert_eq!(list(&answer, "vary"), ["origin"], "{origin}");
    }
}
