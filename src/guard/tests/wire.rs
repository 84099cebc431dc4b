//! What hyper's server makes of raw bytes before the guard sees them, in raw bytes.
//!
//! A row that fails after an update of hyper or http shows what the new release accepts.

use std::convert::Infallible;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::guard::tests::someone;
use crate::guard::*;
use crate::problem::RequestId;

/// The status, and the path and query that would be forwarded, or the reason of the rejection.
async fn exchange(raw: impl AsRef<[u8]>) -> (u16, String) {
    let (mut client, server) = tokio::io::duplex(256 * 1024);
    let connection =
        http1::Builder::new().serve_connection(TokioIo::new(server), service_fn(respond));
    let server = tokio::spawn(connection);
    client.write_all(raw.as_ref()).await.unwrap();
    let mut response = Vec::new();
    let _ = client.read_to_end(&mut response).await; // hyper may close right after its own rejection
    let _ = server.await.unwrap(); // a rejected head is an error of the connection
    let response = String::from_utf8_lossy(&response);
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), body.to_owned())
}

async fn respond(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let guard = Guard::new(&GuardConfig::default());
    let text = match guard.check(&request, &someone()) {
        Ok(_) => request.uri().path_and_query().unwrap().as_str().to_owned(),
        Err(rejection) => {
            let response = rejection.problem(&RequestId::generate()).response();
            let (mut parts, _) = response.into_parts();
            parts
                .headers
                .insert(header::CONNECTION, http::HeaderValue::from_static("close"));
            return Ok(Response::from_parts(
                parts,
                Full::from(rejection.reason.name()),
            ));
        }
    };
    Ok(Response::builder()
        .header("connection", "close")
        .body(Full::from(text))
        .unwrap())
}

async fn target(method: &str, target: impl AsRef<[u8]>) -> (u16, String) {
    let raw = [
        method.as_bytes(),
        b" ",
        target.as_ref(),
        b" HTTP/1.1\r\nHost: localhost:6749\r\n\r\n",
    ]
    .concat();
    exchange(raw).await
}

async fn with_fields(fields: &str) -> (u16, String) {
    exchange(format!(
        "POST / HTTP/1.1\r\nHost: localhost:6749\r\n{fields}\r\n\r\n0\r\n\r\n"
    ))
    .await
}

#[tokio::test]
async fn a_path_stays_byte_for_byte_what_was_sent() {
    for path in [
        "/",
        "//evil/x",
        "///evil",
        "//evil@x/",
        "/@evil",
        "/:1@evil",
        "/http://evil/",
        "/a//b/",
        "/a/../../b",
        "/./a",
        "/%2e%2e/%2F",
        "/a%0d%0aX:1",
        "/a;b=c",
        "/a?b=c?d&e=%zz",
        "/?",
        "/?//evil",
        "/a\\b",
        "/a|b",
        "/{a}",
        "/\"a\"",
        "/\u{e4}\u{1f37a}",
        "/a?\u{e4}",
        "/%00",
        "/*",
    ] {
        assert_eq!(target("GET", path).await, (200, path.to_owned()));
    }
}

#[tokio::test]
async fn a_target_that_is_not_a_path_is_rejected() {
    for (method, form, status, reason) in [
        ("GET", "http://evil/", 421, "target_refused"),
        ("GET", "http://evil", 421, "target_refused"),
        ("GET", "http://localhost:6749@evil/", 421, "target_refused"),
        ("GET", "http://evil@localhost:6749/", 421, "target_refused"),
        ("GET", "https://localhost:6749/", 421, "target_refused"),
        ("GET", "http://localhost:1/", 421, "target_refused"),
        ("GET", "evil.example", 400, "bad_request"),
        ("GET", "evil.example:80", 400, "bad_request"),
        ("GET", "*", 400, "bad_request"),
        ("OPTIONS", "*", 400, "bad_request"),
        ("GET", "a", 400, "bad_request"),
        ("CONNECT", "evil.example:443", 405, "method_refused"),
        ("CONNECT", "/", 405, "method_refused"),
        ("TRACE", "/", 405, "method_refused"),
        ("TRACK", "/", 405, "method_refused"),
    ] {
        assert_eq!(
            target(method, form).await,
            (status, reason.to_owned()),
            "{method} {form}"
        );
    }
    assert_eq!(
        target("GET", "http://localhost:6749/x?y").await,
        (200, "/x?y".to_owned())
    );
}

#[tokio::test]
async fn hyper_itself_rejects_malformed_targets() {
    for form in [
        "@evil",
        ":1@evil",
        "?x",
        "http://",
        "http:///x",
        "/a b",
        "/<",
        "/`",
        "/^\u{7f}\x00",
        "foo/bar",
        "..",
        "javascript:1",
    ] {
        let (status, _) = target("GET", form).await;
        assert_eq!(status, 400, "{form}");
    }
    assert_eq!(target("GET", b"/\xff").await.0, 400, "not UTF-8");
    assert_eq!(
        target("GET", format!("/{}", "a".repeat(70_000))).await.0,
        414
    );
}

/// The `http` crate removes a fragment, so the path is forwarded without it.
#[tokio::test]
async fn a_fragment_never_reaches_the_guard() {
    assert_eq!(target("GET", "/a#b").await, (200, "/a".to_owned()));
    assert_eq!(target("GET", "/a?b#//evil").await, (200, "/a?b".to_owned()));
}

#[tokio::test]
async fn invalid_hosts_that_hyper_accepts_are_rejected() {
    let (malformed, foreign) = ((400, "bad_request"), (403, "host_refused"));
    for (fields, old, new) in [
        ("", foreign, malformed),
        ("Host:\r\n", foreign, foreign),
        ("Host: a@localhost\r\n", malformed, malformed),
        (
            "Host: localhost\r\nHost: localhost\r\n",
            malformed,
            malformed,
        ),
        ("Host: localhost\r\nhost: evil\r\n", malformed, malformed),
    ] {
        for (version, expected) in [("1.0", old), ("1.1", new)] {
            let response = exchange(format!("GET / HTTP/{version}\r\n{fields}\r\n")).await;
            let response = (response.0, response.1.as_str());
            assert_eq!(response, expected, "{fields:?} {version}");
        }
    }
    assert_eq!(
        exchange("GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
            .await
            .0,
        200
    );
}

#[tokio::test]
async fn ambiguous_framing_that_hyper_accepts_is_rejected() {
    for fields in [
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\nTransfer-Encoding: chunked",
    ] {
        assert_eq!(
            with_fields(fields).await,
            (400, "bad_request".to_owned()),
            "{fields:?}"
        );
    }
    for codings in ["gzip, chunked", "x;a=b ,identity,\tChunked"] {
        assert_eq!(
            with_fields(&format!("Transfer-Encoding: {codings}")).await,
            (501, "not_supported".to_owned()),
            "{codings}"
        );
    }
    assert_eq!(with_fields("Transfer-Encoding: \tCHUNKED ").await.0, 200);
    assert_eq!(with_fields("Content-Length: 005").await.0, 200);
}

#[tokio::test]
async fn hyper_itself_rejects_invalid_framing() {
    for fields in [
        "Transfer-Encoding: identity",
        "Transfer-Encoding: chunked, gzip",
        "Transfer-Encoding:",
        "Transfer-Encoding: xchunked",
        "Content-Length: +5",
        "Content-Length: -5",
        "Content-Length: 5, 5",
        "Content-Length: 5 5",
        "Content-Length:",
        "Content-Length: 0x5",
        "Content-Length: 99999999999999999999",
        "Content-Length: 5\r\nContent-Length: 6",
        "Transfer-Encoding : chunked",
        "A: b\r\n c",
        "A: b\rc",
        "A: b\0c",
        "A\0: b",
        "A b: c",
        "A(: b",
        ": b",
        "A",
    ] {
        let (status, body) = with_fields(fields).await;
        assert_eq!((status, body.as_str()), (400, ""), "{fields:?}");
    }
    for version in ["0.9", "1.2", "2.0"] {
        assert_ne!(
            exchange(format!("GET / HTTP/{version}\r\nHost: localhost\r\n\r\n"))
                .await
                .0,
            200,
            "{version}"
        );
    }
    let old = "POST / HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    assert_eq!(exchange(old).await, (400, String::new()));
}

/// hyper resolves these before the guard sees them: a coding wins over a length, and equal lengths become one. The
/// conflict cannot be forwarded, because nothing of it is left.
#[tokio::test]
async fn conflicting_lengths_that_hyper_resolves_are_unambiguous() {
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 5",
    ] {
        assert_eq!(with_fields(fields).await.0, 200, "{fields:?}");
    }
}

/// hyper accepts a bare LF as the end of a line, which RFC 9112 section 2.2 permits. The guard checks a field after one
/// like any other, and it is forwarded with CR LF, if at all.
#[tokio::test]
async fn a_field_after_a_bare_line_feed_is_checked_like_any_other() {
    let response = exchange("GET /x HTTP/1.1\nHost: localhost\n\n").await;
    assert_eq!(response, (200, "/x".to_owned()));
    let response = with_fields("A: b\nTransfer-Encoding: gzip, chunked").await;
    assert_eq!(response, (501, "not_supported".to_owned()));
    let response = exchange("GET / HTTP/1.1\r\nA: b\nHost: localhost\r\nHost: evil\r\n\r\n").await;
    assert_eq!(response, (400, "bad_request".to_owned()));
}
