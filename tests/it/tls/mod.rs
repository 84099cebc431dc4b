//! The listener speaks TLS (`tls.*`).

mod callers;
mod handshakes;
mod pki;
mod replaced;

use std::net::SocketAddr;

use pki::{Authority, ServerFiles, connect, exchange, fetch};
use rustls::HandshakeKind;
use rustls::version::{TLS12, TLS13};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Proxy, Upstream, answer, ask, get, within};

/// A proxy whose listener speaks TLS.
struct Scene {
    authority: Authority,
    files: ServerFiles,
    proxy: Proxy,
    _upstream: Upstream,
}

impl Scene {
    async fn new(settings: &[(&str, &str)]) -> Self {
        Self::before(Upstream::echoing().await, settings).await
    }

    async fn before(upstream: Upstream, settings: &[(&str, &str)]) -> Self {
        let authority = Authority::new("authority");
        let files = ServerFiles::new(&authority.server("first"));
        let of_files = files.settings();
        let mut all: Vec<_> = of_files.iter().map(|(key, path)| (*key, &**path)).collect();
        all.extend_from_slice(settings);
        let proxy = Proxy::with(&upstream.url(), &all).await;
        Self {
            authority,
            files,
            proxy,
            _upstream: upstream,
        }
    }

    fn address(&self) -> SocketAddr {
        self.proxy.address
    }
}

#[tokio::test]
async fn requests_arrive_over_tls_1_2_and_1_3() {
    let scene = Scene::new(&[]).await;
    for version in [&TLS12, &TLS13] {
        let connector = scene.authority.connector_with(None, &[version]);
        let mut stream = connect(&connector, scene.address()).await;
        let session = stream.get_ref().1;
        assert_eq!(session.protocol_version(), Some(version.version));
        assert_eq!(session.alpn_protocol(), Some(&b"http/1.1"[..]));
        let response = exchange(&mut stream, "").await;
        assert!(response.starts_with("HTTP/1.1 200"), "{response}");
        assert!(response.ends_with("/path"), "{response}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn curl_verifies_the_certificate_and_gets_the_response() {
    let scene = Scene::new(&[]).await;
    let ca_file = scene.files.path("ca.pem");
    std::fs::write(&ca_file, &scene.authority.pem).unwrap();
    for version in ["--tlsv1.3", "--tls-max=1.2"] {
        let url = format!("https://localhost:{}/curl", scene.address().port());
        let mut curl = tokio::process::Command::new("curl");
        curl.args(["-sS", "--noproxy", "*"]);
        match version.split_once('=') {
            Some((name, value)) => curl.args([name, value]),
            None => curl.arg(version),
        };
        curl.arg("--cacert").arg(&ca_file).args([&url, &url]);
        curl.args(["-w", "|%{http_code} %{num_connects}|"]);
        let output = within("curl", curl.output()).await.unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        assert_eq!(printed, "/curl|200 1|/curl|200 0|", "{output:?}");
    }
}

#[tokio::test]
async fn plain_http_on_a_port_with_tls_gets_a_readable_400() {
    let scene = Scene::new(&[]).await;
    let answer = ask(scene.address(), get("/plain")).await;
    assert_eq!(answer.outcome(), (400, "bad_request".to_owned()));
    let said = answer.text();
    assert!(
        said.contains("this listener speaks TLS: use https://"),
        "{said}"
    );
    assert_eq!(answer.field("connection"), Some("close"));
}

#[tokio::test]
async fn the_origin_of_a_request_over_tls_has_https() {
    let scene = Scene::new(&[]).await;
    let host = format!("localhost:{}", scene.address().port());
    for (scheme, expected) in [("https", "HTTP/1.1 200"), ("http", "HTTP/1.1 403")] {
        let fields = format!("Host: {host}\r\nOrigin: {scheme}://{host}\r\n");
        let response = fetch(&scene.authority.connector(), scene.address(), &fields).await;
        assert!(response.starts_with(expected), "{scheme}: {response}");
    }
}

#[tokio::test]
async fn redirects_and_cookies_lead_back_to_https() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap();
    let upstream = Upstream::on(listener, None, move |mut connection| async move {
        let request = connection.request().await.unwrap();
        assert_eq!(request.values("origin"), [format!("http://{own}")]);
        let fields = format!(
            "Location: http://{own}/here\r\nSet-Cookie: a=1; Domain=api.example.com; Secure; SameSite=None\r\n"
        );
        connection.write(&answer("302 Found", &fields, "")).await;
    });
    let scene = Scene::before(upstream, &[]).await;
    let fields = "Host: localhost:1\r\nOrigin: https://localhost:1\r\n";
    let response = fetch(&scene.authority.connector(), scene.address(), fields).await;
    let response = response.to_ascii_lowercase();
    assert!(
        response.contains("\r\nlocation: https://localhost:1/here\r\n"),
        "{response}"
    );
    assert!(
        response.contains("\r\nset-cookie: a=1; secure; samesite=none\r\n"),
        "{response}"
    );
}

#[tokio::test]
async fn a_session_is_resumed() {
    let scene = Scene::new(&[]).await;
    for version in [&TLS12, &TLS13] {
        let connector = scene.authority.connector_with(None, &[version]);
        let mut kinds = Vec::new();
        for _ in 0..2 {
            let mut stream = connect(&connector, scene.address()).await;
            let response = exchange(&mut stream, "").await;
            assert!(response.starts_with("HTTP/1.1 200"), "{response}");
            kinds.push(stream.get_ref().1.handshake_kind());
        }
        let expected = [HandshakeKind::Full, HandshakeKind::Resumed].map(Some);
        assert_eq!(kinds, expected, "{version:?}");
    }
}

#[tokio::test]
async fn an_upgraded_connection_carries_bytes_both_ways_over_tls() {
    let upstream = Upstream::scripted(|mut connection: crate::support::Connection| async move {
        connection.request().await.unwrap();
        let head = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
        connection.write(head).await;
        while connection.buffered() < 4 {
            connection.fill().await.unwrap();
        }
        let echo = connection.take(4);
        connection.write(&echo).await;
        connection.closed().await;
    })
    .await;
    let scene = Scene::before(upstream, &[]).await;
    let mut stream = connect(&scene.authority.connector(), scene.address()).await;
    let request =
        "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(
            within("the head of the 101", stream.read_u8())
                .await
                .unwrap(),
        );
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "));
    stream.write_all(b"ping").await.unwrap();
    let mut echo = [0; 4];
    within("the echo", stream.read_exact(&mut echo))
        .await
        .unwrap();
    assert_eq!(&echo, b"ping");
}
