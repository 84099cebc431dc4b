//! One generation of a proxy's configuration: everything that it needs to serve requests.

use std::sync::Arc;

use tokio::sync::{oneshot, watch};

use super::identity::{Identity, KeyFollower};
use crate::config::{Config, GuardConfig};
use crate::guard::Guard;
use crate::token::Tokens;

/// A configuration with its guard, its identity and its TLS settings. It is prepared while another one serves, then it
/// becomes the live one.
#[derive(Clone)]
pub struct ConfigGeneration {
    pub(super) config: Arc<Config>,
    pub(super) guard: Guard,
    /// What the admin listener requires on behalf of this proxy.
    pub(super) admin_guard: Guard,
    pub(super) identity: Arc<Identity>,
    /// The TLS configuration for the upstream, with its client certificate.
    pub(super) tls: rustls::ClientConfig,
    _keys: Arc<KeyFollower>,
}

/// Follows the generation that serves requests.
pub(super) type GenerationReceiver = watch::Receiver<Arc<ConfigGeneration>>;

impl ConfigGeneration {
    /// The receiver is that of [`KeyFollower::start`].
    pub(super) fn new(
        config: &Config,
        identity: Arc<Identity>,
        tls: rustls::ClientConfig,
        proxy: Option<String>,
    ) -> (Self, oneshot::Receiver<()>) {
        let guard = Guard::new(&config.guard);
        let (keys, keys_read) = KeyFollower::start(&guard, proxy);
        let generation = Self {
            config: Arc::new(config.clone()),
            guard,
            admin_guard: admin_guard(&config.guard),
            identity,
            tls,
            _keys: keys,
        };
        (generation, keys_read)
    }

    /// The same generation, which admits only what `other` admits too.
    pub(super) fn restricted_by(&self, other: &Self) -> Self {
        Self {
            guard: self.guard.and(&other.guard),
            admin_guard: self.admin_guard.and(&other.admin_guard),
            ..self.clone()
        }
    }

    /// The tokens of its identity.
    #[must_use]
    pub fn tokens(&self) -> Tokens {
        self.identity.tokens.clone()
    }
}

/// The part of a proxy's guard that applies to the admin listener: no callers and no rules.
pub(super) fn admin_guard(config: &GuardConfig) -> Guard {
    Guard::new(&GuardConfig {
        hosts: config.hosts.clone(),
        local_users: config.local_users.clone(),
        ..GuardConfig::default()
    })
}
