//! An expired token is never sent, however long a request has waited since it took its token. The clock stands still
//! unless a test moves it.

mod http2;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::support::{
    Answer, Client, Connection, Proxy, StoppedClock, Upstream, answer, get, server_certificate,
    within,
};

/// The lifetime of every token in these tests.
const LIFETIME: Duration = Duration::from_secs(8);

/// Where a request waits while its token expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    /// The TLS handshake with the upstream.
    Handshake,
    /// The corporate proxy's response to CONNECT.
    CorporateProxy,
    /// The TLS handshake of a request to upgrade.
    Upgrade,
    /// The head of the response, until the upstream closes the kept connection and the request is sent once more.
    ClosedConnection,
    /// The TLS handshake of a replay after a 401.
    Replay,
}

const WAITS: [Wait; 5] = [
    Wait::Handshake,
    Wait::CorporateProxy,
    Wait::Upgrade,
    Wait::ClosedConnection,
    Wait::Replay,
];

/// Whether the token endpoint grants another token meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Endpoint {
    Grants,
    IsDown,
}

/// Connections wait here until the gate opens.
struct Gate {
    address: SocketAddr,
    waiting: Arc<AtomicUsize>,
    open: watch::Sender<bool>,
    acceptor: JoinHandle<()>,
}

impl Gate {
    /// A gate in front of `target`; as a corporate proxy, if it `is_proxy`.
    async fn before(target: SocketAddr, is_proxy: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let waiting = Arc::new(AtomicUsize::new(0));
        let open = watch::Sender::new(false);
        let acceptor = tokio::spawn({
            let (waiting, open) = (Arc::clone(&waiting), open.clone());
            async move {
                loop {
                    let (client, _) = listener.accept().await.unwrap();
                    let (waiting, open) = (Arc::clone(&waiting), open.subscribe());
                    tokio::spawn(pass(client, target, is_proxy, waiting, open));
                }
            }
        });
        Self {
            address,
            waiting,
            open,
            acceptor,
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

async fn pass(
    mut client: TcpStream,
    target: SocketAddr,
    is_proxy: bool,
    waiting: Arc<AtomicUsize>,
    mut open: watch::Receiver<bool>,
) {
    if is_proxy {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(client.read_u8().await.unwrap());
        }
    }
    waiting.fetch_add(1, Ordering::SeqCst);
    open.wait_for(|open| *open).await.unwrap();
    let mut server = TcpStream::connect(target).await.unwrap();
    if is_proxy {
        let established = b"HTTP/1.1 200 Connection established\r\n\r\n";
        client.write_all(established).await.unwrap();
    }
    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
}

/// A token endpoint that grants `token-1`, `token-2` and so on, unless it is down.
async fn token_endpoint(is_down: &Arc<AtomicBool>) -> Upstream {
    let (is_down, granted) = (Arc::clone(is_down), Arc::new(AtomicUsize::new(0)));
    Upstream::scripted(move |mut connection: Connection| {
        let (is_down, granted) = (Arc::clone(&is_down), Arc::clone(&granted));
        async move {
            while connection.request().await.is_some() {
                if is_down.load(Ordering::SeqCst) {
                    let down = answer("503 Service Unavailable", "", "");
                    connection.write(&down).await;
                    continue;
                }
                let number = granted.fetch_add(1, Ordering::SeqCst) + 1;
                let token = format!(
                    r#"{{"access_token":"token-{number}","token_type":"Bearer","expires_in":{}}}"#,
                    LIFETIME.as_secs()
                );
                let json = "Content-Type: application/json\r\n";
                connection.write(&answer("200 OK", json, &token)).await;
            }
        }
    })
    .await
}

/// An upstream that rejects `/replay` with `token-1`, and closes the connection of the first `/closed` when it may.
async fn upstream(tls: Arc<rustls::ServerConfig>, may_close: &watch::Sender<bool>) -> Upstream {
    let is_first = Arc::new(AtomicBool::new(true));
    let may_close = may_close.clone();
    let script = move |mut connection: Connection| {
        let (is_first, mut may_close) = (Arc::clone(&is_first), may_close.subscribe());
        async move {
            while let Some(request) = connection.request().await {
                let is_rejected = request.values("authorization") == ["Bearer token-1"];
                if request.target == "/replay" && is_rejected {
                    let unauthorized = answer("401 Unauthorized", "Connection: close\r\n", "");
                    connection.write(&unauthorized).await;
                    return;
                }
                if request.target == "/closed" && is_first.swap(false, Ordering::SeqCst) {
                    may_close.wait_for(|may| *may).await.unwrap();
                    return;
                }
                connection.write(&answer("200 OK", "", "")).await;
            }
        }
    };
    Upstream::scripted_tls(tls, script).await
}

struct Scene<'a> {
    clock: &'a StoppedClock,
    proxy: Proxy,
    upstream: Upstream,
    gate: Gate,
    may_close: watch::Sender<bool>,
    is_down: Arc<AtomicBool>,
    _endpoint: Upstream,
    _ca_file: tempfile::NamedTempFile,
}

impl<'a> Scene<'a> {
    async fn new(clock: &'a StoppedClock, wait: Wait) -> Self {
        let is_down = Arc::default();
        let endpoint = token_endpoint(&is_down).await;
        let may_close = watch::Sender::new(false);
        let (tls, ca_file) = server_certificate();
        let is_proxy = wait == Wait::CorporateProxy;
        let upstream = upstream(tls, &may_close).await;
        let gate = Gate::before(upstream.address, is_proxy).await;
        let port = gate.address.port();
        let (url, corporate) = if is_proxy {
            (
                "https://api.test".to_owned(),
                format!("http://127.0.0.1:{port}"),
            )
        } else {
            (format!("https://localhost:{port}"), String::new())
        };
        let settings = [
            ("network.ca_file", ca_file.path().to_str().unwrap()),
            ("network.proxy", &corporate),
            ("upstream.connect_timeout", "1m"),
            ("upstream.head_timeout", "1m"),
        ];
        let settings = settings.iter().filter(|(_, value)| !value.is_empty());
        let settings: Vec<_> = settings.copied().collect();
        let proxy = Proxy::with_token_url(&url, &endpoint.url(), &settings);
        within("the first token", proxy.running.tokens().obtained()).await;
        Self {
            clock,
            proxy,
            upstream,
            gate,
            may_close,
            is_down,
            _endpoint: endpoint,
            _ca_file: ca_file,
        }
    }

    /// Sends a request that waits at `wait` until its token has expired, and returns the response.
    async fn delayed_request(&self, wait: Wait, endpoint: Endpoint) -> Answer {
        let mut client = Client::connect(self.proxy.address).await;
        if matches!(wait, Wait::ClosedConnection | Wait::Replay) {
            self.gate.open.send_replace(true);
            client.send(get("/warm")).await;
            assert_eq!(client.answer().await.status, 200);
        }
        if wait == Wait::Replay {
            self.gate.open.send_replace(false);
            // Two token requests are a second apart.
            self.clock.advance(Duration::from_secs(1)).await;
        }
        let (seen, waiting) = (
            self.upstream.seen_count(),
            self.gate.waiting.load(Ordering::SeqCst),
        );
        client.send(request(wait)).await;
        self.clock
            .until(&format!("the request waits: {wait:?}"), || match wait {
                Wait::ClosedConnection => self.upstream.seen_count() > seen,
                _ => self.gate.waiting.load(Ordering::SeqCst) > waiting,
            })
            .await;
        expire(self.clock, &self.proxy, &self.is_down, endpoint).await;
        self.gate.open.send_replace(true);
        self.may_close.send_replace(true);
        self.clock.run(client.answer()).await
    }

    /// The tokens that the upstream has received, in order.
    fn tokens_sent(&self) -> Vec<String> {
        let seen = self.upstream.seen();
        let sent = seen
            .iter()
            .map(|seen| seen.values("authorization").concat());
        sent.collect()
    }
}

/// Lets the current token expire.
async fn expire(clock: &StoppedClock, proxy: &Proxy, is_down: &AtomicBool, endpoint: Endpoint) {
    let tokens = proxy.running.tokens();
    let generation = tokens.snapshot().generation;
    is_down.store(endpoint == Endpoint::IsDown, Ordering::SeqCst);
    clock.advance(LIFETIME).await;
    let newer = async || {
        while tokens.snapshot().generation == generation {
            tokio::task::yield_now().await;
        }
    };
    match endpoint {
        Endpoint::Grants => clock.run(newer()).await,
        Endpoint::IsDown => assert!(tokens.usable().is_none()),
    }
}

fn request(wait: Wait) -> String {
    match wait {
        Wait::Handshake | Wait::CorporateProxy => get("/"),
        Wait::Upgrade => "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\n\
                          Upgrade: websocket\r\n\r\n"
            .to_owned(),
        Wait::ClosedConnection => get("/closed"),
        Wait::Replay => get("/replay"),
    }
}

#[tokio::test]
async fn an_expired_token_is_never_sent() {
    let clock = StoppedClock::stop();
    for wait in WAITS {
        let scene = Scene::new(&clock, wait).await;
        let outcome = scene
            .delayed_request(wait, Endpoint::IsDown)
            .await
            .outcome();
        assert_eq!(outcome, (503, "token_unavailable".to_owned()), "{wait:?}");
        let sent_before: &[&str] = match wait {
            Wait::Handshake | Wait::CorporateProxy | Wait::Upgrade => &[],
            Wait::ClosedConnection | Wait::Replay => &["Bearer token-1", "Bearer token-1"],
        };
        assert_eq!(scene.tokens_sent(), sent_before, "{wait:?}");
    }
}

#[tokio::test]
async fn a_request_that_has_waited_is_sent_with_the_token_of_that_moment() {
    let clock = StoppedClock::stop();
    for wait in WAITS {
        let scene = Scene::new(&clock, wait).await;
        let status = scene.delayed_request(wait, Endpoint::Grants).await.status;
        assert_eq!(status, 200, "{wait:?}");
        let newest = if wait == Wait::Replay {
            "Bearer token-3"
        } else {
            "Bearer token-2"
        };
        assert_eq!(scene.tokens_sent().last().unwrap(), newest, "{wait:?}");
    }
}
