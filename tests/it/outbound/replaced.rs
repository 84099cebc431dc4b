//! Certificate files that are replaced while the proxy is running.

use rustls::version::TLS13;

use super::peers::Ca;
use super::*;
use crate::support::{ReloadingProxy, until};

struct Scene {
    files: tempfile::TempDir,
    token: Peer,
}

impl Scene {
    async fn new() -> Self {
        Self {
            files: tempfile::tempdir().unwrap(),
            token: Peer::plain().await,
        }
    }

    fn write(&self, name: &str, content: &str) -> String {
        let file = self.files.path().join(name);
        std::fs::write(&file, content).unwrap();
        file.display().to_string()
    }

    async fn start(&self, upstream: &Peer, more: &str) -> ReloadingProxy {
        let text = format!(
            "listen = \"127.0.0.1:0\"\nupstream.url = \"https://localhost:{}\"\n\
             network.ca_file = '{}'\ntoken.url = \"http://{}/token\"\ntoken.client_id = \"id\"\n\
             token.client_secret = {{ file = '{}' }}\n{more}",
            upstream.address.port(),
            self.files.path().join("ca.pem").display(),
            self.token.address,
            self.write("secret", CLIENT_SECRET),
        );
        let proxy = ReloadingProxy::start(self.files.path().join("cupbearer.toml"), &text);
        proxy.running.tokens().obtained().await;
        proxy
    }
}

async fn status(proxy: &ReloadingProxy) -> u16 {
    let request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    crate::support::ask(proxy.running.addresses[0], request)
        .await
        .status
}

#[tokio::test]
async fn a_replaced_ca_file_is_trusted_without_a_restart() {
    let (first, next) = (Ca::new("First CA"), Ca::new("Next CA"));
    let upstream = Peer::tls(&next.issue("localhost")).await;
    let scene = Scene::new().await;
    scene.write("ca.pem", &first.pem);
    let proxy = scene.start(&upstream, "").await;
    assert_eq!(status(&proxy).await, 502);
    scene.write("ca.pem", "");
    until("an unusable file is reported", || {
        proxy.notes().iter().any(|note| note.contains("ca.pem"))
    })
    .await;
    scene.write("ca.pem", &next.pem);
    proxy.wait_for_reload_since(0).await;
    assert_eq!(status(&proxy).await, 200);
    assert!(proxy.notes().is_empty());
}

#[tokio::test]
async fn a_client_certificate_whose_files_are_replaced_one_after_the_other_is_presented() {
    let (server, others, clients) = (Ca::new("Server"), Ca::new("Others"), Ca::new("Clients"));
    let upstream = Peer::mutual_tls(&server.issue("localhost"), &clients, &TLS13).await;
    let scene = Scene::new().await;
    scene.write("ca.pem", &server.pem);
    let (old, new) = (
        others.issue_to_client("cupbearer"),
        clients.issue_to_client("cupbearer"),
    );
    let lines = format!(
        "upstream.client_cert_file = '{}'\nupstream.client_key_file = '{}'\n",
        scene.write("client.pem", &old.pem),
        scene.write("client.key", &old.key.serialize_pem()),
    );
    let proxy = scene.start(&upstream, &lines).await;
    assert_eq!(status(&proxy).await, 502);
    scene.write("client.pem", &new.pem);
    until("the key does not match yet", || {
        let notes = proxy.notes();
        notes.iter().any(|note| note.contains("is not the key of"))
    })
    .await;
    scene.write("client.key", &new.key.serialize_pem());
    proxy.wait_for_reload_since(0).await;
    assert_eq!(status(&proxy).await, 200);
}

#[tokio::test]
async fn while_the_configuration_file_is_invalid_only_a_client_certificate_of_the_same_holder_is_used()
 {
    let (server, before, clients) = (Ca::new("Server"), Ca::new("Clients"), Ca::new("Clients"));
    let upstream = Peer::mutual_tls(&server.issue("localhost"), &clients, &TLS13).await;
    let scene = Scene::new().await;
    scene.write("ca.pem", &server.pem);
    let write = |issued: &peers::Identity| {
        let key = issued.key.serialize_pem();
        [
            scene.write("client.pem", &issued.pem),
            scene.write("client.key", &key),
        ]
    };
    let [certificate, key] = write(&before.issue_to_client("cupbearer"));
    let lines = format!(
        "upstream.client_cert_file = '{certificate}'\nupstream.client_key_file = '{key}'\n"
    );
    let proxy = scene.start(&upstream, &lines).await;
    assert_eq!(status(&proxy).await, 502);
    let valid = std::fs::read_to_string(scene.files.path().join("cupbearer.toml")).unwrap();
    let invalid = format!("drian = 1\n{valid}");
    proxy.replace(&invalid);
    until("it is rejected", || !proxy.notes().is_empty()).await;

    write(&clients.issue_to_client("another"));
    let finished = proxy.finished();
    proxy.replace(&invalid);
    // The one that may have begun before, and the next one.
    until("the files have been read", || {
        proxy.finished() >= finished + 2
    })
    .await;
    assert_eq!((status(&proxy).await, proxy.applied()), (502, 0));

    write(&clients.issue_to_client("cupbearer"));
    proxy.wait_for_reload_since(0).await;
    assert_eq!(status(&proxy).await, 200);
}
