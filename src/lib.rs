//! The map of the crate, and the place where its rooms are put together.
//!
//! ```text
//! a request: server admits -> proxy::forward: guard, permit, authorize, headers -> upstream::send -> body
//! a token:   config -> token::refresh -> grant -> handle -> proxy::authorize
//! ```
//! `docs/architecture.md` has the whole house and which room may know which.

pub mod answer;
pub mod cli;
pub mod config;
#[cfg(feature = "demo")]
pub mod demo;
pub mod doctor;
pub mod guard;
pub mod proxy;
pub mod secret;
pub mod server;
pub mod telemetry;
pub mod token;
pub mod upstream;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use config::Config;
use proxy::{AccessLines, InFlight, Proxy, Pseudonym};
use server::{Drained, Peer, Phase, RequestBody, Server, Stop};
use token::Tokens;

/// A proxy that listens.
pub struct Running {
    /// Where it listens, all on one port.
    pub addresses: Vec<SocketAddr>,
    /// Loopback addresses that this machine does not have.
    pub absent: Vec<IpAddr>,
    /// The token and its state.
    pub tokens: Tokens,
    stop: watch::Sender<Phase>,
    ended: JoinHandle<Drained>,
}

/// Why a proxy cannot start. What can heal later (no token yet, an upstream that is away) is none of these.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener could not be had.
    #[error(transparent)]
    Bind(#[from] server::BindError),
    /// The upstream is one of our own listeners: every request would come back.
    #[error("upstream.url is this proxy itself: it listens on {listener}")]
    Loop {
        /// Which listener.
        listener: SocketAddr,
    },
    /// The certificate authorities could not be had.
    #[error(transparent)]
    Tls(#[from] upstream::TlsError),
    /// The token endpoint's client could not be made.
    #[error(transparent)]
    TokenClient(#[from] token::ClientError),
    /// A thread or its runtime could not be had.
    #[error("a worker thread could not be started")]
    Worker(#[from] std::io::Error),
}

/// Binds, then serves in the background of the runtime that this is called on.
///
/// # Errors
/// What cannot heal while running: see [`StartError`].
pub fn start(config: &Config, lines: AccessLines) -> Result<Running, StartError> {
    let tls = upstream::client_config(&config.network)?;
    let upstream_tls = upstream::with_client_certificate(&tls, &config.upstream)?;
    let bound = server::bind(&config.listen)?;
    let (addresses, absent) = (bound.addresses.clone(), bound.absent.clone());
    if let Some(listener) = proxy::own_listener(&config.upstream.url, &addresses) {
        return Err(StartError::Loop { listener });
    }
    let read_secret = secret_reader(config.token.credential.clone());
    let token_client = token::client(tls, &config.network.proxy)?;
    let (tokens, engine) = token::engine(&config.token, token_client, read_secret);
    tokio::spawn(engine.run());
    let limits = limits(config);
    let mut server = Server::new(bound, limits);
    let services = Services {
        tunnels: server.tunnels(),
        guard: guard::Guard::new(&config.guard),
        in_flight: InFlight::new(config.limits.in_flight),
        tokens: tokens.clone(),
        upstream: config.upstream.clone(),
        tls: upstream_tls,
        pseudonym: Pseudonym::draw(&config.name),
        lines,
    };
    for number in 1..config.runtime.threads {
        server.add_worker(start_worker(number, limits, services.clone())?);
    }
    let (order, stop) = Stop::channel();
    let service = services.make();
    let ended = tokio::spawn(server.serve(move |_: Peer| service.clone(), stop, config.drain));
    Ok(Running {
        addresses,
        absent,
        tokens,
        stop: order,
        ended,
    })
}

impl Running {
    /// Moves the stop on; it never goes back.
    pub fn stop(&self, phase: Phase) {
        self.stop.send_if_modified(|now| {
            let further = *now < phase;
            if further {
                *now = phase;
            }
            further
        });
    }

    /// Waits for the end, which comes after [`Phase::Draining`] has been ordered.
    pub async fn ended(&mut self) -> Drained {
        (&mut self.ended).await.unwrap_or(Drained { cut: 0 })
    }
}

fn limits(config: &Config) -> server::Limits {
    let room = server::room_for_connections().unwrap_or(usize::MAX);
    server::Limits {
        connections: config.limits.connections.min(room),
        header_bytes: config.limits.header_bytes,
        header_timeout: config.limits.header_timeout,
        keep_alive: config.limits.keep_alive,
        stall_timeout: config.upstream.stall_timeout,
    }
}

/// What every worker's service is made from.
#[derive(Clone)]
struct Services {
    guard: guard::Guard,
    in_flight: Arc<InFlight>,
    tokens: Tokens,
    upstream: config::Upstream,
    pseudonym: Pseudonym,
    tls: rustls::ClientConfig,
    lines: AccessLines,
    tunnels: server::Tunnels,
}

impl Services {
    /// One worker's service, made on that worker's runtime: its connections to the upstream stay with it.
    fn make(&self) -> impl server::Serve + use<> {
        let tunnels = self.tunnels.clone();
        let parts = proxy::Parts {
            guard: self.guard.clone(),
            in_flight: Arc::clone(&self.in_flight),
            tokens: self.tokens.clone(),
            carry_tunnel: Arc::new(move |tunnel| tunnels.carry(tunnel)),
            pseudonym: self.pseudonym.clone(),
        };
        let proxy = Arc::new(Proxy::<RequestBody>::new(parts, &self.upstream, &self.tls));
        let forgetful = Arc::downgrade(&proxy);
        tokio::spawn(drop_connections_after_sleep(
            forgetful,
            self.tokens.clock_steps(),
        ));
        proxy::service(proxy, self.lines)
    }
}

/// After a laptop's sleep the connections of before are dead, and only a timeout would tell.
async fn drop_connections_after_sleep(
    proxy: std::sync::Weak<Proxy<RequestBody>>,
    mut clock_steps: watch::Receiver<u64>,
) {
    while clock_steps.changed().await.is_ok() {
        match proxy.upgrade() {
            Some(proxy) => proxy.drop_idle_connections(),
            None => return,
        }
    }
}

/// A thread with a runtime of its own, and the way to hand connections over to it.
fn start_worker(
    number: usize,
    limits: server::Limits,
    services: Services,
) -> Result<mpsc::UnboundedSender<server::Handover>, std::io::Error> {
    let (sender, handed) = mpsc::unbounded_channel();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::Builder::new()
        .name(format!("worker-{number}"))
        .spawn(move || {
            runtime.block_on(async move {
                let service = services.make();
                server::work(handed, limits, move |_: Peer| service.clone()).await;
            });
        })?;
    Ok(sender)
}

/// The credential as the token room asks for it.
fn secret_reader(source: config::SecretSource) -> token::ReadSecret {
    let source = Arc::new(source);
    Arc::new(move || {
        let source = Arc::clone(&source);
        Box::pin(async move { source.read().await.map_err(Into::into) })
    })
}
