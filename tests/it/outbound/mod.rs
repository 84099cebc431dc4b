//! Claims about how connections leave this machine: corporate proxies, certificates that are refused
//! and why, our own certificate. In-process, over real sockets.

mod client_certificate;
mod corporate_proxy;
mod peers;
mod replaced;
mod tls;
mod token_endpoint;

use std::time::Duration;

use cupbearer::config::{self, Overrides, Surroundings};
use cupbearer::proxy::AccessLines;
use cupbearer::{Running, start};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use peers::{Peer, TOKEN};

const CLIENT_SECRET: &str = crate::support::SECRET;

/// A running proxy with its files.
struct Cupbearer {
    running: Running,
    _directory: tempfile::TempDir,
}

/// What is written into its configuration.
struct Setup<'a> {
    upstream: &'a str,
    token_url: &'a str,
    /// Certificate authorities beside the system's, PEM.
    trusted: &'a str,
    /// More lines, before any table.
    more: &'a str,
    variables: &'a [(&'a str, &'a str)],
}

impl Setup<'_> {
    fn start(&self) -> Cupbearer {
        crate::support::printed::watch();
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
    /// The whole answer to `GET /`, which must come within 20 s.
    async fn get(&self) -> String {
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

    /// The problem that `GET /` is answered with: status and `Proxy-Status`, reason, detail. Never a secret.
    async fn problem(&self) -> Problem {
        let answer = self.get().await;
        for secret in [TOKEN, CLIENT_SECRET] {
            assert!(!answer.contains(secret), "{answer}");
        }
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let body: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{answer}"));
        Problem {
            head: head.to_owned(),
            reason: body["reason"].as_str().unwrap().to_owned(),
            detail: body["detail"].as_str().unwrap().to_owned(),
        }
    }

    /// What the first attempt to get a token failed with, on one line.
    async fn token_error(&self) -> String {
        let snapshot = self.running.tokens().settled().await;
        snapshot.last_error.unwrap()
    }
}

struct Problem {
    head: String,
    reason: String,
    detail: String,
}

impl Problem {
    /// Reason and registered `Proxy-Status` type are these, and the detail has all of these words.
    #[track_caller]
    fn is(&self, reason: &str, error: &str, words: &[&str]) {
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
