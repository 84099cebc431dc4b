//! Mutual TLS: the client certificate is presented to the upstream and to no other server.

use rustls::version::{TLS12, TLS13};

use super::peers::{Ca, Identity};
use super::*;

struct Scene {
    server_ca: Ca,
    client_ca: Ca,
    token: Peer,
    files: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        Self {
            server_ca: Ca::new("Server CA"),
            client_ca: Ca::new("Client CA"),
            token: Peer::plain().await,
            files: tempfile::tempdir().unwrap(),
        }
    }

    /// The configuration lines that name this certificate and its key.
    fn lines(&self, identity: &Identity) -> String {
        let path = |name| self.files.path().join(name).display().to_string();
        std::fs::write(path("client.pem"), &identity.pem).unwrap();
        std::fs::write(path("client.key"), identity.key.serialize_pem()).unwrap();
        format!(
            "upstream.client_cert_file = '{}'\nupstream.client_key_file = '{}'",
            path("client.pem"),
            path("client.key")
        )
    }

    fn start(&self, upstream: &Peer, token: &str, more: &str) -> Cupbearer {
        let setup = Setup {
            upstream: &format!("https://localhost:{}", upstream.address.port()),
            token_url: token,
            trusted: &self.server_ca.pem,
            more,
            variables: &[],
        };
        setup.start()
    }

    fn plain_token(&self) -> String {
        format!("http://{}/token", self.token.address)
    }
}

#[tokio::test]
async fn an_upstream_that_requests_a_client_certificate_receives_it() {
    let scene = Scene::new().await;
    let lines = scene.lines(&scene.client_ca.issue_to_client("cupbearer"));
    for version in [&TLS12, &TLS13] {
        let identity = scene.server_ca.issue("localhost");
        let upstream = Peer::mutual_tls(&identity, &scene.client_ca, version).await;

        let cupbearer = scene.start(&upstream, &scene.plain_token(), &lines);

        let answer = cupbearer.get().await;
        assert!(answer.ends_with("\r\n\r\nok"), "{version:?} {answer}");
    }
}

#[tokio::test]
async fn without_a_certificate_or_with_an_unknown_one_the_error_names_the_key_to_set() {
    let scene = Scene::new().await;
    let unknown = scene.lines(&Ca::new("Unknown CA").issue_to_client("cupbearer"));
    for version in [&TLS12, &TLS13] {
        for lines in ["", &unknown] {
            let identity = scene.server_ca.issue("localhost");
            let upstream = Peer::mutual_tls(&identity, &scene.client_ca, version).await;

            let cupbearer = scene.start(&upstream, &scene.plain_token(), lines);

            let problem = cupbearer.problem().await;
            let words = ["client certificate", "upstream.client_cert_file"];
            problem.is("upstream_tls", "tls_protocol_error", &words);
            assert_eq!(upstream.seen.text(), "");
        }
    }
}

#[tokio::test]
async fn the_token_endpoint_never_receives_the_upstreams_client_certificate_even_on_the_same_server()
 {
    let scene = Scene::new().await;
    let lines = scene.lines(&scene.client_ca.issue_to_client("cupbearer"));
    let identity = scene.server_ca.issue("localhost");
    for version in [&TLS12, &TLS13] {
        let both = Peer::mutual_tls(&identity, &scene.client_ca, version).await;
        let token = format!("https://localhost:{}/token", both.address.port());

        let cupbearer = scene.start(&both, &token, &lines);

        let error = cupbearer.token_error().await;
        assert!(
            error.contains("no response from the token endpoint localhost:"),
            "{error}"
        );
        assert_eq!(both.seen.text(), "");
    }
}
