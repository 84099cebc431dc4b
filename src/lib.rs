//! The map of the crate, and the place where its rooms are put together.
//!
//! ```text
//! a request: server admits -> proxy::forward: guard, permit, authorize, headers -> upstream::send -> body
//! a token:   config -> token::refresh -> grant -> handle -> proxy::authorize
//! ```
//! `docs/architecture.md` has the whole house and which room may know which.

pub mod admin;
pub mod answer;
pub mod cli;
pub mod config;
#[cfg(feature = "demo")]
pub mod demo;
pub mod doctor;
pub mod guard;
pub mod metrics;
pub mod proxy;
pub mod secret;
pub mod server;
pub mod telemetry;
pub mod token;
pub mod upstream;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use admin::{Admin, View};
use config::{Config, LocalUsers};
use guard::{Callers, KeyWatch, Peer};
use metrics::Metrics;
use proxy::{AccessLines, Current, Proxy, Pseudonym};
use server::{Drained, Phase, RequestBody, Server, Stop};
use token::Tokens;

/// A proxy that listens.
pub struct Running {
    /// Where it listens, all on one port; none where that is a unix socket.
    pub addresses: Vec<SocketAddr>,
    /// Loopback addresses that this machine does not have.
    pub absent: Vec<IpAddr>,
    /// The token and its state.
    pub tokens: Tokens,
    /// What is counted.
    pub metrics: Arc<Metrics>,
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
    /// `guard.local_users` wants to know who connects, and the system does not tell.
    #[error("the system does not tell which user opened a loopback connection (sock_diag)")]
    UnknownUsers(#[source] std::io::Error),
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
    let mut bound = server::bind(&config.listen)?;
    if let Err(error) = bound.identify_peers()
        && config.guard.local_users != LocalUsers::Any
    {
        return Err(StartError::UnknownUsers(error));
    }
    let (addresses, absent) = (bound.addresses.clone(), bound.absent.clone());
    if let Some(listener) = proxy::own_listener(&config.upstream.url, &addresses) {
        return Err(StartError::Loop { listener });
    }
    let read_secret = secret_reader(config.token.credential.clone());
    let token_client = token::client(tls, &config.network.proxy)?;
    let (tokens, engine) = token::engine(&config.token, token_client, read_secret);
    tokio::spawn(engine.run());
    let limits = limits(config);
    let metrics = Metrics::new(None);
    let mut server = Server::new(bound, limits, Arc::clone(&metrics));
    server.refuse_with({
        let metrics = Arc::clone(&metrics);
        Arc::new(move || proxy::saturated(&metrics, limits.connections))
    });
    let services = Services {
        tunnels: server.tunnels(),
        guard: guard::Guard::new(&config.guard),
        in_flight: config.limits.in_flight,
        metrics: Arc::clone(&metrics),
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
    let current = services.make();
    let service = {
        let metrics = Arc::clone(&metrics);
        move |peer: Peer| proxy::service(&current, peer, lines, Arc::clone(&metrics))
    };
    let serving = server.serve(service, stop, config.drain);
    let ended = tokio::spawn(with_keys(services.guard.callers(), serving));
    Ok(Running {
        addresses,
        absent,
        tokens,
        metrics,
        stop: order,
        ended,
    })
}

impl Running {
    /// What the admin listener may tell of it.
    fn view(&self, config: &Config) -> View {
        let tokens = self.tokens.clone();
        let stop = self.stop.subscribe();
        View {
            name: config.name.clone(),
            listens_on: typed(&config.listen, &self.addresses),
            upstream: format!(
                "{}://{}",
                config.upstream.url.scheme, config.upstream.url.authority
            ),
            token_from: config.token.endpoint.to_string(),
            since: Instant::now(),
            tokens: Arc::new(move || tokens.clone()),
            metrics: Arc::clone(&self.metrics),
            is_stopping: Arc::new(move || *stop.borrow() > Phase::Running),
            notes: Arc::new(Vec::new),
        }
    }

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

/// Serves once the callers' keys are there (until then connections wait in the backlog), and follows them.
async fn with_keys<T>(callers: Option<Arc<Callers>>, serving: impl Future<Output = T>) -> T {
    let Some(callers) = callers else {
        return serving.await;
    };
    let watch = KeyWatch::load(callers).await;
    tokio::select! {
        served = serving => served,
        never = watch.follow() => match never {},
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

/// Addresses as they are typed; a unix socket has none but its own.
fn typed(listen: &config::Listen, addresses: &[SocketAddr]) -> Vec<String> {
    if addresses.is_empty() {
        return vec![listen.to_string()];
    }
    addresses
        .iter()
        .map(|address| format!("http://{address}"))
        .collect()
}

/// The admin listeners, until they are dropped.
pub struct AdminListeners {
    /// Where they listen.
    pub addresses: Vec<SocketAddr>,
    /// What they answer from.
    pub admin: Arc<Admin>,
    _tasks: JoinSet<Drained>,
    _order: watch::Sender<Phase>,
}

/// Answers questions about `running` on `admin.listen`. Must be called on the runtime that will answer.
///
/// # Errors
/// A listener could not be had. Where nobody asked for it the proxy can go on without.
pub fn start_admin(
    config: &Config,
    running: &Running,
    process: metrics::Process,
) -> Result<AdminListeners, server::BindError> {
    let guard = guard::Guard::new(&config::Guard {
        hosts: config.guard.hosts.clone(),
        local_users: config.guard.local_users.clone(),
        ..config::Guard::default()
    });
    let admin = Admin::new(guard, process, vec![running.view(config)]);
    let bound = config.admin.listen.iter().map(server::bind);
    let mut bound: Vec<server::Bound> = bound.collect::<Result<_, _>>()?;
    for one in &mut bound {
        // Where the system does not tell, what needs it is refused; the probes are not.
        let _ = one.identify_peers();
    }
    let addresses = bound.iter().flat_map(|bound| bound.addresses.clone());
    let addresses = addresses.collect();
    let (order, stop) = Stop::channel();
    let mut tasks = JoinSet::new();
    for bound in bound {
        let server = Server::new(bound, ADMIN_LIMITS, Metrics::new(None));
        let admin = Arc::clone(&admin);
        let service = move |peer: Peer| admin::service::<RequestBody>(&admin, peer);
        tasks.spawn(server.serve(service, stop.clone(), Duration::ZERO));
    }
    Ok(AdminListeners {
        addresses,
        admin,
        _tasks: tasks,
        _order: order,
    })
}

/// A kubelet, a Prometheus or two and a few people; a request to it is a line.
const ADMIN_LIMITS: server::Limits = server::Limits {
    connections: 64,
    header_bytes: 16 << 10,
    header_timeout: Duration::from_secs(5),
    keep_alive: Duration::from_secs(75),
    stall_timeout: Duration::from_secs(30),
};

/// What every worker's service is made from.
#[derive(Clone)]
struct Services {
    guard: guard::Guard,
    in_flight: usize,
    metrics: Arc<Metrics>,
    tokens: Tokens,
    upstream: config::Upstream,
    pseudonym: Pseudonym,
    tls: rustls::ClientConfig,
    lines: AccessLines,
    tunnels: server::Tunnels,
}

impl Services {
    /// One worker's data path, made on that worker's runtime: its connections to the upstream stay with it.
    fn make(&self) -> Arc<Current<RequestBody>> {
        let tunnels = self.tunnels.clone();
        let parts = proxy::Parts {
            guard: self.guard.clone(),
            in_flight: self.in_flight,
            metrics: Arc::clone(&self.metrics),
            tokens: self.tokens.clone(),
            carry_tunnel: Arc::new(move |tunnel| tunnels.carry(tunnel)),
            pseudonym: self.pseudonym.clone(),
        };
        let current = Current::new(Proxy::new(parts, &self.upstream, &self.tls));
        let forgetful = Arc::downgrade(&current);
        tokio::spawn(drop_connections_after_sleep(
            forgetful,
            self.tokens.clock_steps(),
        ));
        current
    }
}

/// After a laptop's sleep the connections of before are dead, and only a timeout would tell.
async fn drop_connections_after_sleep(
    current: std::sync::Weak<Current<RequestBody>>,
    mut clock_steps: watch::Receiver<u64>,
) {
    while clock_steps.changed().await.is_ok() {
        match current.upgrade() {
            Some(current) => current.get().drop_idle_connections(),
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
                let current = services.make();
                let service = move |peer: Peer| {
                    let metrics = Arc::clone(&services.metrics);
                    proxy::service(&current, peer, services.lines, metrics)
                };
                server::work(handed, limits, service).await;
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
