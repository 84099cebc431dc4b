//! The certificate of the listener is replaced while the proxy serves.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::pki::{Authority, ServerFiles, connect, fetch};
use crate::support::{ReloadingProxy, Upstream, closed_port, token_answer, until};

struct Reloading {
    authority: Authority,
    files: ServerFiles,
    proxy: ReloadingProxy,
    lines: String,
    servers: [Upstream; 2],
}

impl Reloading {
    async fn new() -> Self {
        let authority = Authority::new("authority");
        let files = ServerFiles::new(&authority.server("first"));
        let (api, tokens) = (
            Upstream::echoing().await,
            Upstream::answering(token_answer()).await,
        );
        let secret = files.path("secret");
        std::fs::write(&secret, "s3cr3t").unwrap();
        let lines = format!(
            "listen = \"127.0.0.1:0\"\nupstream.url = \"{}\"\ntoken.url = \"{}\"\ntoken.client_id = \"id\"\n\
             token.client_secret = {{ file = '{}' }}\n",
            api.url(),
            tokens.url(),
            secret.display()
        );
        let with_tls = format!("{lines}{}", files.lines());
        let proxy = ReloadingProxy::start(files.path("cupbearer.toml"), &with_tls);
        Self {
            authority,
            files,
            proxy,
            lines,
            servers: [api, tokens],
        }
    }

    fn address(&self) -> SocketAddr {
        self.proxy.running.addresses[0]
    }

    fn metrics(&self) -> String {
        let process = cupbearer::metrics::ProcessMetrics::new(|| 0);
        let metrics = [self.proxy.running.metrics.clone()];
        cupbearer::metrics::text(&process, &metrics)
    }
}

/// The certificate that a new connection gets.
async fn presented(connector: &TlsConnector, address: SocketAddr) -> Vec<u8> {
    let stream = connect(connector, address).await;
    let chain = stream.get_ref().1.peer_certificates().unwrap();
    chain[0].to_vec()
}

#[tokio::test]
async fn a_replaced_certificate_is_presented_and_a_pair_that_does_not_match_changes_nothing() {
    let scene = Reloading::new().await;
    let connector = || scene.authority.connector(); // a new one resumes no session
    let first = presented(&connector(), scene.address()).await;
    let next = scene.authority.server("next");

    // A secret whose two files are not written at once.
    std::fs::write(scene.files.path("tls.crt"), &next.pem).unwrap();
    until("the pair is rejected", || {
        let notes = scene.proxy.notes();
        notes
            .iter()
            .any(|note| note.contains("is not the key of the first certificate"))
    })
    .await;
    assert_eq!(presented(&connector(), scene.address()).await, first);

    std::fs::write(scene.files.path("tls.key"), &next.key_pem).unwrap();
    until("the pair is used", || scene.proxy.applied() == 1).await;
    let second = presented(&connector(), scene.address()).await;
    assert_ne!(second, first);
    until("the note is gone", || scene.proxy.notes().is_empty()).await;
}

#[tokio::test]
async fn a_certificate_is_replaced_while_the_configuration_file_is_invalid_or_waits_for_a_token() {
    let scene = Reloading::new().await;
    let connector = || scene.authority.connector();
    let has_note = |words: &str| scene.proxy.notes().iter().any(|note| note.contains(words));
    let with_tls = format!("{}{}", scene.lines, scene.files.lines());
    let dead = format!("http://127.0.0.1:{}", closed_port().await);
    let waiting = with_tls.replace(&scene.servers[1].url(), &dead);
    let mut before = presented(&connector(), scene.address()).await;
    for (text, note) in [
        (format!("drian = 1\n{with_tls}"), "drian"),
        (waiting, "waits for its first token"),
    ] {
        scene.proxy.replace(&text);
        until(note, || has_note(note)).await;
        scene.files.write(&scene.authority.server("next"));
        let now = timeout(Duration::from_secs(20), async {
            loop {
                let now = presented(&connector(), scene.address()).await;
                if now != before {
                    return now;
                }
            }
        })
        .await
        .unwrap_or_else(|_| panic!("the pair is not used: {note}"));
        until(note, || has_note(note)).await; // a change that waits is examined again
        before = now;
    }
    scene.proxy.replace(&with_tls);
    until("the note is gone", || scene.proxy.notes().is_empty()).await;
    assert_eq!(presented(&connector(), scene.address()).await, before);
}

#[tokio::test]
async fn a_session_survives_the_replacement_of_the_certificate() {
    let scene = Reloading::new().await;
    let connector = scene.authority.connector();
    fetch(&connector, scene.address(), "").await;
    scene.files.write(&scene.authority.server("next"));
    until("the pair is used", || scene.proxy.applied() == 1).await;
    let stream = connect(&connector, scene.address()).await;
    let kind = stream.get_ref().1.handshake_kind();
    assert_eq!(kind, Some(rustls::HandshakeKind::Resumed));
}

#[tokio::test]
async fn tls_can_be_turned_off_and_on_while_open_connections_go_on() {
    let scene = Reloading::new().await;
    let connector = scene.authority.connector();
    let mut open = connect(&connector, scene.address()).await;
    scene.proxy.replace_and_wait(&scene.lines).await;
    let answer = crate::support::ask(scene.address(), crate::support::get("/plain")).await;
    assert_eq!(answer.text(), "/plain");
    let response = super::exchange(&mut open, "").await;
    assert!(response.ends_with("/path"), "{response}");
    let with_tls = format!("{}{}", scene.lines, scene.files.lines());
    scene.proxy.replace_and_wait(&with_tls).await;
    let response = fetch(&connector, scene.address(), "").await;
    assert!(response.ends_with("/path"), "{response}");
}

#[tokio::test]
async fn the_end_of_the_certificate_is_a_metric_and_two_weeks_before_it_is_a_note() {
    let scene = Reloading::new().await;
    let expires = "cupbearer_certificate_expires_at_seconds{use=\"listener\"}";
    until("the metric", || {
        scene.metrics().contains(&format!("{expires} 64060588800"))
    })
    .await;
    assert!(scene.proxy.notes().is_empty(), "{:?}", scene.proxy.notes());
    let soon = time::OffsetDateTime::now_utc() + time::Duration::days(13);
    let next = scene.authority.server_until("next", soon);
    scene.files.write(&next);
    until("the note", || {
        let notes = scene.proxy.notes();
        notes.iter().any(|note| {
            note.contains("tls.crt expires at") && note.contains("(in 12 days); replace it")
        })
    })
    .await;
    let metric = format!("{expires} {}", soon.unix_timestamp());
    assert!(scene.metrics().contains(&metric), "{metric}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_listener_keeps_its_tls_until_the_restart_that_moves_it_to_a_unix_socket() {
    let scene = Reloading::new().await;
    let connector = scene.authority.connector();
    let socket = format!("listen = 'unix:{}'", scene.files.path("socket").display());
    let moved = scene.lines.replace("listen = \"127.0.0.1:0\"", &socket);
    // Something else in the file applies meanwhile.
    let moved = format!("upstream.via = false\n{moved}");
    scene.proxy.replace_and_wait(&moved).await;
    let response = fetch(&connector, scene.address(), "").await;
    assert!(response.ends_with("/path"), "{response}");
    let notes = scene.proxy.notes();
    assert!(
        notes.iter().any(|note| note.contains("tls.cert_file")),
        "{notes:?}"
    );
    let with_tls = format!("{}{}", scene.lines, scene.files.lines());
    scene.proxy.replace_and_wait(&with_tls).await;
    assert!(scene.proxy.notes().is_empty(), "{:?}", scene.proxy.notes());
    let response = fetch(&connector, scene.address(), "").await;
    assert!(response.ends_with("/path"), "{response}");
}
