//! One running proxy and its live configuration: the only room that puts the listener, the guard, the token and the
//! upstream together.
//!
//! A `generation` is a configuration with everything that it needs to serve, prepared or live. `live_config` holds the
//! live one and swaps it, and each `worker` builds its proxy from it. `admin_listeners` serve all proxies of the
//! process. `reload` decides when a generation is replaced.

mod admin_listeners;
mod certificates;
mod generation;
mod guard_views;
mod identity;
mod limits;
mod listen_context;
mod live_config;
mod notes;
mod presented_certificate;
mod running_proxy;
mod start_error;
mod tls_files;
mod worker;

use std::sync::{Arc, OnceLock};

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::config::{Config, LocalUsers};
use crate::guard::Peer;
use crate::login::Logins;
use crate::metrics::Metrics;
use crate::proxy::{self, AccessLines, AccessLogger, DocumentStore, UnservedResponder, ViaName};
use crate::server::{self, PassedSocket, Server, StopSignal};
use crate::token::{AttemptCounter, LoginSessions, SignInPage};

use guard_views::LiveGuard;
use limits::connection_limits;
use listen_context::ListenContext;
use worker::{SharedParts, WorkerProxy};

pub use admin_listeners::{AdminListeners, NotStarted, start_admin};
pub use generation::{ConfigGeneration, Guards};
pub use live_config::{DrainTimeouts, LiveConfig, RenewalError, WorkerStopped};
pub use notes::{ConfigNotes, PendingIdentity};
pub use running_proxy::{RunningProxy, StopHandle};
pub use start_error::StartError;

/// What a proxy needs to know about its process.
#[derive(Debug, Clone, Copy)]
pub struct ProcessContext {
    /// Which requests get a line in the access log.
    pub lines: AccessLines,
    /// How many proxies share the process. Each gets its share of the descriptors, and its name as a label if there are
    /// several.
    pub proxies: usize,
}

/// Starts the only proxy of the process: binds, then serves in the background of the current runtime.
///
/// # Errors
/// What cannot recover while the proxy runs: see [`StartError`].
pub fn start(config: &Config, lines: AccessLines) -> Result<RunningProxy, StartError> {
    let process = ProcessContext { lines, proxies: 1 };
    start_one_of(config, process, &mut Vec::new())
}

/// Starts one of several proxies, like [`start`]. If there are sockets for its addresses among those that were
/// `passed`, it takes them.
///
/// # Errors
/// The same.
pub fn start_one_of(
    config: &Config,
    process: ProcessContext,
    passed: &mut Vec<PassedSocket>,
) -> Result<RunningProxy, StartError> {
    let mut bound = server::bind_or_take(&config.listen, passed)?;
    let users_unknown = bound.identify_peers().err();
    if config.guard.local_users != LocalUsers::Any
        && let Some(error) = users_unknown
    {
        return Err(StartError::of_user_lookup(error));
    }
    let knows_users = users_unknown.is_none();
    let (addresses, absent) = (bound.addresses.clone(), bound.absent.clone());
    let metrics = Metrics::new((process.proxies > 1).then_some(&config.name));
    let limits = connection_limits(config, process.proxies);
    let mut server = Server::new(bound, limits, Arc::clone(&metrics));
    server.reject_when_full();
    let shared = SharedParts {
        metrics: Arc::clone(&metrics),
        via_name: ViaName::generate(&config.name),
        documents: DocumentStore::new(metrics.proxy()),
        tunnels: server.tunnels(),
        access_logger: AccessLogger::new(Arc::clone(&metrics), process.lines),
    };
    let name = metrics.proxy().map(str::to_owned);
    let context = ListenContext {
        listen: config.listen.clone(),
        addresses: addresses.clone(),
        admin_addresses: OnceLock::new(),
        knows_users,
        limits: server.live_limits(),
        tls: server.live_tls(),
        proxies: process.proxies,
        name: name.clone(),
        access_logger: Arc::clone(&shared.access_logger),
        stopped_tasks: metrics.stopped_tasks().clone(),
        attempts: AttemptCounter::default(),
        sign_in_page: SignInPage::default(),
        login_sessions: LoginSessions::default(),
        logins: Logins::new(name, metrics.stopped_tasks().clone()),
    };
    let (live_config, keys_read) = LiveConfig::new(config, context)?;
    server.respond_to_unserved(Arc::new(UnservedResponder::new(
        LiveGuard(Arc::downgrade(&live_config)),
        Arc::clone(&shared.access_logger),
    )));
    for number in 1..config.runtime.threads {
        let worker = WorkerProxy::new(shared.clone(), live_config.add_worker());
        server.add_worker(start_worker(number, worker)?);
    }
    let (stop, stop_signal) = StopSignal::channel();
    let reporter = Arc::clone(&shared.access_logger);
    let (current, access_logger) = WorkerProxy::new(shared, live_config.add_worker()).start();
    let service = move |peer: Peer| proxy::service(&current, peer, &access_logger);
    let live = Arc::clone(&live_config);
    let serving = server.serve(service, stop_signal, move || live.drain_timeouts().drain);
    let serving = async move {
        // Connections wait in the backlog until the keys of the callers have been read.
        let _ = keys_read.await;
        serving.await
    };
    follow(&live_config, &metrics, config.name.clone(), reporter);
    let server = tokio::spawn(metrics.stopped_tasks().clone().watch("listener", serving));
    Ok(RunningProxy {
        name: config.name.clone(),
        listen: config.listen.clone(),
        addresses,
        absent,
        metrics,
        since: Instant::now(),
        live_config,
        stop: StopHandle(stop),
        server,
        drained: None,
    })
}

/// Starts what runs beside the proxy: it follows the certificates, and reports rejected requests.
fn follow(
    live_config: &Arc<LiveConfig>,
    metrics: &Arc<Metrics>,
    name: String,
    reporter: Arc<AccessLogger>,
) {
    let tasks = metrics.stopped_tasks();
    let certificates = certificates::follow(Arc::downgrade(live_config), Arc::clone(metrics), name);
    tokio::spawn(tasks.clone().watch("certificates", certificates));
    let reporting = reporter.report_omitted();
    tokio::spawn(tasks.clone().watch("log of rejected requests", reporting));
}

/// Starts a worker on a thread with its own runtime. Returns the sender for its connections.
fn start_worker(
    number: usize,
    worker: WorkerProxy,
) -> Result<mpsc::UnboundedSender<server::Handover>, std::io::Error> {
    let (sender, handovers) = mpsc::unbounded_channel();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let stopped_tasks = worker.stopped_tasks();
    std::thread::Builder::new()
        .name(format!("worker-{number}"))
        .spawn(move || {
            let serving = async move {
                let (current, access_logger) = worker.start();
                let service = move |peer: Peer| proxy::service(&current, peer, &access_logger);
                server::run_worker(handovers, service).await;
            };
            runtime.block_on(stopped_tasks.watch("worker", serving));
        })?;
    Ok(sender)
}
