//! The fixed table of reasons, and what must never get into a page or out of it.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response};
use proptest::prelude::*;

use super::*;

/// What other programs rely on, row by row: none of these names and numbers may change.
#[rustfmt::skip]
const CONTRACT: [(Reason, &str, u16, u16, &str); 30] = [
    (Reason::TokenUnavailable, "token_unavailable", 503, 14, "proxy_internal_error"),
    (Reason::TokenRefused, "token_refused", 502, 14, "proxy_configuration_error"),
    (Reason::LoginRequired, "login_required", 503, 14, "proxy_internal_error"),
    (Reason::UpstreamDns, "upstream_dns", 502, 14, "dns_error"),
    (Reason::UpstreamRefused, "upstream_refused", 502, 14, "connection_refused"),
    (Reason::UpstreamConnectTimeout, "upstream_connect_timeout", 504, 14, "connection_timeout"),
    (Reason::UpstreamProxy, "upstream_proxy", 502, 14, "destination_unavailable"),
    (Reason::UpstreamTlsCertificate, "upstream_tls", 502, 14, "tls_certificate_error"),
    (Reason::UpstreamTlsProtocol, "upstream_tls", 502, 14, "tls_protocol_error"),
    (Reason::UpstreamHeadTimeout, "upstream_head_timeout", 504, 4, "http_response_timeout"),
    (Reason::UpstreamClosed, "upstream_closed", 502, 14, "connection_terminated"),
    (Reason::UpstreamProtocol, "upstream_protocol", 502, 14, "http_protocol_error"),
    (Reason::UpstreamStalled, "upstream_stalled", 504, 4, "connection_read_timeout"),
    (Reason::Saturated, "saturated", 503, 8, "connection_limit_reached"),
    (Reason::Draining, "draining", 503, 14, "proxy_internal_error"),
    (Reason::CallerUnknown, "caller_unknown", 401, 16, "http_request_denied"),
    (Reason::HostRefused, "host_refused", 403, 7, "http_request_denied"),
    (Reason::OriginRefused, "origin_refused", 403, 7, "http_request_denied"),
    (Reason::UserRefused, "user_refused", 403, 7, "http_request_denied"),
    (Reason::RuleRefused, "rule_refused", 403, 7, "http_request_denied"),
    (Reason::TargetRefused, "target_refused", 421, 7, "http_request_denied"),
    (Reason::MethodRefused, "method_refused", 405, 12, "http_request_denied"),
    (Reason::TargetTooLong, "too_large", 414, 8, "http_request_error"),
    (Reason::HeadTooLarge, "too_large", 431, 8, "http_request_error"),
    (Reason::ClientTimeout, "client_timeout", 408, 4, "http_request_error"),
    (Reason::BadRequest, "bad_request", 400, 13, "http_request_error"),
    (Reason::CodingNotSupported, "not_supported", 501, 12, "http_request_error"),
    (Reason::VersionNotSupported, "not_supported", 505, 12, "http_request_error"),
    (Reason::Loop, "loop", 508, 13, "proxy_loop_detected"),
    (Reason::Internal, "internal", 500, 13, "proxy_internal_error"),
];

fn id(text: &str) -> RequestId {
    RequestId::of(&headers(&[("x-request-id", text)]))
}

type Pairs<'a> = &'a [(&'static str, &'a str)];

fn headers(pairs: Pairs<'_>) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        map.append(*name, HeaderValue::from_str(value).unwrap());
    }
    map
}

fn field<'a>(response: &'a Response<Bytes>, name: &str) -> &'a str {
    response
        .headers()
        .get(name)
        .map_or("", |value| value.to_str().unwrap())
}

fn text(response: &Response<Bytes>) -> &str {
    std::str::from_utf8(response.body()).unwrap()
}

#[test]
fn every_reason_has_the_name_the_status_and_the_error_type_of_the_contract() {
    assert_eq!(CONTRACT.map(|(reason, ..)| reason), Reason::ALL);
    for (reason, name, status, _, error) in CONTRACT {
        let response = ProblemResponse::new(reason, "why", &id("r-1")).response();
        assert_eq!(response.status(), status, "{name}");
        let proxy_status = format!("cupbearer; error={error}; details=\"{name}\"");
        assert_eq!(field(&response, "proxy-status"), proxy_status);
        assert_eq!((reason.name(), reason.proxy_error()), (name, error));
        assert!(!reason.title().is_empty(), "{name} has a title");
    }
}

#[test]
fn problem_details_hold_the_facts_and_are_never_cached() {
    let response =
        ProblemResponse::new(Reason::HostRefused, "Host \"x\" is not ours.", &id("r-1")).response();
    assert_eq!(
        text(&response),
        r#"{"type":"about:blank","title":"Forbidden","status":403,"detail":"Host \"x\" is not ours.","reason":"host_refused","request_id":"r-1"}"#
    );
    assert_eq!(field(&response, "content-type"), "application/problem+json");
    assert_eq!(field(&response, "cache-control"), "no-store");
    assert_eq!(field(&response, "x-content-type-options"), "nosniff");
    assert_eq!(field(&response, "x-request-id"), "r-1");
    assert_eq!(field(&response, "connection"), "");
}

#[test]
fn some_reasons_always_set_a_header_field() {
    let sent = |reason| ProblemResponse::new(reason, "", &id("r")).response();
    assert_eq!(field(&sent(Reason::Saturated), "retry-after"), "1");
    assert_eq!(field(&sent(Reason::Draining), "connection"), "close");
    let challenge = sent(Reason::CallerUnknown);
    assert_eq!(
        field(&challenge, "www-authenticate"),
        "Basic realm=\"cupbearer\", Bearer"
    );
    assert_eq!(field(&sent(Reason::Internal), "www-authenticate"), "");
}

#[test]
fn optional_fields_are_set_and_retry_after_is_in_whole_seconds() {
    let id = id("r");
    let seconds = |wait| {
        let answer = ProblemResponse {
            retry_after: Some(wait),
            ..ProblemResponse::new(Reason::TokenUnavailable, "", &id)
        };
        field(&answer.response(), "retry-after").to_owned()
    };
    assert_eq!(seconds(Duration::ZERO), "1");
    assert_eq!(seconds(Duration::from_secs(30)), "30");
    assert_eq!(seconds(Duration::from_millis(30_001)), "31");

    let answer = ProblemResponse {
        allow: Some("GET"),
        close: true,
        ..ProblemResponse::new(Reason::MethodRefused, "", &id)
    };
    assert_eq!(field(&answer.response(), "allow"), "GET");
    assert_eq!(field(&answer.response(), "connection"), "close");
}

#[test]
fn a_grpc_client_reads_status_and_message_in_fields_of_a_200() {
    let id = id("r-1");
    let format = ProblemFormat::Grpc("application/grpc");
    for (reason, name, _, status, error) in CONTRACT {
        let answer = ProblemResponse {
            format: &format,
            ..ProblemResponse::new(reason, "50 % of \"it\",\n\u{e4}.", &id)
        };
        let response = answer.response();
        assert_eq!(response.status(), 200, "{name}");
        assert_eq!(
            field(&response, "grpc-status"),
            status.to_string(),
            "{name}"
        );
        let message = "50 %25 of \"it\",%0A%C3%A4.";
        assert_eq!(field(&response, "grpc-message"), message);
        assert_eq!(field(&response, "content-type"), "application/grpc");
        let proxy_status = format!("cupbearer; error={error}; details=\"{name}\"");
        assert_eq!(field(&response, "proxy-status"), proxy_status);
        assert_eq!(field(&response, "x-request-id"), "r-1");
        assert!(response.body().is_empty());
    }
}

#[test]
fn a_post_with_a_media_type_of_grpc_is_a_call() {
    fn of_post(media_type: &str) -> ProblemFormat {
        let headers = headers(&[("content-type", media_type), ("accept", "text/html")]);
        ProblemFormat::preferred_by(&Method::POST, &headers)
    }
    for name in ["", "+proto", "+json", ";a=b", " ; a=b"] {
        let media_type = format!("application/grpc{name}");
        assert_eq!(
            of_post(&media_type),
            ProblemFormat::Grpc("application/grpc")
        );
        for web in ["application/grpc-web", "Application/gRPC-Web-Text"] {
            let media_type = format!("{web}{name}");
            assert_eq!(
                of_post(&media_type),
                ProblemFormat::Grpc("application/grpc-web")
            );
        }
    }
    for other in [
        "application/grpcx",
        "application/grpc-other",
        "application/json",
        "application/grp",
        "",
    ] {
        assert_eq!(of_post(other), ProblemFormat::Json, "{other}");
    }
    let headers = headers(&[("content-type", "application/grpc")]);
    let of_get = ProblemFormat::preferred_by(&Method::GET, &headers);
    assert_eq!(of_get, ProblemFormat::Json);
}

#[test]
fn a_page_has_no_script_and_cannot_be_framed() {
    let id = id("r-1");
    let answer = ProblemResponse {
        format: &ProblemFormat::Page,
        ..ProblemResponse::new(Reason::UpstreamDns, "No such name.", &id)
    };
    let response = answer.response();
    assert_eq!(response.status(), 502);
    assert_eq!(field(&response, "content-type"), "text/html; charset=utf-8");
    assert_eq!(
        field(&response, "content-security-policy"),
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    );
    assert_eq!(field(&response, "x-frame-options"), "DENY");
    assert_eq!(field(&response, "referrer-policy"), "no-referrer");
    assert_eq!(field(&response, "cache-control"), "no-store");
    assert_eq!(
        field(&response, "proxy-status"),
        "cupbearer; error=dns_error; details=\"upstream_dns\""
    );
    for part in ["502 Bad Gateway", "No such name.", "upstream_dns", "r-1"] {
        assert!(text(&response).contains(part), "{part}");
    }
    assert!(!text(&response).contains("href") && !text(&response).contains("<script"));
}

#[test]
fn a_client_that_navigates_or_prefers_html_gets_a_page() {
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let cases: [(Method, Pairs<'_>, ProblemFormat); 14] = [
        (
            Method::GET,
            &[("sec-fetch-mode", "navigate"), ("accept", "*/*")],
            ProblemFormat::Page,
        ),
        (
            Method::POST,
            &[("sec-fetch-mode", "navigate"), ("accept", browser)],
            ProblemFormat::Page,
        ),
        (
            Method::GET,
            &[("sec-fetch-mode", "cors"), ("accept", browser)],
            ProblemFormat::Json,
        ),
        (Method::GET, &[("accept", browser)], ProblemFormat::Page),
        (Method::POST, &[("accept", browser)], ProblemFormat::Json),
        (Method::GET, &[], ProblemFormat::Json),
        (Method::GET, &[("accept", "*/*")], ProblemFormat::Json),
        (
            Method::GET,
            &[("accept", "application/json")],
            ProblemFormat::Json,
        ),
        (
            Method::GET,
            &[("accept", "application/json, text/html;q=0.5")],
            ProblemFormat::Json,
        ),
        (
            Method::GET,
            &[("accept", "text/html, application/json")],
            ProblemFormat::Json,
        ),
        (
            Method::GET,
            &[("accept", "Text/HTML ; Q=0.9 , */* ; q=0.1")],
            ProblemFormat::Page,
        ),
        (
            Method::GET,
            &[("accept", "text/html;q=0")],
            ProblemFormat::Json,
        ),
        (
            Method::GET,
            &[("accept", "text/html;q=oops")],
            ProblemFormat::Json,
        ),
        (
            Method::GET,
            &[
                ("accept", "application/problem+json;q=0.9"),
                ("accept", "text/html"),
            ],
            ProblemFormat::Page,
        ),
    ];
    for (method, fields, expected) in cases {
        assert_eq!(
            ProblemFormat::preferred_by(&method, &headers(fields)),
            expected,
            "{method} {fields:?}"
        );
    }
}

/// Where the page's link leads in a browser that shows the page at our own address.
fn resolved(target: &str) -> url::Url {
    let id = id("r");
    let format = ProblemFormat::PageWithLink(target.to_owned());
    let answer = ProblemResponse {
        format: &format,
        ..ProblemResponse::new(Reason::OriginRefused, "", &id)
    };
    let page = answer.response();
    let (_, rest) = text(&page).split_once("href=\"").unwrap();
    let (reference, rest) = rest.split_once('"').unwrap();
    assert!(
        rest.starts_with(" rel=\"noreferrer\">"),
        "nothing in the target ends the attribute early"
    );
    assert!(!rest.contains("href"), "there is one link");
    let reference = ["&lt;<", "&gt;>", "&quot;\"", "&#39;'", "&amp;&"]
        .iter()
        .fold(reference.to_owned(), |text, pair| {
            let (entity, character) = pair.split_at(pair.len() - 1);
            text.replace(entity, character)
        });
    url::Url::parse("http://localhost:6749/somewhere/else?x")
        .unwrap()
        .join(&reference)
        .unwrap()
}

#[test]
fn the_link_leads_to_the_same_path_on_our_origin_whatever_the_path_is() {
    for (target, path) in [
        ("/docs", "/docs"),
        ("/a?b=c&d=%22", "/a?b=c&d=%22"),
        ("//evil.example/x", "//evil.example/x"),
        ("///evil.example", "///evil.example"),
        ("/\\evil.example", "/%5Cevil.example"),
        ("\\\\evil.example", "/%5C%5Cevil.example"),
        ("/javascript:alert(1)", "/javascript:alert(1)"),
        ("javascript:alert(1)", "/javascript:alert(1)"),
        ("/\"><script>", "/%22%3E%3Cscript%3E"),
        ("/a'onclick='b", "/a'onclick='b"),
        ("/&quot;", "/&quot;"),
        ("/\u{e4}", "/%C3%A4"),
    ] {
        assert_eq!(
            resolved(target).as_str(),
            format!("http://localhost:6749{path}")
        );
    }
}

proptest! {
    #[test]
    fn no_target_makes_the_link_leave_our_origin(target in ".{0,24}|[/\\\\.:@?a#%]{0,12}") {
        prop_assert_eq!(resolved(&target).origin().ascii_serialization(), "http://localhost:6749");
    }

    #[test]
    fn nothing_inserted_into_a_page_becomes_markup(detail in any::<String>(), target in any::<String>()) {
        let tags = |detail: &str, target: &str| {
            let (id, format) = (id("r"), ProblemFormat::PageWithLink(target.to_owned()));
            let page = ProblemResponse { format: &format, ..ProblemResponse::new(Reason::OriginRefused, detail, &id) }.response();
            page.body().iter().filter(|byte| b"<>\"'".contains(byte)).count()
        };
        prop_assert_eq!(tags(&detail, &target), tags("", "/"));
    }
}

#[test]
fn a_single_acceptable_request_id_is_kept() {
    let longest = "x".repeat(64);
    for name in ["a", "Az09._-", longest.as_str()] {
        assert_eq!(id(name).as_str(), name);
        assert_eq!(id(name).header(), name);
    }
}

#[test]
fn any_other_request_gets_a_new_id() {
    let too_long = "x".repeat(65);
    for name in ["", "a b", "a\"b", "a/b", "a\tb", too_long.as_str()] {
        let generated = id(name);
        assert_eq!(generated.as_str().len(), 16, "{name}");
        assert!(
            generated
                .as_str()
                .bytes()
                .all(|digit| b"0123456789abcdef".contains(&digit))
        );
    }
    assert_ne!(
        RequestId::of(&headers(&[("x-request-id", "a"), ("x-request-id", "a")])).as_str(),
        "a"
    );
    assert_ne!(RequestId::generate(), RequestId::generate());
}
