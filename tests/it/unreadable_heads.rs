//! Requests whose head cannot be read: the response says that it is cupbearer's, what is wrong and where, and the
//! request is logged and counted with what could be read.

use crate::support::{
    Answer, Binary, Client, Config, Proxy, SECRET, Upstream, ask, get, many_fields, token_answer,
    until,
};

/// The problem details say so as well as the fields, and the connection closes.
fn assert_is_ours(answer: &Answer, status: u16, reason: &str, detail: &str) {
    assert_eq!(answer.outcome(), (status, reason.to_owned()), "{answer:?}");
    let proxy_status = format!("cupbearer; error=http_request_error; details=\"{reason}\"");
    assert_eq!(answer.field("proxy-status"), Some(proxy_status.as_str()));
    assert_eq!(answer.field("connection"), Some("close"));
    let problem: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(problem["request_id"].as_str(), answer.field("x-request-id"));
    assert_eq!(problem["status"], status);
    let said = problem["detail"].as_str().unwrap();
    assert!(said.contains(detail), "{said}");
}

fn with_fields(fields: &str) -> String {
    format!("GET /path?secret HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n")
}

/// What is sent, the status, the reason, a part of the detail.
type Unreadable = (String, u16, &'static str, &'static str);

fn unreadable() -> Vec<Unreadable> {
    let mut all = unreadable_lines();
    all.extend(unreadable_fields());
    all
}

fn unreadable_lines() -> Vec<Unreadable> {
    let target = |target: &str| get(target);
    let line = |line: &str| format!("{line}\r\nHost: localhost\r\n\r\n");
    let (bad, large, other) = ("bad_request", "too_large", "not_supported");
    vec![
        (
            target(r#"/path?filter={"name":"x"}"#),
            400,
            bad,
            r#"byte 15 of the request target: "\"""#,
        ),
        (target("/path?a<b"), 400, bad, "Send that byte as %3C"),
        (
            target("/pa`th"),
            400,
            bad,
            r#"byte 4 of the request target: "`""#,
        ),
        (target("/pa th"), 400, bad, "Send that byte as %20"),
        (
            target("http://local<host/path"),
            400,
            bad,
            "the host in the request target",
        ),
        (
            line("GET /path http/1.1"),
            400,
            bad,
            "does not end with HTTP/1.1",
        ),
        (line("GET /path"), 400, bad, "does not end with HTTP/1.1"),
        (
            line("GET /path HTTP/1.2"),
            505,
            other,
            "HTTP/1.2 is not supported",
        ),
        (
            line("GET /path HTTP/2.0"),
            505,
            other,
            "HTTP/2.0 is not supported",
        ),
        (
            "PRI * HTTP/2.0\r\nHost: localhost\r\n\r\n".to_owned(),
            505,
            other,
            "HTTP/2.0 is not supported",
        ),
        (
            target(&format!("/path?{}", "y".repeat(70_000))),
            431,
            large,
            "limits.header_bytes",
        ),
    ]
}

fn unreadable_fields() -> Vec<Unreadable> {
    let (bad, large) = ("bad_request", "too_large");
    vec![
        (
            with_fields("A: b\r\n folded\r\n"),
            400,
            bad,
            "field 3 is folded",
        ),
        (
            with_fields("no colon\r\n"),
            400,
            bad,
            "field 2 has no colon",
        ),
        (
            with_fields("A B: c\r\n"),
            400,
            bad,
            r#"byte 2 of the name of field 2: " ""#,
        ),
        (
            with_fields("A: b\0\r\n"),
            400,
            bad,
            r#"byte 3 of the value of field 2: "\u{0}""#,
        ),
        (
            with_fields("A: b\n"),
            400,
            bad,
            "a line feed but no carriage return",
        ),
        (
            with_fields("Content-Length: 5, 5\r\n"),
            400,
            bad,
            "Content-Length is not a plain",
        ),
        (
            with_fields("Transfer-Encoding: gzip\r\n"),
            400,
            bad,
            "Transfer-Encoding does not end",
        ),
        (
            with_fields(&many_fields(104, "y")),
            431,
            large,
            "too many fields (105, at most 100)",
        ),
        (
            with_fields(&many_fields(70, &"y".repeat(1000))),
            431,
            large,
            "limits.header_bytes",
        ),
    ]
}

#[tokio::test]
async fn each_is_answered_by_cupbearer_with_what_is_wrong_and_where() {
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::before(&upstream).await;
    for (request, status, reason, detail) in unreadable() {
        let mut client = Client::connect(proxy.address).await;
        client.send(&request).await;
        assert_is_ours(&client.answer().await, status, reason, detail);
        assert!(
            client.rest().await.is_empty(),
            "nothing follows: {request:?}"
        );
    }
    let journal = proxy.running.metrics.recent();
    assert_eq!(journal.len(), unreadable().len());
    for (entry, (request, status, reason, _)) in journal.iter().zip(unreadable()) {
        assert_eq!(
            (entry.status, entry.reason),
            (Some(status), Some(reason)),
            "{request:?}"
        );
        assert!(entry.path().is_empty() || !entry.path().contains("secret"));
        if request.starts_with("GET /path") {
            assert_eq!(
                (entry.method.as_str(), entry.path()),
                ("GET", "/path"),
                "{request:?}"
            );
        }
    }
    assert_eq!(upstream.seen_count(), 0);
}

#[tokio::test]
async fn a_target_that_is_too_long_for_the_http_library_is_a_414() {
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::with(&upstream.url(), &[("limits.header_bytes", "1MiB")]).await;
    let answer = ask(proxy.address, get(&format!("/{}", "y".repeat(66_000)))).await;
    assert_is_ours(&answer, 414, "too_large", "longer than 65534 bytes");
}

/// The response to the request before it is complete, and comes first.
#[tokio::test]
async fn pipelined_responses_keep_their_order() {
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::before(&upstream).await;
    for (request, status, reason, detail) in unreadable() {
        let mut client = Client::connect(proxy.address).await;
        let before = "POST /first HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi";
        client
            .send(format!("{before}{}{request}", get("/second")))
            .await;
        assert_eq!(client.answer().await.text(), "/first");
        assert_eq!(client.answer().await.text(), "/second");
        assert_is_ours(&client.answer().await, status, reason, detail);
        assert!(client.rest().await.is_empty());
    }
}

/// A body of the API that ends like the response of the HTTP library to a malformed head.
#[tokio::test]
async fn a_body_that_looks_like_the_librarys_own_response_arrives_whole() {
    let body = "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let upstream = Upstream::answering(crate::support::answer("200 OK", "", body)).await;
    let proxy = Proxy::before(&upstream).await;
    let mut client = Client::connect(proxy.address).await;
    for _ in 0..3 {
        client.send(get("/")).await;
        assert_eq!(client.answer().await.text(), body);
    }
    client.send(format!("{}{}", get("/"), get("/"))).await;
    for _ in 0..2 {
        assert_eq!(client.answer().await.text(), body);
    }
    client
        .send(get("/").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"))
        .await;
    assert_eq!(client.answer().await.text(), body);
    assert!(client.rest().await.is_empty());
}

#[tokio::test]
async fn a_response_to_an_unreadable_head_has_no_body_if_the_method_is_head() {
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::before(&upstream).await;
    let mut client = Client::connect(proxy.address).await;
    client
        .send("HEAD /a<b HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    assert_eq!(client.head_answer().await.status, 400);
    assert!(client.rest().await.is_empty());
}

#[tokio::test]
async fn the_page_and_the_id_of_the_caller_are_kept_where_the_head_can_still_be_read() {
    let upstream = Upstream::echoing().await;
    let settings = [("guard.origins", r#"["http://tool.example"]"#)];
    let proxy = Proxy::with(&upstream.url(), &settings).await;
    let fields = "Origin: http://tool.example\r\nX-Request-Id: mine\r\nbroken\r\n";
    let answer = ask(proxy.address, with_fields(fields)).await;
    assert_is_ours(&answer, 400, "bad_request", "field 4 has no colon");
    let origin = answer.field("access-control-allow-origin");
    assert_eq!(origin, Some("http://tool.example"));
    assert_eq!(answer.field("x-request-id"), Some("mine"));
    let fields = "Accept: text/html\r\nbroken\r\n";
    let page = ask(proxy.address, with_fields(fields)).await;
    assert_eq!(page.status, 400);
    assert!(page.field("content-type").unwrap().starts_with("text/html"));
}

/// A client that closes only its sending side still reads.
#[tokio::test]
async fn a_head_that_ends_with_the_connection_is_a_400() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let upstream = Upstream::echoing().await;
    let proxy = Proxy::before(&upstream).await;
    let mut client = tokio::net::TcpStream::connect(proxy.address).await.unwrap();
    client.write_all(b"GET /path HTTP/1.1\r\nHo").await.unwrap();
    client.shutdown().await.unwrap();
    let mut text = String::new();
    crate::support::within("the response", client.read_to_string(&mut text))
        .await
        .unwrap();
    assert!(text.starts_with("HTTP/1.1 400 "), "{text}");
    assert!(
        text.contains("the connection ended before the head did"),
        "{text}"
    );
}

#[tokio::test]
async fn a_tls_handshake_gets_an_alert_and_the_log_says_to_use_http() {
    use rustls::pki_types::ServerName;
    let upstream = Upstream::echoing().await;
    let endpoint = Upstream::answering(token_answer()).await;
    let binary = start(&upstream, &endpoint).await;
    let address = binary.address;
    let error = tokio::task::spawn_blocking(move || {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let config = rustls::ClientConfig::builder_with_provider(provider.into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let mut tls = rustls::ClientConnection::new(config.into(), name).unwrap();
        let mut socket = std::net::TcpStream::connect(address).unwrap();
        tls.complete_io(&mut socket).unwrap_err().to_string()
    });
    let error = error.await.unwrap();
    assert!(error.contains("alert"), "{error}");
    let line = line_with(&binary, "TLS handshake").await;
    assert!(
        line["error"].as_str().unwrap().contains("use http://"),
        "{line}"
    );
    assert_eq!(line["reason"], "bad_request");
    assert_eq!(line["method"], serde_json::Value::Null);
}

#[tokio::test]
async fn the_log_names_path_and_user_and_the_metrics_count_the_request() {
    let upstream = Upstream::echoing().await;
    let endpoint = Upstream::answering(token_answer()).await;
    let binary = start(&upstream, &endpoint).await;
    let answer = ask(binary.address, get(r#"/s/<b>?key={"secret":1}"#)).await;
    assert_is_ours(
        &answer,
        400,
        "bad_request",
        r#"byte 4 of the request target: "<""#,
    );
    let line = line_with(&binary, "request target").await;
    assert_eq!(
        (&line["method"], &line["path"]),
        (&"GET".into(), &"/s/%3Cb%3E".into())
    );
    assert_eq!(
        (&line["status"], &line["reason"]),
        (&400.into(), &"bad_request".into())
    );
    assert_eq!(line["request_id"].as_str(), answer.field("x-request-id"));
    #[cfg(target_os = "linux")]
    assert_eq!(
        line["caller"],
        format!("uid:{}", rustix::process::geteuid().as_raw())
    );
    assert!(!line.to_string().contains("secret"), "{line}");
    let metrics = ask(binary.admin(), get("/metrics")).await.text();
    let series = r#"cupbearer_requests_total{caller="",method="GET",reason="bad_request",status_class="4xx"} 1"#;
    assert!(metrics.contains(series), "{metrics}");
}

async fn start(upstream: &Upstream, endpoint: &Upstream) -> Binary {
    Binary::start(&Config {
        upstream: &upstream.url(),
        token_url: &endpoint.url(),
        client_id: "unreadable",
        secret: SECRET,
        settings: &["admin.listen=127.0.0.1:0", "log.format=json"],
    })
    .await
}

/// The first line of the log that contains `text`.
async fn line_with(binary: &Binary, text: &str) -> serde_json::Value {
    let find = || {
        let output = binary.output();
        let line = output.lines().find(|line| line.contains(text))?;
        serde_json::from_str(line).ok()
    };
    let mut line = None;
    until(text, || {
        line = find();
        line.is_some()
    })
    .await;
    line.unwrap()
}
