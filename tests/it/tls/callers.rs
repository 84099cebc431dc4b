//! Callers that are named by their certificate (`guard.callers.NAME.san`, `tls.client_ca_file`).

use std::net::SocketAddr;

use rcgen::SanType;
use rustls::version::{TLS12, TLS13};
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;

use super::pki::{
    Authority, Issued, ServerFiles, connect, exchange, fetch, in_the_year_4000, try_connect,
};
use crate::support::{
    CALLER_KEY, Connection, ReloadingProxy, Upstream, token_answer, until, within,
};

const ID: &str = "spiffe://cluster.local/ns/a/sa/orders";

fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

fn dns(text: &str) -> SanType {
    SanType::DnsName(text.try_into().unwrap())
}

struct Scene {
    servers: Authority,
    clients: Authority,
    _files: ServerFiles,
    proxy: ReloadingProxy,
    _upstreams: [Upstream; 2],
}

impl Scene {
    async fn new(settings: &[(&str, &str)]) -> Self {
        Self::before(Upstream::echoing().await, settings).await
    }

    async fn before(api: Upstream, settings: &[(&str, &str)]) -> Self {
        let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
        let files = ServerFiles::new(&servers.server("first"));
        std::fs::write(files.path("ca.crt"), &clients.pem).unwrap();
        std::fs::write(files.path("key"), CALLER_KEY).unwrap();
        std::fs::write(files.path("secret"), "s3cr3t").unwrap();
        let tokens = Upstream::answering(token_answer()).await;
        let key = format!("{{ file = '{}' }}", files.path("key").display());
        let lines: String = settings
            .iter()
            .map(|(name, value)| match *value {
                "KEY" => format!("{name} = {key}\n"),
                "true" => format!("{name} = true\n"),
                text => format!("{name} = \"{text}\"\n"),
            })
            .collect();
        let text = format!("{}{lines}", configuration(&files, &api, &tokens));
        let proxy = ReloadingProxy::start(files.path("cupbearer.toml"), &text);
        Self {
            servers,
            clients,
            _files: files,
            proxy,
            _upstreams: [api, tokens],
        }
    }

    fn address(&self) -> SocketAddr {
        self.proxy.running.addresses[0]
    }

    fn client(&self, names: Vec<SanType>) -> TlsConnector {
        self.presenting(&self.clients.client(names, in_the_year_4000()))
    }

    fn presenting(&self, issued: &Issued) -> TlsConnector {
        self.servers
            .connector_with(Some(issued), rustls::DEFAULT_VERSIONS)
    }

    /// The status of the response (0 without a response), and what a rejection says.
    async fn ask(&self, connector: &TlsConnector, fields: &str) -> (u16, String) {
        let Ok(mut stream) = try_connect(connector, self.address()).await else {
            return (0, String::new());
        };
        let response = exchange(&mut stream, fields).await;
        let status = response
            .get(9..12)
            .map_or(0, |status| status.parse().unwrap());
        let detail = response.split("\"detail\":\"").nth(1).unwrap_or_default();
        let detail = detail.split('"').next().unwrap().to_owned();
        (status, detail)
    }
}

/// The lines that name the files and the servers.
fn configuration(files: &ServerFiles, api: &Upstream, tokens: &Upstream) -> String {
    format!(
        "listen = \"127.0.0.1:0\"\nupstream.url = \"{}\"\ntoken.url = \"{}\"\ntoken.client_id = \"id\"\n\
         token.client_secret = {{ file = '{}' }}\ntls.client_ca_file = '{}'\n{}",
        api.url(),
        tokens.url(),
        files.path("secret").display(),
        files.path("ca.crt").display(),
        files.lines()
    )
}

#[tokio::test]
async fn only_the_exact_subject_alternative_name_of_the_leaf_names_a_caller() {
    let scene = Scene::new(&[
        ("guard.callers.orders.san", ID),
        ("guard.callers.web.san", "web.example.com"),
        ("guard.callers.box.san", "10.0.0.7"),
        ("guard.callers.plain.san", "urn:example:plain"),
    ])
    .await;
    let address = SanType::IpAddress([10, 0, 0, 7].into());
    let admitted = [
        vec![uri(ID)],
        vec![uri(ID), dns("orders.a.svc")],
        vec![dns("WEB.Example.COM")],
        vec![address.clone()],
        vec![uri("urn:example:plain"), uri("urn:example:other")],
        vec![dns("web.example.com"), uri("spiffe://a/b")],
    ];
    for names in admitted {
        let shown = format!("{names:?}");
        let (status, detail) = scene.ask(&scene.client(names), "").await;
        assert_eq!((status, &*detail), (200, ""), "{shown}");
    }
    let rejected = [
        vec![], // the common name is client.example
        vec![uri("spiffe://cluster.local/ns/a/sa/Orders")],
        vec![uri(&format!("{ID}/more"))],
        vec![uri(ID), uri("spiffe://cluster.local/ns/a/sa/web")], // SPIFFE has exactly one
        vec![uri(ID), uri("https://other.example")],
        vec![
            dns("web.example.com"),
            uri(ID),
            uri("https://other.example"),
        ],
        vec![address.clone(), uri("SPIFFE://a/b"), uri("spiffe://a/c")],
        vec![dns("*.example.com")],
        vec![dns("sub.web.example.com")],
        vec![SanType::IpAddress([10, 0, 0, 8].into())],
        vec![dns("10.0.0.7.example")],
    ];
    for names in rejected {
        let shown = format!("{names:?}");
        let (status, detail) = scene.ask(&scene.client(names), "").await;
        assert_eq!(status, 401, "{shown}");
        assert!(
            detail.contains("has no name of guard.callers"),
            "{shown}: {detail}"
        );
    }
    let several = scene.client(vec![dns("web.example.com"), address]);
    let (status, detail) = scene.ask(&several, "").await;
    assert_eq!(status, 401);
    assert!(detail.contains("several callers"), "{detail}");
    // Without a certificate, and with one of another authority, which the handshake rejects.
    assert_eq!(scene.ask(&scene.servers.connector(), "").await.0, 401);
    let foreign = Authority::new("foreign").client(vec![uri(ID)], in_the_year_4000());
    assert_eq!(scene.ask(&scene.presenting(&foreign), "").await.0, 0);
}

#[tokio::test]
async fn a_caller_with_a_key_and_a_name_must_present_both_and_they_must_agree() {
    let scene = Scene::new(&[
        ("guard.callers.both.san", ID),
        ("guard.callers.both.key", "KEY"),
        ("guard.callers.other.san", "other.example.com"),
    ])
    .await;
    let key = format!("X-Cupbearer-Key: {CALLER_KEY}\r\n");
    let (named, other) = (
        scene.client(vec![uri(ID)]),
        scene.client(vec![dns("other.example.com")]),
    );
    let nobody = scene.servers.connector();
    for (connector, fields, expected) in [
        (&named, &*key, (200, "")),
        (&other, "", (200, "")),
        (&named, "", (401, "must also send its key")),
        (&nobody, &key, (401, "must also present a certificate")),
        (&other, &key, (401, "belong to different callers")),
        (&nobody, "", (401, "Only the callers in guard.callers")),
    ] {
        let (status, detail) = scene.ask(connector, fields).await;
        assert_eq!(status, expected.0, "{detail}");
        assert!(detail.contains(expected.1), "{detail}");
    }
}

#[tokio::test]
async fn with_require_client_a_handshake_without_a_certificate_fails() {
    let scene = Scene::new(&[
        ("tls.require_client", "true"),
        ("guard.callers.orders.san", ID),
    ])
    .await;
    for version in [&TLS12, &TLS13] {
        let nobody = scene.servers.connector_with(None, &[version]);
        assert_eq!(scene.ask(&nobody, "").await.0, 0);
        let issued = scene.clients.client(vec![uri(ID)], in_the_year_4000());
        let named = scene.servers.connector_with(Some(&issued), &[version]);
        assert_eq!(scene.ask(&named, "").await.0, 200);
    }
}

#[tokio::test]
async fn a_session_from_before_require_client_does_not_spare_the_certificate() {
    let servers = Authority::new("servers");
    let files = ServerFiles::new(&servers.server("first"));
    std::fs::write(files.path("ca.crt"), &Authority::new("clients").pem).unwrap();
    std::fs::write(files.path("secret"), "s3cr3t").unwrap();
    let (api, tokens) = (
        Upstream::echoing().await,
        Upstream::answering(token_answer()).await,
    );
    let lines = configuration(&files, &api, &tokens);
    let proxy = ReloadingProxy::start(files.path("cupbearer.toml"), &lines);
    let address = proxy.running.addresses[0];
    let nobody = servers.connector_with(None, rustls::DEFAULT_VERSIONS);
    let response = fetch(&nobody, address, "").await; // and gets tickets
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    proxy
        .replace_and_wait(&format!("{lines}tls.require_client = true\n"))
        .await;
    let is_refused = match try_connect(&nobody, address).await {
        Err(_) => true,
        Ok(mut stream) => exchange(&mut stream, "").await.is_empty(),
    };
    assert!(is_refused);
}

#[tokio::test]
async fn a_connection_a_session_and_a_tunnel_end_with_the_certificate() {
    let upstream = Upstream::scripted(|mut connection: Connection| async move {
        while let Some(request) = connection.request().await {
            if request.values("upgrade").is_empty() {
                connection
                    .write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                    .await;
            } else {
                let head =
                    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n";
                connection.write(head.as_bytes()).await;
                connection.closed().await;
                return;
            }
        }
    })
    .await;
    let scene = Scene::before(upstream, &[("guard.callers.orders.san", ID)]).await;
    let end = OffsetDateTime::now_utc() + time::Duration::seconds(5);
    let connector = scene.presenting(&scene.clients.client(vec![uri(ID)], end));
    assert_eq!(scene.ask(&connector, "").await.0, 200); // and gets tickets
    let mut idle = connect(&connector, scene.address()).await;
    let mut tunnel = connect(&connector, scene.address()).await;
    let upgrade = "GET /x HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n";
    tunnel.write_all(upgrade.as_bytes()).await.unwrap();
    let mut head = [0; 12];
    within("the 101", tunnel.read_exact(&mut head))
        .await
        .unwrap();
    assert_eq!(&head, b"HTTP/1.1 101");
    let request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    idle.write_all(request).await.unwrap();
    within("a response", idle.read_exact(&mut head))
        .await
        .unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");

    for stream in [&mut idle, &mut tunnel] {
        let mut rest = Vec::new();
        let _ = within("the end of the certificate", stream.read_to_end(&mut rest)).await;
        assert!(OffsetDateTime::now_utc() >= end - time::Duration::seconds(1));
    }
    // The ticket is still valid, but the certificate in it is not.
    assert_eq!(scene.ask(&connector, "").await.0, 0);
}

#[tokio::test]
async fn other_authorities_end_what_the_previous_ones_admitted() {
    other_authorities("").await;
}

#[tokio::test]
async fn other_authorities_count_while_the_configuration_file_is_invalid() {
    other_authorities("drian = 1\n").await;
}

#[cfg(unix)]
#[tokio::test]
async fn other_authorities_do_not_wait_for_the_program_of_another_callers_key() {
    other_authorities(SLOW_KEY).await;
}

/// Another caller, whose key is printed at once only until there is a file `slow`.
const SLOW_KEY: &str = "guard.callers.slow.key.command = [\"sh\", \"-c\", \"test ! -e FOLDER/slow || sleep 60; echo the-key-of-slow-000001\"]\n";

/// The authorities are replaced after these lines have been written to the file, or while that program runs.
async fn other_authorities(more: &str) {
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let files = ServerFiles::new(&servers.server("first"));
    std::fs::write(files.path("ca.crt"), &clients.pem).unwrap();
    std::fs::write(files.path("secret"), "s3cr3t").unwrap();
    let (api, tokens) = (
        Upstream::echoing().await,
        Upstream::answering(token_answer()).await,
    );
    let lines = configuration(&files, &api, &tokens);
    let is_slow = more == SLOW_KEY;
    let folder = files.path("").display().to_string();
    let slow = if is_slow {
        SLOW_KEY.replace("FOLDER/", &folder)
    } else {
        String::new()
    };
    let text = format!("{lines}guard.callers.orders.san = \"{ID}\"\n{slow}");
    let proxy = ReloadingProxy::start(files.path("cupbearer.toml"), &text);
    let address = proxy.running.addresses[0];
    let issued = clients.client(vec![uri(ID)], in_the_year_4000());
    let connector = servers.connector_with(Some(&issued), rustls::DEFAULT_VERSIONS);
    let mut open = connect(&connector, address).await;
    let response = fetch(&connector, address, "").await;
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");

    // The certificate of the listener alone changes nothing for callers.
    files.write(&servers.server("next"));
    until("the new certificate", || proxy.applied() == 1).await;
    let resumed = connect(&connector, address).await;
    let kind = resumed.get_ref().1.handshake_kind();
    assert_eq!(kind, Some(rustls::HandshakeKind::Resumed));

    if is_slow {
        std::fs::write(files.path("slow"), "").unwrap();
    } else if !more.is_empty() {
        proxy.replace(&format!("{more}{text}"));
        until("it is rejected", || !proxy.notes().is_empty()).await;
    }
    std::fs::write(files.path("ca.crt"), &Authority::new("others").pem).unwrap();
    until("the new authorities", || proxy.applied() == 2).await;
    let response = exchange(&mut open, "").await;
    assert!(response.starts_with("HTTP/1.1 401"), "{response}");
    assert!(
        response.contains("tls.client_ca_file has changed"),
        "{response}"
    );
    let refused = try_connect(&connector, address).await;
    let is_refused = match refused {
        Err(_) => true,
        Ok(mut stream) => exchange(&mut stream, "").await.is_empty(),
    };
    assert!(is_refused, "neither its ticket nor its certificate counts");
    drop(proxy);
}
