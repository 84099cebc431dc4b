//! One proxy as it runs: its listener, its identity, and the data path that requests take now.
//!
//! Puts the rooms below it together. `serving` is what a changed configuration replaces, `data_path` what each
//! worker makes of it, `admin` the listener that answers for all proxies of the process. When something is
//! replaced is not decided here, but in `reload`.

mod admin;
mod data_path;
mod identity;
mod notes;
mod serving;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::admin::ProxyView;
use crate::config::{self, Config, LocalUsers};
use crate::guard::Peer;
use crate::metrics::Metrics;
use crate::net;
use crate::proxy::{self, AccessLines, AccessLogger, ViaName};
use crate::server::{self, DrainPhase, Drained, Server, StopSignal};
use crate::token::{self, Tokens};

use data_path::{Fixed, Worker};

pub use admin::{AdminListeners, start_admin};
pub use notes::Notes;
pub use serving::{Prepared, Serving};

/// A proxy that listens.
pub struct Running {
    /// `name`.
    pub name: String,
    /// Where it listens, all on one port; none where that is a unix socket.
    pub addresses: Vec<SocketAddr>,
    /// Loopback addresses that this machine does not have.
    pub absent: Vec<IpAddr>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    listens_on: Vec<String>,
    since: Instant,
    serving: Arc<Serving>,
    stop: watch::Sender<DrainPhase>,
    serve: JoinHandle<Drained>,
    drained: Option<Drained>,
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
    /// Everybody who reaches the listener would be admitted. A configuration that changes `listen` too is no
    /// exception: the listener stays until a restart.
    #[error(
        "this proxy listens on {listener}, which is not loopback, guard.network is \"keyed\", and no caller has a \
         key: restart it with the changed listen, or give a caller of guard.callers a key"
    )]
    OpenToNetwork {
        /// Which listener.
        listener: SocketAddr,
    },
    /// `guard.local_users` wants to know who connects, and the system does not tell.
    #[error("the system does not tell which user opened a loopback connection (sock_diag)")]
    UnknownUsers(#[source] std::io::Error),
    /// The certificate authorities could not be had.
    #[error(transparent)]
    Tls(#[from] net::TlsSetupError),
    /// The token endpoint's client could not be made.
    #[error(transparent)]
    TokenClient(#[from] token::ClientError),
    /// A thread or its runtime could not be had.
    #[error("a worker thread could not be started")]
    Worker(#[from] std::io::Error),
}

/// How a proxy is one of this process's.
#[derive(Debug, Clone, Copy)]
pub struct Among {
    /// Which requests get a line in the log.
    pub lines: AccessLines,
    /// How many proxies share the process: each gets its part of the descriptors, and its name as a label.
    pub proxies: usize,
}

/// Binds, then serves in the background of the runtime that this is called on: the only proxy of the process.
///
/// # Errors
/// What cannot heal while running: see [`StartError`].
pub fn start(config: &Config, lines: AccessLines) -> Result<Running, StartError> {
    start_among(config, Among { lines, proxies: 1 })
}

/// As [`start`], with other proxies beside it.
///
/// # Errors
/// The same.
pub fn start_among(config: &Config, among: Among) -> Result<Running, StartError> {
    let mut bound = server::bind(&config.listen)?;
    let users_unknown = bound.identify_peers().err();
    if config.guard.local_users != LocalUsers::Any
        && let Some(error) = users_unknown
    {
        return Err(StartError::UnknownUsers(error));
    }
    let knows_users = users_unknown.is_none();
    let (addresses, absent) = (bound.addresses.clone(), bound.absent.clone());
    let metrics = Metrics::new((among.proxies > 1).then_some(&config.name));
    let mut server = Server::new(bound, limits(config, among.proxies), Arc::clone(&metrics));
    server.reject_when_full({
        let (metrics, bounds) = (Arc::clone(&metrics), server.live_limits());
        Arc::new(move || proxy::too_many_connections(&metrics, bounds.connections()))
    });
    let fixed = Fixed {
        metrics: Arc::clone(&metrics),
        via_name: ViaName::generate(&config.name),
        tunnels: server.tunnels(),
        access_logger: AccessLogger::new(Arc::clone(&metrics), among.lines),
    };
    let place = serving::Place {
        addresses: addresses.clone(),
        knows_users,
        bounds: server.live_limits(),
        proxies: among.proxies,
        name: metrics.proxy().map(str::to_owned),
        access_logger: Arc::clone(&fixed.access_logger),
    };
    let (serving, keys_read) = Serving::new(config, place)?;
    for number in 1..config.runtime.threads {
        let worker = Worker::new(fixed.clone(), serving.blueprints());
        server.add_worker(start_worker(number, worker)?);
    }
    let (order, stop) = StopSignal::channel();
    let (current, access_logger) = Worker::new(fixed, serving.blueprints()).start();
    let service = move |peer: Peer| proxy::service(&current, peer, &access_logger);
    let patience = Arc::clone(&serving);
    let serving_all = server.serve(service, stop, move || patience.drain());
    let serve = tokio::spawn(async move {
        // Until the callers' keys are there, connections wait in the backlog.
        let _ = keys_read.await;
        serving_all.await
    });
    Ok(Running {
        name: config.name.clone(),
        listens_on: typed(&config.listen, &addresses),
        addresses,
        absent,
        metrics,
        since: Instant::now(),
        serving,
        stop: order,
        serve,
        drained: None,
    })
}

impl Running {
    /// The token that requests are sent with now, and its state.
    #[must_use]
    pub fn tokens(&self) -> Tokens {
        self.serving.tokens()
    }

    /// What a changed configuration replaces.
    #[must_use]
    pub fn serving(&self) -> &Arc<Serving> {
        &self.serving
    }

    /// What the admin listener may tell of it.
    fn view(&self) -> ProxyView {
        let stop = self.stop.subscribe();
        let asked = |ask: fn(&Serving) -> String| -> Arc<dyn Fn() -> String + Send + Sync> {
            let serving = Arc::clone(&self.serving);
            Arc::new(move || ask(&serving))
        };
        let (tokens, guard, notes, pending) = (
            Arc::clone(&self.serving),
            Arc::clone(&self.serving),
            Arc::clone(&self.serving),
            Arc::clone(&self.serving),
        );
        ProxyView {
            name: self.name.clone(),
            listens_on: self.listens_on.clone(),
            upstream: asked(Serving::upstream),
            token_from: asked(Serving::token_from),
            since: self.since,
            tokens: Arc::new(move || tokens.tokens()),
            guard: Arc::new(move || guard.admin_guard()),
            metrics: Arc::clone(&self.metrics),
            is_stopping: Arc::new(move || *stop.borrow() > DrainPhase::Running),
            notes: Arc::new(move || notes.notes().lines()),
            has_pending_change: Arc::new(move || pending.notes().has_pending_change()),
        }
    }

    /// Moves the stop on; it never goes back.
    pub fn stop(&self, phase: DrainPhase) {
        self.order().give(phase);
    }

    /// The way to stop it while its end is awaited.
    #[must_use]
    pub fn order(&self) -> Order {
        Order(self.stop.clone())
    }

    /// Waits for the end, which comes after [`DrainPhase::Draining`] has been ordered. Can be dropped and called anew.
    pub async fn ended(&mut self) -> Drained {
        if let Some(drained) = self.drained {
            return drained;
        }
        let drained = (&mut self.serve).await.unwrap_or(Drained { cut: 0 });
        *self.drained.insert(drained)
    }
}

/// Orders a proxy to stop.
#[derive(Debug, Clone)]
pub struct Order(watch::Sender<DrainPhase>);

impl Order {
    /// Moves the stop on; it never goes back.
    pub fn give(&self, phase: DrainPhase) {
        self.0.send_if_modified(|now| {
            let further = *now < phase;
            if further {
                *now = phase;
            }
            further
        });
    }
}

/// What a server may hold, where `proxies` share the process's descriptors.
fn limits(config: &Config, proxies: usize) -> server::ConnectionLimits {
    let room = server::connections_per_proxy(proxies, admin::CONNECTIONS).unwrap_or(usize::MAX);
    server::ConnectionLimits {
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

/// A thread with a runtime of its own, and the way to hand connections over to it.
fn start_worker(
    number: usize,
    worker: Worker,
) -> Result<mpsc::UnboundedSender<server::Handover>, std::io::Error> {
    let (sender, handed) = mpsc::unbounded_channel();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::Builder::new()
        .name(format!("worker-{number}"))
        .spawn(move || {
            runtime.block_on(async move {
                let (current, access_logger) = worker.start();
                let service = move |peer: Peer| proxy::service(&current, peer, &access_logger);
                server::run_worker(handed, service).await;
            });
        })?;
    Ok(sender)
}
