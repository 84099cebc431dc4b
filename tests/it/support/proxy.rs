//! Runs the proxy in this process, configured as a user would do it: with a file, a secret file and flags.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use cupbearer::config::{self, Overrides, Setting, Surroundings};
use cupbearer::proxy::AccessLines;
use cupbearer::server::{DrainPhase, Drained};
use cupbearer::{RunningProxy, start};
use tempfile::TempDir;

use super::{CLIENT_ID, Upstream, log_leaks};

/// The client secret. Form encoding changes it, so a leak of either form is detected.
pub(crate) const SECRET: &str = "s3cr3t/of+the=tests~0123456789";

/// The token that the scripted token endpoint issues.
pub(crate) const TOKEN: &str =
    "eyJhbGciOiJub25lIn0.b3BhcXVlIHRvIHVzIGFsbCwgYW5kIGxvbmc.c2lnbmF0dXJlIG9mIHRoZSB0ZXN0cw";

/// An address at which nothing can be reached.
const UNREACHABLE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// A token endpoint's successful response.
pub(crate) fn token_answer() -> Vec<u8> {
    let body = format!(r#"{{"access_token":"{TOKEN}","token_type":"Bearer","expires_in":3600}}"#);
    super::answer("200 OK", "Content-Type: application/json\r\n", &body)
}

pub(crate) struct Proxy {
    /// `0.0.0.0:0` if the proxy listens on a unix socket.
    pub(crate) address: SocketAddr,
    pub(crate) running: RunningProxy,
    /// The scripted token endpoint, unless the test started its own.
    pub(crate) token_endpoint: Option<Upstream>,
    _directory: TempDir,
}

impl Proxy {
    /// Starts a proxy in front of `upstream`, with a working token endpoint.
    pub(crate) async fn before(upstream: &Upstream) -> Self {
        Self::with(&upstream.url(), &[]).await
    }

    /// Starts a proxy in front of `url`, with a working token endpoint, and waits for the first token.
    pub(crate) async fn with(url: &str, settings: &[(&str, &str)]) -> Self {
        let endpoint = Upstream::answering(token_answer()).await;
        let mut proxy = Self::with_token_url(url, &endpoint.url(), settings);
        super::within("the first token", proxy.running.tokens().bearer())
            .await
            .unwrap();
        proxy.token_endpoint = Some(endpoint);
        proxy
    }

    /// Starts a proxy in front of `url` that gets its tokens from `token_url`. Does not wait for a token.
    pub(crate) fn with_token_url(url: &str, token_url: &str, settings: &[(&str, &str)]) -> Self {
        Self::with_credentials(url, token_url, CLIENT_ID, SECRET, settings)
    }

    /// Like [`Proxy::with_token_url`], with these client credentials.
    pub(crate) fn with_credentials(
        url: &str,
        token_url: &str,
        client_id: &str,
        secret: &str,
        settings: &[(&str, &str)],
    ) -> Self {
        log_leaks::watch();
        let directory = tempfile::tempdir().unwrap();
        let file = write_configuration(directory.path(), url, token_url, client_id, secret);
        let settings = settings.iter().map(|(key, text)| Setting {
            flag: "--set",
            key: (*key).to_owned(),
            text: (*text).to_owned(),
        });
        let overrides = Overrides {
            file: Some(file),
            settings: settings.collect(),
            ..Overrides::default()
        };
        let loaded = config::load(&overrides, &Surroundings::default())
            .unwrap_or_else(|problems| panic!("{problems}"));
        let running = start(&loaded.config, AccessLines::All).unwrap();
        Self {
            address: running.addresses.first().copied().unwrap_or(UNREACHABLE),
            running,
            token_endpoint: None,
            _directory: directory,
        }
    }

    /// Starts the drain and waits until it is complete.
    pub(crate) async fn stop(&mut self) -> Drained {
        self.running.stop(DrainPhase::Draining);
        super::within("the drain", self.running.ended()).await
    }
}

/// Writes `cupbearer.toml` and the secret file, and returns the path of the former.
pub(crate) fn write_configuration(
    directory: &Path,
    url: &str,
    token_url: &str,
    client_id: &str,
    secret: &str,
) -> std::path::PathBuf {
    let secret_file = directory.join("client_secret");
    std::fs::write(&secret_file, format!("{secret}\n")).unwrap();
    let text = format!(
        "listen = \"127.0.0.1:0\"\n\
         [upstream]\nurl = \"{url}\"\n\
         [token]\nurl = \"{token_url}\"\nclient_id = \"{client_id}\"\n\
         client_secret = {{ file = '{}' }}\n",
        secret_file.display()
    );
    let file = directory.join("cupbearer.toml");
    std::fs::write(&file, text).unwrap();
    file
}
