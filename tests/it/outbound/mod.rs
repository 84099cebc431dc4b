//! Outbound connections: corporate proxies, rejected certificates and their explanation, client certificates. The
//! proxy runs in the test's process, over real sockets.

mod client_certificate;
mod corporate_proxy;
pub(crate) mod peers;
mod replaced;
mod tls;
mod token_endpoint;
mod upstream_san;

use std::time::Duration;

use cupbearer::config::{self, Overrides, Surroundings};
use cupbearer::proxy::AccessLines;
use cupbearer::{RunningProxy, start};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use peers::{Peer, TOKEN};

const CLIENT_SECRET: &str = crate::support::SECRET;

/// A running proxy and its files.
pub(crate) struct Cupbearer {
    running: RunningProxy,
    _directory: tempfile::TempDir,
}

/// The configuration of a proxy.
pub(crate) struct Setup<'a> {
    pub(crate) upstream: &'a str,
    pub(crate) token_url: &'a str,
    /// Certificate authorities to trust in addition to the system's, as PEM.
    pub(crate) trusted: &'a str,
    /// Further lines of the configuration.
    pub(crate) more: &'a str,
    pub(crate) variables: &'a [(&'a str, &'a str)],
}

impl Setup<'_> {
    pub(crate) fn start(&self) -> Cupbearer {
        crate::support::log_leaks::watch();
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).display().to_string();
        std::fs::write(path("secret"), CLIENT_SECRET).unwrap();
        std::fs::write(path("ca.pem"), self.trusted).unwrap();
        let ca_file = if self.trusted.is_empty() {
            String::new()
        } else {
            format!("network.ca_file = '{}'\n", path("ca.pem"))
        };
        let text = format!(
            "listen = \"127.0.0.1:0\"\n{}\nupstream.url = \"{}\"\ntoken.url = \"{}\"\n\
             token.client_id = \"id\"\ntoken.client_secret = {{ file = '{}' }}\n{ca_file}",
            self.more,
            self.upstream,
            self.token_url,
            path("secret")
        );
        std::fs::write(path("cupbearer.toml"), text).unwrap();
        let overrides = Overrides {
            file: Some(path("cupbearer.toml").into()),
            settings: Vec::new(),
            ..Overrides::default()
        };
        let surroundings = Surroundings {
            variables: self
                .variables
                .iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            ..Surroundings::default()
        };
        let loaded =
            config::load(&overrides, &surroundings).unwrap_or_else(|problems| panic!("{problems}"));
        Cupbearer {
            running: start(&loaded.config, AccessLines::None).unwrap(),
            _directory: directory,
        }
    }
}

impl Cupbearer {
    /// The complete response to `GET /`, which must arrive within 20 s.
    pub(crate) async fn get(&self) -> String {
        let exchange = async {
            let mut stream = TcpStream::connect(self.running.addresses[0]).await.unwrap();
            let request = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        };
        tokio::time::timeout(Duration::from_secs(20), exchange)
            .await
            .unwrap()
    }

    /// The problem details that `GET /` is answered with. Panics if they contain a secret.
    async fn problem(&self) -> Problem {
        Problem::of(&self.get().await)
    }

    /// The error of the first token request, on one line.
    async fn token_error(&self) -> String {
        let snapshot = self.running.tokens().settled().await;
        snapshot.last_error.unwrap()
    }
}

pub(crate) struct Problem {
    head: String,
    reason: String,
    detail: String,
}

impl Problem {
    /// The problem details of a response. Panics if they contain a secret.
    #[track_caller]
    pub(crate) fn of(answer: &str) -> Self {
        for secret in [TOKEN, CLIENT_SECRET] {
            assert!(!answer.contains(secret), "{answer}");
        }
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let body: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{answer}"));
        Self {
            head: head.to_owned(),
            reason: body["reason"].as_str().unwrap().to_owned(),
            detail: body["detail"].as_str().unwrap().to_owned(),
        }
    }

    /// Asserts the reason and the `Proxy-Status` error type, and that the detail contains all of these words.
    #[track_caller]
    pub(crate) fn is(&self, reason: &str, error: &str, words: &[&str]) {
        assert_eq!(self.reason, reason, "{}", self.detail);
        assert!(
            self.head.contains(&format!("error={error};")),
            "{}",
            self.head
        );
        for word in words {
            assert!(
                self.detail.contains(word),
                "no {word:?} in {:?}",
                self.detail
            );
        }
    }
}
