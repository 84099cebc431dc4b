//! The configuration that requests are served with, and how another one replaces it: a new generation is prepared beside
//! it, then swapped in for all workers at once. Requests in flight keep the generation that they began with.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use super::generation::{ConfigGeneration, GenerationReceiver};
use super::identity::Identity;
use super::limits::connection_limits;
use super::listen_context::ListenContext;
use super::notes::ConfigNotes;
use super::start_error::StartError;
use crate::config::{self, Config};
use crate::guard::Guard;
use crate::net;
use crate::proxy::AccessLines;
use crate::token::Tokens;

/// The live configuration of one proxy.
pub struct LiveConfig {
    context: ListenContext,
    /// The live generation. Workers follow `followed`, which may be more restricted.
    live: Mutex<Arc<ConfigGeneration>>,
    followed: watch::Sender<Arc<ConfigGeneration>>,
    drain_timeouts: Mutex<DrainTimeouts>,
    notes: ConfigNotes,
}

/// How long a stop may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrainTimeouts {
    /// `drain`: how long requests in flight may take to finish.
    pub drain: Duration,
    /// `drain_delay`: how long the proxy still accepts connections, while it is no longer ready.
    pub drain_delay: Duration,
}

impl DrainTimeouts {
    /// The timeouts of a configuration.
    #[must_use]
    pub const fn of(config: &Config) -> Self {
        Self {
            drain: config.drain,
            drain_delay: config.drain_delay,
        }
    }
}

impl LiveConfig {
    /// Builds the first generation. The receiver is that of `ConfigGeneration::new`.
    pub(super) fn new(
        config: &Config,
        context: ListenContext,
    ) -> Result<(Arc<Self>, oneshot::Receiver<()>), StartError> {
        let tls = net::client_config(&config.network)?;
        context.check(config)?;
        let identity = Identity::start(config, tls, context.name.clone());
        let tls = net::with_client_certificate(
            &identity.tls,
            config.upstream.client_certificate.as_ref(),
        )?;
        let (generation, keys_read) =
            ConfigGeneration::new(config, identity, tls, context.name.clone());
        let generation = Arc::new(generation);
        let live = Self {
            context,
            live: Mutex::new(Arc::clone(&generation)),
            followed: watch::Sender::new(generation),
            drain_timeouts: Mutex::new(DrainTimeouts::of(config)),
            notes: ConfigNotes::default(),
        };
        Ok((Arc::new(live), keys_read))
    }

    /// Prepares a generation without changing anything for requests: reads its certificates and the keys of its callers,
    /// and starts to request a token if it has a `new_identity`.
    ///
    /// # Errors
    /// The same as at the start.
    pub async fn prepare(
        &self,
        config: &Config,
        new_identity: bool,
    ) -> Result<Arc<ConfigGeneration>, StartError> {
        self.context.check(config)?;
        let identity = if new_identity {
            let network = config.network.clone();
            // Reading the system's certificate authorities takes milliseconds, which must not delay requests.
            let tls = tokio::task::spawn_blocking(move || net::client_config(&network));
            let tls = tls.await.map_err(std::io::Error::other)??;
            Identity::start(config, tls, self.context.name.clone())
        } else {
            Arc::clone(&self.live().identity)
        };
        let (tls, certificate) = (
            identity.tls.clone(),
            config.upstream.client_certificate.clone(),
        );
        // A file system that does not respond must not delay requests.
        let tls = tokio::task::spawn_blocking(move || {
            net::with_client_certificate(&tls, certificate.as_ref())
        });
        let tls = tls.await.map_err(std::io::Error::other)??;
        let name = self.context.name.clone();
        let (generation, keys_read) = ConfigGeneration::new(config, identity, tls, name);
        let _ = keys_read.await; // fails if there are no callers
        Ok(Arc::new(generation))
    }

    /// Serves requests with this generation from now on. Requests in flight keep theirs.
    pub fn replace(&self, generation: Arc<ConfigGeneration>) {
        let before = self.live();
        if !Arc::ptr_eq(&generation.identity, &before.identity) {
            let tokens = &generation.identity.tokens;
            tokens.add_counts_of(&before.identity.tokens);
        }
        before.guard.succeeded_by(&generation.guard);
        let limits = connection_limits(&generation.config, self.context.proxies);
        self.context.limits.set(limits);
        *self.live.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&generation);
        self.followed.send_replace(generation);
    }

    /// Admits only what both the live and the `prepared` generation admit, until [`Self::replace`] or [`Self::unrestrict`].
    pub fn restrict(&self, prepared: &ConfigGeneration) {
        let live = self.live();
        live.guard.restrict_leases(Some(&prepared.guard));
        self.followed
            .send_replace(Arc::new(live.restricted_by(prepared)));
    }

    /// Lifts the restriction.
    pub fn unrestrict(&self) {
        let live = self.live();
        live.guard.restrict_leases(None);
        self.followed.send_replace(live);
    }

    /// Must be called for each configuration `next` that may replace this one. If `next` has another token endpoint or
    /// client, a changed credential is meant for that one, so the live identity keeps the one that it has read. A later
    /// configuration with the same endpoint and client lifts that.
    pub fn hold_credential(&self, next: &Config) {
        let live = self.live();
        let (current, next) = (&live.config.token, &next.token);
        let is_other = current.endpoint != next.endpoint || current.client_id != next.client_id;
        live.identity.hold_credential(is_other);
    }

    /// Replaces `drain` and `drain_delay`.
    pub fn set_drain_timeouts(&self, timeouts: DrainTimeouts) {
        *self
            .drain_timeouts
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = timeouts;
    }

    /// `drain` and `drain_delay`.
    #[must_use]
    pub fn drain_timeouts(&self) -> DrainTimeouts {
        *self
            .drain_timeouts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the choice of requests that get a line in the access log.
    pub fn set_access_lines(&self, lines: AccessLines) {
        self.context.access_logger.set_lines(lines);
    }

    /// The tokens that requests are sent with.
    #[must_use]
    pub fn tokens(&self) -> Tokens {
        self.live().tokens()
    }

    /// What an operator should know about the configuration.
    #[must_use]
    pub fn notes(&self) -> &ConfigNotes {
        &self.notes
    }

    pub(super) fn generations(&self) -> GenerationReceiver {
        self.followed.subscribe()
    }

    pub(super) fn upstream(&self) -> String {
        let live = self.live();
        let url = &live.config.upstream.url;
        format!("{}://{}", url.scheme, url.authority)
    }

    pub(super) fn fingerprint(&self) -> String {
        config::running_fingerprint(&self.live().config)
    }

    pub(super) fn token_endpoint(&self) -> String {
        self.live().config.token.endpoint.to_string()
    }

    /// What the admin listener requires on behalf of this proxy, with the restriction if there is one.
    pub(super) fn admin_guard(&self) -> Guard {
        self.followed.borrow().admin_guard.clone()
    }

    /// Calls `use_guard` with the guard that requests pass now, with the restriction if there is one.
    pub(super) fn with_guard<T>(&self, use_guard: impl FnOnce(&Guard) -> T) -> T {
        use_guard(&self.followed.borrow().guard)
    }

    /// How many connections may be open.
    pub(super) fn connections(&self) -> usize {
        self.context.limits.connections()
    }

    fn live(&self) -> Arc<ConfigGeneration> {
        Arc::clone(&self.live.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
