//! The data path of each worker: made from one blueprint, on that worker's own runtime, since its connections to
//! the upstream stay with it; and made anew when the blueprint is replaced.

use std::sync::{Arc, Weak};

use tokio::sync::watch;

use super::identity::{Identity, Keys};
use crate::config::Config;
use crate::guard::Guard;
use crate::metrics::Metrics;
use crate::proxy::{self, AccessLogger, CurrentProxy, Proxy, ViaName};
use crate::server;

/// What every worker's data path is made from.
#[derive(Clone)]
pub(super) struct Blueprint {
    pub(super) config: Arc<Config>,
    pub(super) guard: Guard,
    /// In front of the admin listener, as far as this proxy is concerned.
    pub(super) admin_guard: Guard,
    pub(super) identity: Arc<Identity>,
    /// With the upstream's client certificate.
    pub(super) tls: rustls::ClientConfig,
    /// Follows the files of the callers' keys, as long as the guard that has them is in use.
    pub(super) _keys: Arc<Keys>,
}

/// What stays as long as the process.
#[derive(Clone)]
pub(super) struct Fixed {
    pub(super) metrics: Arc<Metrics>,
    pub(super) via_name: ViaName,
    pub(super) tunnels: server::Tunnels,
    pub(super) access_logger: Arc<AccessLogger>,
}

/// Follows the blueprint of its proxy.
pub(super) type Blueprints = watch::Receiver<Arc<Blueprint>>;

/// One worker's part of a proxy, before it runs.
pub(super) struct Worker {
    fixed: Fixed,
    blueprints: Blueprints,
}

impl Worker {
    pub(super) fn new(fixed: Fixed, blueprints: Blueprints) -> Self {
        Self { fixed, blueprints }
    }

    /// The data path, on the runtime that this is called on, and what its requests are accounted with.
    pub(super) fn start(mut self) -> (Arc<CurrentProxy>, Arc<AccessLogger>) {
        let blueprint = Arc::clone(&self.blueprints.borrow_and_update());
        let current = CurrentProxy::new(self.make(&blueprint));
        let access_logger = Arc::clone(&self.fixed.access_logger);
        tokio::spawn(self.follow(Arc::downgrade(&current)));
        (current, access_logger)
    }

    fn make(&self, blueprint: &Blueprint) -> Proxy {
        let tunnels = self.fixed.tunnels.clone();
        let dependencies = proxy::Dependencies {
            guard: blueprint.guard.clone(),
            in_flight: blueprint.config.limits.in_flight,
            metrics: Arc::clone(&self.fixed.metrics),
            tokens: blueprint.identity.tokens.clone(),
            carry_tunnel: Arc::new(move |tunnel| tunnels.spawn(tunnel)),
            via_name: self.fixed.via_name.clone(),
            keep_alive: Arc::clone(&blueprint.identity) as _,
        };
        Proxy::new(dependencies, &blueprint.config.upstream, &blueprint.tls)
    }

    /// Replaces the data path with its blueprint. After a laptop's sleep the connections of before are dead,
    /// and only a timeout would tell: those are dropped.
    async fn follow(mut self, current: Weak<CurrentProxy>) {
        let mut clock_steps = self.clock_steps();
        loop {
            tokio::select! {
                replaced = self.blueprints.changed() => {
                    let (Ok(()), Some(current)) = (replaced, current.upgrade()) else { return };
                    let blueprint = Arc::clone(&self.blueprints.borrow_and_update());
                    clock_steps = self.clock_steps();
                    current.replace(self.make(&blueprint));
                }
                Ok(()) = clock_steps.changed() => match current.upgrade() {
                    Some(current) => current.get().drop_idle_connections(),
                    None => return,
                },
            }
        }
    }

    fn clock_steps(&self) -> watch::Receiver<u64> {
        self.blueprints.borrow().identity.tokens.clock_steps()
    }
}
