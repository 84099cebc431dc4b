//! The proxy of each worker. A worker builds it from the live generation on its own runtime, because its upstream
//! connections stay there, and builds it anew when the generation is replaced.

use std::sync::{Arc, Weak};

use tokio::sync::watch;

use super::generation::{ConfigGeneration, GenerationReceiver};
use crate::config::LoginPages;
use crate::metrics::{Metrics, StoppedTasks};
use crate::proxy::{self, AccessLogger, CurrentProxy, DocumentStore, Proxy, ViaName};
use crate::server;

/// What all generations of a proxy share.
#[derive(Clone)]
pub(super) struct SharedParts {
    pub(super) metrics: Arc<Metrics>,
    pub(super) via_name: ViaName,
    pub(super) documents: Arc<DocumentStore>,
    pub(super) tunnels: server::Tunnels,
    pub(super) access_logger: Arc<AccessLogger>,
}

/// What a worker follows, and where it says how far it has got.
pub(super) struct GenerationFollower {
    pub(super) generations: GenerationReceiver,
    /// The number of the generation that the worker serves.
    pub(super) served: watch::Sender<u64>,
}

/// Builds and replaces the proxy of one worker.
pub(super) struct WorkerProxy {
    shared: SharedParts,
    generations: GenerationReceiver,
    served: watch::Sender<u64>,
}

impl WorkerProxy {
    pub(super) fn new(shared: SharedParts, follower: GenerationFollower) -> Self {
        Self {
            shared,
            generations: follower.generations,
            served: follower.served,
        }
    }

    pub(super) fn stopped_tasks(&self) -> StoppedTasks {
        self.shared.metrics.stopped_tasks().clone()
    }

    /// Starts the proxy on the current runtime. Returns it, and the logger of its requests.
    pub(super) fn start(mut self) -> (Arc<CurrentProxy>, Arc<AccessLogger>) {
        let generation = Arc::clone(&self.generations.borrow_and_update());
        let current = CurrentProxy::new(self.build(&generation));
        let access_logger = Arc::clone(&self.shared.access_logger);
        let tasks = self.stopped_tasks();
        let following = self.follow(Arc::downgrade(&current));
        tokio::spawn(tasks.watch("configuration of a worker", following));
        (current, access_logger)
    }

    fn build(&self, generation: &ConfigGeneration) -> Proxy {
        let tunnels = self.shared.tunnels.clone();
        let callers = &generation.config.guard.callers;
        let dependencies = proxy::Dependencies {
            guard: generation.guards.data.clone(),
            in_flight: generation.config.limits.in_flight,
            metrics: Arc::clone(&self.shared.metrics),
            tokens: generation.identity.tokens.clone(),
            token_field: generation.config.token.field().clone(),
            login_pages: LoginPages::of(&generation.config.upstream.url, &generation.config.token),
            carry_tunnel: Arc::new(move |tunnel| tunnels.spawn(tunnel)),
            via_name: self.shared.via_name.clone(),
            documents: Arc::clone(&self.shared.documents),
            asks_for_key: callers.iter().any(|caller| caller.key.is_some()),
            keep_alive: Arc::clone(&generation.identity) as _,
        };
        Proxy::new(
            dependencies,
            &generation.config.upstream,
            &generation.tls.upstream.config,
        )
    }

    /// Replaces the proxy whenever its generation is replaced. Ends only with the worker. When the clock steps, as
    /// after a laptop's sleep, it drops idle connections, which are dead although only a timeout would reveal it.
    async fn follow(mut self, current: Weak<CurrentProxy>) {
        let mut clock_steps = self.clock_steps();
        loop {
            tokio::select! {
                replaced = self.generations.changed() => {
                    let (Ok(()), Some(current)) = (replaced, current.upgrade()) else { return };
                    let generation = Arc::clone(&self.generations.borrow_and_update());
                    clock_steps = self.clock_steps();
                    current.replace(self.build(&generation));
                    self.served.send_replace(generation.number);
                }
                Ok(()) = clock_steps.changed() => match current.upgrade() {
                    Some(current) => current.get().drop_idle_connections(),
                    None => return,
                },
            }
        }
    }

    fn clock_steps(&self) -> watch::Receiver<u64> {
        self.generations.borrow().identity.tokens.clock_steps()
    }
}
