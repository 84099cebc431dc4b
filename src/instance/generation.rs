//! One generation of a proxy's configuration: everything that it needs to serve requests.

use std::sync::Arc;

use tokio::sync::{oneshot, watch};

use super::identity::{Identity, KeyFollower};
use crate::config::{Config, GuardConfig};
use crate::guard::Guard;
use crate::metrics::StoppedTasks;
use crate::net;
use crate::token::Tokens;

/// A configuration with its guard, its identity and its TLS settings. It is prepared while another one serves, then it
/// becomes the live one.
#[derive(Clone)]
pub struct ConfigGeneration {
    /// Counts the generations that workers are given.
    pub(super) number: u64,
    pub(super) config: Arc<Config>,
    pub(super) guards: Guards,
    pub(super) identity: Arc<Identity>,
    pub(super) tls: GenerationTls,
}

/// The TLS of a generation on both sides.
#[derive(Clone)]
pub(super) struct GenerationTls {
    /// `None` if the listener speaks plain HTTP.
    pub(super) listener: Option<net::ListenerTls>,
    /// For the upstream, with its client certificate.
    pub(super) upstream: net::ClientTls,
}

/// Follows the generation that serves requests.
pub(super) type GenerationReceiver = watch::Receiver<Arc<ConfigGeneration>>;

impl ConfigGeneration {
    pub(super) fn new(
        config: &Config,
        identity: Arc<Identity>,
        tls: GenerationTls,
        guards: Guards,
    ) -> Self {
        Self {
            number: 0,
            config: Arc::new(config.clone()),
            guards,
            identity,
            tls,
        }
    }

    /// The same generation, which admits only what `other` admits too.
    pub(super) fn restricted_by(&self, other: &Guards) -> Self {
        Self {
            guards: self.guards.and(other),
            ..self.clone()
        }
    }

    /// The API that it sends requests to: scheme, host and port.
    #[must_use]
    pub fn api(&self) -> String {
        let url = &self.config.upstream.url;
        format!("{}://{}", url.scheme, url.authority)
    }

    /// The tokens of its identity.
    #[must_use]
    pub fn tokens(&self) -> Tokens {
        self.identity.tokens.clone()
    }
}

/// What a configuration admits. The files with the keys of its callers are followed for as long as this exists.
#[derive(Clone)]
pub struct Guards {
    pub(super) data: Guard,
    /// What the admin listener requires on behalf of this proxy.
    pub(super) admin: Guard,
    keys: Vec<Arc<KeyFollower>>,
}

impl Guards {
    /// `may_ask` and the receiver are those of [`KeyFollower::start`].
    pub(super) fn start(
        config: &GuardConfig,
        proxy: Option<String>,
        stopped_tasks: &StoppedTasks,
        may_ask: watch::Receiver<bool>,
    ) -> (Self, oneshot::Receiver<()>) {
        let data = Guard::new(config);
        let (keys, keys_read) = KeyFollower::start(&data, proxy, stopped_tasks, may_ask);
        let guards = Self {
            data,
            admin: admin_guard(config),
            keys: vec![keys],
        };
        (guards, keys_read)
    }

    /// What admits only what `other` admits too.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self {
            data: self.data.and(&other.data),
            admin: self.admin.and(&other.admin),
            keys: [&self.keys[..], &other.keys[..]].concat(),
        }
    }
}

/// The part of a proxy's guard that applies to the admin listener: no callers and no rules.
pub(super) fn admin_guard(config: &GuardConfig) -> Guard {
    Guard::new(&GuardConfig {
        hosts: config.hosts.clone(),
        local_users: config.local_users.clone(),
        ..GuardConfig::default()
    })
    .without_pages()
}
