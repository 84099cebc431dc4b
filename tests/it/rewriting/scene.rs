//! A proxy in this process between a raw client and a raw upstream: bytes in, bytes out.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use cupbearer::config::{self, Overrides, Surroundings};
use cupbearer::proxy::AccessLines;
use cupbearer::{RunningProxy, StartError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{SECRET, log_leaks, token_answer};

/// A server that sends the same bytes in response to every request and records the requests.
pub(super) struct Scripted {
    /// `127.0.0.1:PORT`.
    pub(super) authority: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    pub(super) async fn start(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (record, answer) = (Arc::clone(&seen), Arc::new(answer));
        let own = authority.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (record, answer, own) = (Arc::clone(&record), Arc::clone(&answer), own.clone());
                tokio::spawn(async move {
                    let _gone = serve(stream, &record, &answer(&own)).await;
                });
            }
        });
        Self { authority, seen }
    }

    /// The requests so far, each with its body as sent on the wire.
    pub(super) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, seen: &Mutex<Vec<String>>, answer: &[u8]) -> io::Result<()> {
    while let Some(request) = read_request(&mut stream).await? {
        seen.lock().unwrap().push(request);
        stream.write_all(answer).await?;
        if answer.ends_with(BROKEN_OFF) || has_connection_close(answer) {
            return Ok(());
        }
    }
    Ok(())
}

fn has_connection_close(answer: &[u8]) -> bool {
    lines_of(&String::from_utf8_lossy(answer), "connection") == ["close"]
}

/// After a response that ends like this, the server closes the connection.
pub(super) const BROKEN_OFF: &[u8] = b"(broken off";

async fn read_request(stream: &mut TcpStream) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && is_complete(head, body)
        {
            return Ok(Some(text.into_owned()));
        }
    }
}

fn is_complete(head: &str, body: &str) -> bool {
    if lines_of(head, "transfer-encoding").is_empty() {
        let length = lines_of(head, "content-length").first().cloned();
        body.len() == length.map_or(0, |length| length.parse().unwrap())
    } else {
        (body.starts_with("0\r\n") || body.contains("\r\n0\r\n")) && body.ends_with("\r\n\r\n")
    }
}

/// The values of all lines of a field.
pub(super) fn lines_of(head: &str, wanted: &str) -> Vec<String> {
    head.split("\r\n\r\n")
        .next()
        .unwrap_or_default()
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(": "))
        .filter(|(name, _)| name.eq_ignore_ascii_case(wanted))
        .map(|(_, value)| value.trim().to_owned())
        .collect()
}

/// Client, proxy and upstream.
pub(super) struct Scene {
    pub(super) upstream: Scripted,
    /// `127.0.0.1:PORT`.
    pub(super) proxy: String,
    _running: RunningProxy,
}

impl Scene {
    /// With an upstream that sends `answer` in response to everything; `@UPSTREAM@` in it becomes its own authority.
    pub(super) async fn answering(answer: &str) -> Self {
        Self::configured(answer, "").await
    }

    /// The same with more TOML for `[upstream]`.
    pub(super) async fn configured(answer: &str, more: &str) -> Self {
        let answer = answer.to_owned();
        let upstream =
            Scripted::start(move |own| answer.replace("@UPSTREAM@", own).into_bytes()).await;
        Self::before(upstream, more).await
    }

    /// With this upstream.
    pub(super) async fn before(upstream: Scripted, more: &str) -> Self {
        let running = start("127.0.0.1:0", &upstream.authority, more)
            .await
            .unwrap();
        Self {
            proxy: running.addresses[0].to_string(),
            upstream,
            _running: running,
        }
    }

    /// The response to `head` (request line and fields without the final empty line; Host is added), read
    /// to the end of the connection.
    pub(super) async fn get(&self, head: &str) -> String {
        let (line, fields) = head.split_once('\n').unwrap_or((head, ""));
        let mut fields = fields
            .lines()
            .map(str::trim)
            .collect::<Vec<_>>()
            .join("\r\n");
        if !fields.is_empty() {
            fields.push_str("\r\n");
        }
        let request = format!(
            "{line} HTTP/1.1\r\nHost: {}\r\n{fields}Connection: close\r\n\r\n",
            self.proxy
        );
        exchange(&self.proxy, request.as_bytes()).await
    }
}

/// Sends `request` and reads to the end of the connection.
pub(super) async fn exchange(to: &str, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    let _reset = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// A proxy with a token endpoint of its own.
pub(super) async fn start(
    listen: &str,
    upstream: &str,
    more: &str,
) -> Result<RunningProxy, StartError> {
    start_changed(listen, upstream, more, |_| {}).await
}

/// The same after `change`, which no check of a configuration sees.
pub(super) async fn start_changed(
    listen: &str,
    upstream: &str,
    more: &str,
    change: impl FnOnce(&mut config::Config),
) -> Result<RunningProxy, StartError> {
    let endpoint = Scripted::start(|_| token_answer()).await;
    let directory = tempfile::tempdir().unwrap();
    let secret = directory.path().join("secret");
    std::fs::write(&secret, SECRET).unwrap();
    let file = directory.path().join("c.toml");
    let text = format!(
        "listen = \"{listen}\"\n[upstream]\nurl = \"http://{upstream}\"\n{more}\n[token]\n\
         url = \"http://{}/token\"\nclient_id = \"id\"\nclient_secret = {{ file = {:?} }}\n",
        endpoint.authority,
        secret.display().to_string()
    );
    std::fs::write(&file, text).unwrap();
    log_leaks::watch();
    let mut config = load(&file);
    change(&mut config);
    let running = cupbearer::start(&config, AccessLines::None)?;
    running.tokens().settled().await;
    Ok(running)
}

fn load(file: &Path) -> config::Config {
    let overrides = Overrides {
        file: Some(file.to_owned()),
        settings: Vec::new(),
        ..Overrides::default()
    };
    config::load(&overrides, &Surroundings::default())
        .unwrap_or_else(|problems| panic!("{problems}"))
        .config
}
