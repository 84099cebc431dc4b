use super::*;

const OURS: (&str, &str) = ("host", "localhost:6749");
const NAMES_HERE: (&str, &str) = ("connection", "x-nominated");

fn template() -> RequestTemplate {
    RequestTemplate {
        host: HeaderValue::from_static("api.example"),
        origin: "https://api.example".to_owned(),
        fixed: vec![(
            HeaderName::from_static("x-fixed"),
            HeaderValue::from_static("ours"),
        )],
        token_field: header::AUTHORIZATION,
        replaced: vec![HeaderName::from_static("x-fixed")],
        keeps_authorization: false,
        token_scheme: b"Bearer".to_vec(),
        forwards_browser_cookies: false,
        via: None,
    }
}

fn head(fields: &[(&'static str, &'static str)]) -> RequestHead {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(*name, HeaderValue::from_static(value));
    }
    RequestHead {
        method: Method::GET,
        path: PathAndQuery::from_static("/"),
        headers,
        request_id: HeaderValue::from_static("7"),
        scheme: OwnScheme::Http,
        version: Version::HTTP_11,
        has_no_body: true,
        on_upgrade: None,
        upload_counter: None,
        lease: None,
        has_zero_length: false,
        is_for_document: false,
    }
}

fn bearer() -> Bearer {
    Bearer {
        header: HeaderValue::from_static("Bearer abc"),
        generation: 1,
        session: crate::token::PersonSession::default(),
        at: tokio::time::Instant::now(),
    }
}

/// The lines of a field as they are sent.
fn sent(template: &RequestTemplate, head: &RequestHead, name: &str) -> Vec<String> {
    let headers = template.headers(head, &bearer());
    let lines = headers.get_all(name).iter();
    lines
        .map(|line| line.to_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_request_for_a_document_asks_for_all_of_it_whatever_the_spelling_and_whatever_connection_names()
{
    for fields in [
        &[("accept-encoding", "gzip"), ("if-none-match", "x")][..],
        &[("accept_encoding", "gzip"), ("if_none_match", "x")],
        &[("connection", "accept-encoding"), ("accept-encoding", "br")],
        &[("connection", "accept_encoding"), ("range", "bytes=0-3")],
    ] {
        let mut head = head(fields);
        head.ask_for_whole_document();
        let sent = template().headers(&head, &bearer());
        assert_eq!(sent["accept-encoding"], "identity", "{fields:?}");
        for gone in ["accept_encoding", "if-none-match", "if_none_match", "range"] {
            assert!(!sent.contains_key(gone), "{gone} after {fields:?}");
        }
    }
}

#[test]
fn each_field_of_a_request_is_forwarded_removed_or_ours() {
    for (fields, name, expected) in [
        (&[][..], "host", &["api.example"][..]),
        (
            &[("accept", "*/*"), ("accept", "a/b")],
            "accept",
            &["*/*", "a/b"],
        ),
        (&[("user-agent", "x")], "user-agent", &["x"]),
        (&[("x-other", "x")], "x-other", &["x"]),
        (
            &[("authorization", "Basic x")],
            "authorization",
            &["Bearer abc"],
        ),
        (&[("proxy-authorization", "x")], "proxy-authorization", &[]),
        (&[("keep-alive", "timeout=5")], "keep-alive", &[]),
        (&[("x_forwarded_for", "::1")], "x_forwarded_for", &[]),
        (&[("x-fixed", "theirs")], "x-fixed", &["ours"]),
        (&[("x_fixed", "theirs")], "x_fixed", &[]),
        (&[NAMES_HERE, ("x-nominated", "x")], "x-nominated", &[]),
        (&[NAMES_HERE, ("x-other", "x")], "connection", &[]),
        (
            &[("connection", "x-request-id"), ("x-request-id", "8")],
            "x-request-id",
            &["7"],
        ),
        (
            &[("x-request-id", "8"), ("x-request-id", "9")],
            "x-request-id",
            &["7"],
        ),
        (&[("x_request_id", "8")], "x_request_id", &[]),
        (&[("expect", "100-continue")], "expect", &[]),
        (&[("te", "deflate, Trailers")], "te", &["trailers"]),
        (&[("te", "deflate, Trailers")], "connection", &["te"]),
        (&[("te", "deflate")], "te", &[]),
        (&[("te", "deflate")], "connection", &[]),
        (
            &[NAMES_HERE, ("trailer", "x-sum, te, x-nominated, x-fixed")],
            "trailer",
            &["x-sum"],
        ),
        (
            &[OURS, ("origin", "http://localhost:6749")],
            "origin",
            &["https://api.example"],
        ),
        (
            &[OURS, ("referer", "http://localhost:6749/a")],
            "referer",
            &["https://api.example/a"],
        ),
        (
            &[OURS, ("origin", "https://tool.example")],
            "origin",
            &["https://tool.example"],
        ),
        (
            &[("host", ""), ("origin", "http://")],
            "origin",
            &["http://"],
        ),
    ] {
        let lines = sent(&template(), &head(fields), name);
        assert_eq!(lines, expected, "{name} of {fields:?}");
    }
}

/// The token goes in `X-Api-Key`, alone or with the caller's own `Authorization`.
fn with_key_field(keeps_authorization: bool) -> RequestTemplate {
    RequestTemplate {
        token_field: HeaderName::from_static("x-api-key"),
        replaced: vec![
            HeaderName::from_static("x-fixed"),
            HeaderName::from_static("x-api-key"),
        ],
        keeps_authorization,
        ..template()
    }
}

#[test]
fn the_token_is_sent_in_its_own_field_whatever_the_client_says_about_that_field() {
    for fields in [
        &[][..],
        &[("x-api-key", "theirs"), ("x-api-key", "theirs")],
        &[("x_api_key", "theirs"), ("x_api-key", "theirs")],
        &[("connection", "x-api-key"), ("x-api-key", "theirs")],
        &[("trailer", "x-api-key, x_api_key")],
    ] {
        let (template, head) = (with_key_field(false), head(fields));
        assert_eq!(sent(&template, &head, "x-api-key"), ["Bearer abc"]);
        for gone in ["x_api_key", "x_api-key", "trailer", "authorization"] {
            assert_eq!(
                sent(&template, &head, gone),
                [""; 0],
                "{gone} of {fields:?}"
            );
        }
    }
}

#[test]
fn the_clients_authorization_is_forwarded_only_if_that_is_configured() {
    let own = ("authorization", "Digest a");
    for (template, fields, expected) in [
        (with_key_field(false), &[own][..], &[][..]),
        (with_key_field(true), &[own], &["Digest a"]),
        (
            with_key_field(true),
            &[own, ("authorization", "b")],
            &["Digest a", "b"],
        ),
        (
            with_key_field(true),
            &[own, ("connection", "authorization")],
            &[],
        ),
    ] {
        let head = head(fields);
        assert_eq!(sent(&template, &head, "authorization"), expected);
        assert_eq!(sent(&template, &head, "x-api-key"), ["Bearer abc"]);
    }
}

#[test]
fn a_newer_token_replaces_the_one_that_the_request_carries() {
    for template in [template(), with_key_field(true)] {
        let mut headers = template.headers(&head(&[]), &bearer());
        let newer = Bearer {
            header: HeaderValue::from_static("Bearer newer"),
            ..bearer()
        };
        template.attach(&mut headers, &newer);
        assert_eq!(headers[&template.token_field], "Bearer newer");
        assert_eq!(headers.get_all(&template.token_field).iter().count(), 1);
    }
}

#[test]
fn the_cookies_of_a_browser_are_forwarded_only_if_that_is_configured() {
    let cookie = ("cookie", "a=b");
    let mut forwarding = template();
    forwarding.forwards_browser_cookies = true;
    assert_eq!(sent(&template(), &head(&[cookie]), "cookie"), ["a=b"]);
    for sign in ["sec-fetch-site", "sec-fetch-mode", "origin"] {
        let head = head(&[cookie, (sign, "none")]);
        assert_eq!(sent(&template(), &head, "cookie"), [""; 0], "{sign}");
        assert_eq!(sent(&forwarding, &head, "cookie"), ["a=b"], "{sign}");
    }
}

#[test]
fn what_a_request_says_about_its_body_is_kept() {
    let mut with_body = head(&[("expect", "100-continue")]);
    with_body.has_no_body = false;
    assert_eq!(sent(&template(), &with_body, "expect"), ["100-continue"]);
    assert_eq!(sent(&template(), &with_body, "content-length"), [""; 0]);
    let mut empty = head(&[]);
    empty.has_zero_length = true;
    assert_eq!(sent(&template(), &empty, "content-length"), ["0"]);
}

#[test]
fn only_a_safe_request_without_a_body_is_sent_once_more() {
    for (method, has_no_body, expected) in [
        (Method::GET, true, true),
        (Method::HEAD, true, true),
        (Method::GET, false, false),
        (Method::POST, true, false),
        (Method::DELETE, true, false),
    ] {
        let mut head = head(&[]);
        (head.method, head.has_no_body) = (method, has_no_body);
        let retry = template().retry(&head, &bearer());
        assert_eq!(retry.is_some(), expected, "{}", head.method);
    }
}

#[test]
fn a_target_is_a_path_even_if_the_request_names_none() {
    for (uri, expected) in [
        ("/", "/"),
        ("/a?b=c", "/a?b=c"),
        ("http://localhost", "/"),
        ("http://localhost/a", "/a"),
        ("http://localhost#a", "/"),
    ] {
        assert_eq!(target_of(uri.parse().unwrap()), expected, "{uri}");
    }
}
