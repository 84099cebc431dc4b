//! The admin listeners: one set for all proxies of the process.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Running;
use crate::admin::{self, AdminEndpoints};
use crate::config;
use crate::guard::{Guard, Peer};
use crate::metrics::{self, Metrics};
use crate::server::{self, DrainPhase, Drained, RequestBody, Server, StopSignal};

/// The admin listeners, until they are dropped.
pub struct AdminListeners {
    /// Where they listen.
    pub addresses: Vec<SocketAddr>,
    /// What they answer from.
    pub admin: Arc<AdminEndpoints>,
    _tasks: JoinSet<Drained>,
    _order: watch::Sender<DrainPhase>,
}

/// Answers questions about `running` on `admin.listen`, to whom the guards of those that are not running,
/// `not_running`, admit as well. Must be called on the runtime that will answer.
///
/// # Errors
/// A listener could not be had. Where nobody asked for it the proxies can go on without.
pub fn start_admin(
    config: &config::AdminConfig,
    running: &[Running],
    not_running: &[&config::GuardConfig],
    process: metrics::ProcessMetrics,
) -> Result<AdminListeners, server::BindError> {
    let views = running.iter().map(Running::view).collect();
    let also = not_running.iter().copied().map(guard).collect();
    let admin = AdminEndpoints::new(process, views, also);
    let bound = config.listen.iter().map(server::bind);
    let mut bound: Vec<server::BoundListeners> = bound.collect::<Result<_, _>>()?;
    for one in &mut bound {
        // Where the system does not tell, what needs it is refused; the probes are not.
        let _ = one.identify_peers();
    }
    let addresses = bound.iter().flat_map(|bound| bound.addresses.clone());
    let addresses = addresses.collect();
    let (order, stop) = StopSignal::channel();
    let mut tasks = JoinSet::new();
    let limits = server::ConnectionLimits {
        connections: CONNECTIONS / bound.len().max(1),
        ..ADMIN_LIMITS
    };
    for bound in bound {
        let server = Server::new(bound, limits, Metrics::new(None));
        let admin = Arc::clone(&admin);
        let service = move |peer: Peer| admin::service::<RequestBody>(&admin, peer);
        tasks.spawn(server.serve(service, stop.clone(), || Duration::ZERO));
    }
    Ok(AdminListeners {
        addresses,
        admin,
        _tasks: tasks,
        _order: order,
    })
}

/// What of a proxy's guard stands in front of the admin listener: no callers, no rails.
pub(super) fn guard(config: &config::GuardConfig) -> Guard {
    Guard::new(&config::GuardConfig {
        hosts: config.hosts.clone(),
        local_users: config.local_users.clone(),
        ..config::GuardConfig::default()
    })
}

/// How many all admin listeners together may have open.
pub(super) const CONNECTIONS: usize = 64;

/// A kubelet, a Prometheus or two and a few people; a request to it is a line.
const ADMIN_LIMITS: server::ConnectionLimits = server::ConnectionLimits {
    connections: CONNECTIONS,
    header_bytes: 16 << 10,
    header_timeout: Duration::from_secs(5),
    keep_alive: Duration::from_secs(75),
    stall_timeout: Duration::from_secs(30),
};

#[cfg(test)]
mod tests;
