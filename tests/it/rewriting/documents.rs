//! `OpenAPI` documents through the proxy: rewritten if they name the upstream, otherwise byte for byte.

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::scene::{BROKEN_OFF, Scene, Scripted, exchange, lines_of};

const DOCUMENT: &str = r#"{ "openapi":"3.1.0", "servers":[{"url":"http://@UPSTREAM@/v1"}] }"#;

/// Fields that a client may send and that must not reach the upstream with a request for a document.
const PARTIAL: [&str; 6] = [
    "Range: bytes=0-3",
    "If-None-Match: \"1\"",
    "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT",
    "If-Range: \"1\"",
    "If-Match: *",
    "If-Unmodified-Since: Fri, 01 Jan 2100 00:00:00 GMT",
];

const VALIDATORS: &str = "ETag: \"1\"\nLast-Modified: Fri, 02 Jan 2026 00:00:00 GMT\nDigest: sha-256=a\n\
                          Content-Digest: a=:a:\nRepr-Digest: a=:a:\nContent-MD5: a\nCache-Control: max-age=9";

/// An upstream with one response, and the proxy in front of it.
async fn with(status: &'static str, fields: &'static str, body: Vec<u8>) -> Scene {
    let upstream = Scripted::start(move |own| {
        let text = String::from_utf8(body.clone());
        let body = text.map_or(body.clone(), |text| text.replace("@UPSTREAM@", own).into());
        let fields = fields.replace('\n', "\r\n");
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\n{fields}\r\nContent-Length: {length}\r\n\r\n");
        [head.as_bytes(), &body].concat()
    })
    .await;
    Scene::before(upstream, "").await
}

fn body_of(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

fn named(document: &str, authority: &str) -> String {
    document.replace("@UPSTREAM@", authority)
}

#[tokio::test]
async fn the_servers_of_a_document_become_the_address_that_the_client_used() {
    let scene = with("200 OK", "Content-Type: application/json", DOCUMENT.into()).await;
    for client in ["localhost", "127.0.0.1:9000", "[::1]:6749"] {
        let request = format!(
            "GET /api/openapi.json?a HTTP/1.1\r\nHost: {client}\r\nConnection: close\r\n\r\n"
        );
        let answer = exchange(&scene.proxy, request.as_bytes()).await;
        let expected = named(DOCUMENT, client);
        assert_eq!(body_of(&answer), expected);
        assert_eq!(
            lines_of(&answer, "content-length"),
            [expected.len().to_string()]
        );
    }
}

#[tokio::test]
async fn a_document_that_answers_an_upgrade_is_rewritten() {
    let scene = with("200 OK", "Content-Type: application/json", DOCUMENT.into()).await;
    let request = "GET /openapi.json\nConnection: upgrade\nUpgrade: websocket";
    let answer = scene.get(request).await;
    assert_eq!(body_of(&answer), named(DOCUMENT, &scene.proxy));
}

#[tokio::test]
async fn the_whole_document_is_requested_without_compression_and_its_validators_are_removed() {
    let fields: &'static str =
        format!("Content-Type: application/vnd.oai.openapi+json; version=3\n{VALIDATORS}").leak();
    let scene = with("200 OK", fields, DOCUMENT.into()).await;
    let asked = PARTIAL.join("\n");

    let answer = scene
        .get(&format!(
            "GET /v3/api-docs\nAccept-Encoding: gzip, br\n{asked}"
        ))
        .await;

    let seen = &scene.upstream.seen()[0];
    assert_eq!(lines_of(seen, "accept-encoding"), ["identity"]);
    for field in PARTIAL {
        let name = field.split(':').next().unwrap();
        assert_eq!(lines_of(seen, name), [""; 0], "{name}");
    }
    for field in VALIDATORS.lines().filter(|line| !line.starts_with("Cache")) {
        let name = field.split(':').next().unwrap();
        assert_eq!(lines_of(&answer, name), [""; 0], "{name}");
    }
    assert_eq!(lines_of(&answer, "cache-control"), ["no-store"]);
    assert_eq!(body_of(&answer), named(DOCUMENT, &scene.proxy));
}

#[tokio::test]
async fn every_other_response_at_the_same_path_is_forwarded_byte_for_byte() {
    for (status, kind, body) in [
        (
            "200 OK",
            "Content-Type: application/json\nETag: \"1\"",
            r#"{"openapi":"3.1.0","servers":[{"url":"/v1"}]}"#,
        ),
        (
            "200 OK",
            "Content-Type: application/json\nETag: \"1\"",
            r#"{"servers":[{"url":"http://@UPSTREAM@"}]}"#,
        ),
        (
            "200 OK",
            "Content-Type: application/json\nETag: \"1\"",
            r#"{"openapi":"3.1.0","servers":[{"url":"http://@UPSTREAM@"}]"#,
        ),
        ("200 OK", "Content-Type: text/html\nETag: \"1\"", DOCUMENT),
        (
            "200 OK",
            "Content-Type: application/json-seq\nETag: \"1\"",
            DOCUMENT,
        ),
        (
            "200 OK",
            "Content-Type: application/json\nETag: \"1\"\nContent-Encoding: gzip",
            DOCUMENT,
        ),
        (
            "404 Not Found",
            "Content-Type: application/json\nETag: \"1\"",
            DOCUMENT,
        ),
        (
            "203 Transformed",
            "Content-Type: application/json\nETag: \"1\"",
            DOCUMENT,
        ),
        ("200 OK", "Content-Type: application/json\nETag: \"1\"", ""),
    ] {
        let scene = with(status, kind, body.into()).await;
        let answer = scene.get("GET /openapi.json").await;
        let expected = named(body, &scene.upstream.authority);
        assert_eq!(body_of(&answer), expected, "{status} {kind}");
        assert_eq!(lines_of(&answer, "etag"), ["\"1\""], "{status} {kind}");
        assert_eq!(
            lines_of(&answer, "content-length"),
            [expected.len().to_string()]
        );
        assert_eq!(lines_of(&answer, "cache-control"), [""; 0]);
    }
}

#[tokio::test]
async fn a_body_that_is_not_text_is_forwarded_byte_for_byte() {
    let body = [
        b"{\"openapi\":\"\xff\xfe\"}".as_slice(),
        &[0, 159, 146, 150],
    ]
    .concat();
    let expected = String::from_utf8_lossy(&body).into_owned();
    let scene = with("200 OK", "Content-Type: application/json", body).await;
    assert_eq!(body_of(&scene.get("GET /openapi.json").await), expected);
}

#[tokio::test]
async fn requests_with_other_paths_and_methods_are_not_changed() {
    let scene = with(
        "200 OK",
        "Content-Type: application/json\nETag: \"1\"",
        DOCUMENT.into(),
    )
    .await;
    for request in [
        "GET /openapi.yaml",
        "GET /openapi.json/x",
        "POST /openapi.json\nContent-Length: 0",
    ] {
        let answer = scene
            .get(&format!("{request}\nRange: bytes=0-3\nAccept-Encoding: br"))
            .await;
        assert_eq!(
            body_of(&answer),
            named(DOCUMENT, &scene.upstream.authority),
            "{request}"
        );
        assert_eq!(lines_of(&answer, "etag"), ["\"1\""]);
        let seen = scene.upstream.seen().pop().unwrap();
        assert_eq!(lines_of(&seen, "range"), ["bytes=0-3"]);
        assert_eq!(lines_of(&seen, "accept-encoding"), ["br"]);
    }
}

#[tokio::test]
async fn a_head_request_for_a_document_is_not_changed() {
    let scene = with(
        "200 OK",
        "Content-Type: application/json\nETag: \"1\"",
        Vec::new(),
    )
    .await;
    let answer = scene.get("HEAD /openapi.json\nIf-None-Match: \"2\"").await;
    assert_eq!(lines_of(&answer, "etag"), ["\"1\""]);
    assert_eq!(
        lines_of(&scene.upstream.seen()[0], "if-none-match"),
        ["\"2\""]
    );
}

#[tokio::test]
async fn a_document_above_8_mib_is_streamed_unchanged_with_or_without_a_length() {
    let long = DOCUMENT.replace("3.1.0", &"x".repeat(9 << 20));
    let said = with(
        "200 OK",
        "Content-Type: application/json",
        long.clone().into(),
    )
    .await;
    let answer = said.get("GET /openapi.json").await;
    assert!(body_of(&answer) == named(&long, &said.upstream.authority));

    let unsaid = Scripted::start(move |own| {
        let body = named(&long, own);
        let (first, second) = body.split_at(body.len() / 2);
        let chunks = [first, second].map(|part| format!("{:x}\r\n{part}\r\n", part.len())).concat();
        format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n").into()
    })
    .await;
    let scene = Scene::before(unsaid, "").await;
    // HTTP/1.0, so that the body ends with the connection and is not chunked.
    let request = "GET /openapi.json HTTP/1.0\r\nHost: localhost\r\n\r\n";
    let answer = exchange(&scene.proxy, request.as_bytes()).await;
    let expected = named(
        &DOCUMENT.replace("3.1.0", &"x".repeat(9 << 20)),
        &scene.upstream.authority,
    );
    assert_eq!(body_of(&answer).len(), expected.len());
    assert!(body_of(&answer) == expected);
}

#[tokio::test]
async fn the_client_sees_that_an_aborted_document_is_incomplete() {
    let upstream = Scripted::start(|_| {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nc\r\n";
        [head.as_bytes(), BROKEN_OFF].concat()
    })
    .await;
    let scene = Scene::before(upstream, "").await;
    // What had arrived may be lost with the connection, but it must not end cleanly.
    let answer = scene.get("GET /openapi.json").await;
    assert!(
        !answer.contains("0\r\n\r\n") && !answer.contains("content-length"),
        "{answer}"
    );
}

/// An upstream with a document of `bytes` or slightly more, and the proxy in front of it.
async fn with_long_document(bytes: usize, more: &str) -> Scene {
    let upstream = Scripted::start(move |own| {
        let body = named(&DOCUMENT.replace("3.1.0", &"x".repeat(bytes)), own);
        let length = body.len();
        format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}").into()
    })
    .await;
    Scene::before(upstream, more).await
}

#[tokio::test]
async fn a_document_that_does_not_fit_in_the_memory_is_forwarded_byte_for_byte() {
    for (bytes, is_rewritten) in [(2 << 20, false), (500_000, true)] {
        let scene = with_long_document(bytes, "openapi_memory = \"1MiB\"").await;
        let answer = scene.get("GET /openapi.json").await;
        let authority = if is_rewritten {
            &scene.proxy
        } else {
            &scene.upstream.authority
        };
        let url = format!("\"url\":\"http://{authority}/v1\"");
        assert!(
            body_of(&answer).ends_with(&format!("{url}}}] }}")),
            "{bytes}"
        );
    }
}

/// They hold one copy: two would not fit.
#[tokio::test]
async fn any_number_of_clients_that_do_not_read_leave_the_memory_for_others() {
    let scene = with_long_document(7 << 20, "openapi_memory = \"16MiB\"").await;
    let request = format!(
        "GET /openapi.json HTTP/1.1\r\nHost: {}\r\n\r\n",
        scene.proxy
    );
    let mut waiting = Vec::new();
    for _ in 0..5 {
        let mut client = TcpStream::connect(&scene.proxy).await.unwrap();
        client.write_all(request.as_bytes()).await.unwrap();
        client.readable().await.unwrap();
        waiting.push(client);
    }
    let answer = scene.get("GET /openapi.json").await;
    let url = format!("\"url\":\"http://{}/v1\"}}] }}", scene.proxy);
    assert!(body_of(&answer).ends_with(&url));
}

#[tokio::test]
async fn the_paths_of_documents_come_from_the_configuration() {
    let upstream = Scripted::start(|own| {
        let body = named(DOCUMENT, own);
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into()
    })
    .await;
    let scene = Scene::before(upstream, "openapi = [\"/spec/*\"]").await;
    let ours = named(DOCUMENT, &scene.proxy);
    assert_eq!(body_of(&scene.get("GET /spec/v1").await), ours);
    assert_ne!(body_of(&scene.get("GET /openapi.json").await), ours);
}
