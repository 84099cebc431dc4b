//! The admin listeners, which serve `/status`, `/metrics` and the probes for all proxies of the process.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::generation::admin_guard;
use super::guard_views::NoGuard;
use super::limits::ADMIN_CONNECTIONS;
use super::running_proxy::RunningProxy;
use crate::admin::{self, AdminEndpoints};
use crate::config;
use crate::guard::Peer;
use crate::metrics::{self, Metrics};
use crate::proxy::{AccessLines, AccessLogger, UnservedResponder};
use crate::server::{self, DrainPhase, Drained, PassedSocket, RequestBody, Server, StopSignal};

/// A proxy of this process that has not started.
pub struct NotStarted<'a> {
    /// Its `guard.*`, which applies to the admin listener all the same.
    pub guard: &'a config::GuardConfig,
    /// Its name, why it has not started, and what to do.
    pub why: String,
}

/// The admin listeners. They close when this is dropped.
pub struct AdminListeners {
    /// The addresses on which they listen.
    pub addresses: Vec<SocketAddr>,
    /// The endpoints that they serve.
    pub endpoints: Arc<AdminEndpoints>,
    _tasks: JoinSet<Drained>,
    _reporters: JoinSet<()>,
    _stop: watch::Sender<DrainPhase>,
}

/// Listens on `admin.listen`, and serves the endpoints for `running` in the background of the current runtime. The
/// guards of the proxies that are `not_running` must admit a request too. Sockets among those that were `passed` are
/// used for their addresses.
///
/// # Errors
/// A listener could not be bound. If `admin.listen` is not configured, the proxies can run without it.
pub fn start_admin(
    config: &config::AdminConfig,
    running: &[RunningProxy],
    not_running: &[NotStarted<'_>],
    process: metrics::ProcessMetrics,
    passed: &mut Vec<PassedSocket>,
) -> Result<AdminListeners, server::BindError> {
    let views = running.iter().map(RunningProxy::view).collect();
    let more_guards = not_running
        .iter()
        .map(|one| admin_guard(one.guard))
        .collect();
    let why = not_running.iter().map(|one| one.why.clone()).collect();
    let metrics = Metrics::new(None);
    let stopped_tasks = metrics.stopped_tasks().clone();
    let endpoints = AdminEndpoints::new(process, views, more_guards, why, stopped_tasks.clone());
    let listens = config.listen.iter();
    let bound = listens.map(|listen| server::bind_or_take(listen, passed));
    let mut bound: Vec<server::BoundListeners> = bound.collect::<Result<_, _>>()?;
    for listeners in &mut bound {
        // Without it, requests that need to know the user are rejected; probes are not.
        let _ = listeners.identify_peers();
    }
    let addresses = bound.iter().flat_map(|bound| bound.addresses.clone());
    let addresses: Vec<SocketAddr> = addresses.collect();
    for one in running {
        one.live_config.set_admin_addresses(&addresses);
    }
    // As a number: another user may listen at another address that `localhost` stands for.
    if let Some(address) = addresses.iter().find(|address| address.ip().is_loopback()) {
        for one in running {
            let page = format!("http://{address}{}", admin::SIGN_IN_PAGE);
            one.live_config().set_sign_in_page(page);
        }
    }
    let (stop, stop_signal) = StopSignal::channel();
    let (mut tasks, mut reporters) = (JoinSet::new(), JoinSet::new());
    let limits = server::ConnectionLimits {
        connections: ADMIN_CONNECTIONS / bound.len().max(1),
        ..ADMIN_LIMITS
    };
    let history = Arc::clone(&endpoints).record_history();
    reporters.spawn(
        stopped_tasks
            .clone()
            .watch("history of the live page", history),
    );
    for bound in bound {
        let mut server = Server::new(bound, limits, Arc::clone(&metrics));
        let guard = NoGuard {
            connections: limits.connections,
        };
        let logger = AccessLogger::new(Arc::clone(&metrics), AccessLines::None);
        let reporting = Arc::clone(&logger).report_omitted();
        reporters.spawn(
            stopped_tasks
                .clone()
                .watch("log of rejected requests", reporting),
        );
        server.respond_to_unserved(Arc::new(UnservedResponder::new(guard, logger)));
        let endpoints = Arc::clone(&endpoints);
        let service = move |peer: Peer| admin::service::<RequestBody>(&endpoints, peer);
        let serving = server.serve(service, stop_signal.clone(), || Duration::ZERO);
        tasks.spawn(stopped_tasks.clone().watch("admin listener", serving));
    }
    Ok(AdminListeners {
        addresses,
        endpoints,
        _tasks: tasks,
        _reporters: reporters,
        _stop: stop,
    })
}

/// Enough for a kubelet, one or two Prometheus servers and a few users, all with short requests. Probes must get
/// through whatever other clients do, so whoever does not finish a head or does not read a response gives way soon.
const ADMIN_LIMITS: server::ConnectionLimits = server::ConnectionLimits {
    connections: ADMIN_CONNECTIONS,
    header_bytes: 16 << 10,
    streams: 0,
    header_timeout: Duration::from_secs(1),
    keep_alive: Duration::from_secs(75),
    stall_timeout: Duration::from_secs(30),
    head_grace: Duration::from_millis(10), // a probe sends its request at once
    unread_gives_way: Some(Duration::from_millis(2)),
};

#[cfg(test)]
mod tests;
