//! A running proxy, and the handle that stops it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::live_config::LiveConfig;
use crate::admin::ProxyView;
use crate::config::Listen;
use crate::guard::OwnScheme;
use crate::metrics::Metrics;
use crate::server::{DrainPhase, Drained};
use crate::token::Tokens;

/// A proxy that listens and serves.
pub struct RunningProxy {
    /// `name`.
    pub name: String,
    /// The addresses on which it listens, all with the same port. Empty for a unix socket.
    pub addresses: Vec<SocketAddr>,
    /// Loopback addresses that this machine lacks.
    pub absent: Vec<IpAddr>,
    /// Its metrics.
    pub metrics: Arc<Metrics>,
    pub(super) listen: Listen,
    pub(super) since: Instant,
    pub(super) live_config: Arc<LiveConfig>,
    pub(super) stop: StopHandle,
    pub(super) server: JoinHandle<Drained>,
    pub(super) drained: Option<Drained>,
}

impl RunningProxy {
    /// The tokens that requests are sent with.
    #[must_use]
    pub fn tokens(&self) -> Tokens {
        self.live_config.tokens()
    }

    /// The configuration that requests are served with, which a reload replaces.
    #[must_use]
    pub fn live_config(&self) -> &Arc<LiveConfig> {
        &self.live_config
    }

    /// The scheme of its URLs.
    #[must_use]
    pub fn scheme(&self) -> OwnScheme {
        self.live_config.own_scheme()
    }

    /// What the admin listener shows of it.
    pub(super) fn view(&self) -> ProxyView {
        let stop = self.stop.0.subscribe();
        let text = |read: fn(&LiveConfig) -> String| -> Arc<dyn Fn() -> String + Send + Sync> {
            let live = Arc::clone(&self.live_config);
            Arc::new(move || read(&live))
        };
        let (listen, addresses) = (self.listen.clone(), self.addresses.clone());
        let scheme = Arc::clone(&self.live_config);
        let (tokens, guard, notes, pending, change, reasons, since, expiring) = (
            Arc::clone(&self.live_config),
            Arc::clone(&self.live_config),
            Arc::clone(&self.live_config),
            Arc::clone(&self.live_config),
            Arc::clone(&self.live_config),
            Arc::clone(&self.live_config),
            Arc::clone(&self.live_config),
            Arc::clone(&self.live_config),
        );
        let sign_in = Arc::clone(&self.live_config);
        let target = Arc::clone(&self.live_config);
        ProxyView {
            name: self.name.clone(),
            fingerprint: text(LiveConfig::fingerprint),
            listens_on: Arc::new(move || urls(&listen, &addresses, scheme.own_scheme())),
            upstream: text(LiveConfig::upstream),
            token_from: text(LiveConfig::token_endpoint),
            since: self.since,
            tokens: Arc::new(move || tokens.tokens()),
            sign_in_tokens: Arc::new(move || sign_in.sign_in_tokens()),
            sign_in_target: Arc::new(move || target.sign_in_target()),
            logins: self.live_config.logins().clone(),
            guard: Arc::new(move || guard.admin_guard()),
            metrics: Arc::clone(&self.metrics),
            is_stopping: Arc::new(move || *stop.borrow() > DrainPhase::Running),
            notes: Arc::new(move || notes.notes().lines()),
            pending_fingerprint: text(|live| live.notes().pending_fingerprint()),
            has_pending_change: Arc::new(move || pending.notes().has_pending_change()),
            pending_change: Arc::new(move || change.notes().pending_change()),
            pending_reasons: Arc::new(move || reasons.notes().pending_reasons()),
            pending_since: Arc::new(move || since.notes().pending_since()),
            expiring: Arc::new(move || expiring.notes().expiring()),
        }
    }

    /// Moves the stop forward to `phase`. It never moves back.
    pub fn stop(&self, phase: DrainPhase) {
        self.stop.advance(phase);
    }

    /// A handle to stop the proxy while [`Self::ended`] is awaited.
    #[must_use]
    pub fn stop_handle(&self) -> StopHandle {
        self.stop.clone()
    }

    /// Waits for the end of the proxy, which follows [`DrainPhase::Draining`]. Cancel safe.
    pub async fn ended(&mut self) -> Drained {
        if let Some(drained) = self.drained {
            return drained;
        }
        let drained = (&mut self.server).await.unwrap_or(Drained { cut: 0 });
        *self.drained.insert(drained)
    }
}

/// The addresses as a person types them into a client.
fn urls(listen: &Listen, addresses: &[SocketAddr], scheme: OwnScheme) -> Vec<String> {
    if addresses.is_empty() {
        return vec![listen.to_string()]; // a unix socket
    }
    let addresses = addresses.iter();
    addresses
        .map(|address| format!("{}{address}", scheme.prefix()))
        .collect()
}

/// Stops a proxy.
#[derive(Debug, Clone)]
pub struct StopHandle(pub(super) watch::Sender<DrainPhase>);

impl StopHandle {
    /// Moves the stop forward to `phase`. It never moves back.
    pub fn advance(&self, phase: DrainPhase) {
        self.0.send_if_modified(|current| {
            let is_forward = *current < phase;
            if is_forward {
                *current = phase;
            }
            is_forward
        });
    }
}
