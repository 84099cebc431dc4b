//! What requests are served with now, and how another configuration is put in its place: prepared beside it, then
//! swapped at once for every worker. Requests under way keep what they began with.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use super::data_path::{Blueprint, Blueprints};
use super::identity::{Identity, Keys};
use super::notes::Notes;
use super::{StartError, limits};
use crate::config::{Config, Listen, LocalUsers};
use crate::guard::Guard;
use crate::net;
use crate::proxy::{self, AccessLines, AccessLogger};
use crate::server::LiveLimits;
use crate::token::Tokens;

/// Where a proxy serves: stays as long as the process.
pub(super) struct Place {
    pub(super) addresses: Vec<SocketAddr>,
    /// Whether the system tells which user connects.
    pub(super) knows_users: bool,
    pub(super) bounds: LiveLimits,
    /// How many share the process.
    pub(super) proxies: usize,
    /// `name`, where there are several.
    pub(super) name: Option<String>,
    pub(super) access_logger: Arc<AccessLogger>,
}

/// What requests are served with now.
pub struct Serving {
    place: Place,
    /// The whole of it; what the workers follow may admit less.
    whole: Mutex<Arc<Blueprint>>,
    followed: watch::Sender<Arc<Blueprint>>,
    /// `drain` and `drain_delay`.
    patience: Mutex<(Duration, Duration)>,
    notes: Notes,
}

/// A configuration with all that it needs to serve, not serving yet.
pub struct Prepared(Arc<Blueprint>);

impl Prepared {
    /// The tokens of its identity.
    #[must_use]
    pub fn tokens(&self) -> Tokens {
        self.0.identity.tokens.clone()
    }
}

impl Serving {
    /// Also when every caller's keys have been read.
    pub(super) fn new(
        config: &Config,
        place: Place,
    ) -> Result<(Arc<Self>, oneshot::Receiver<()>), StartError> {
        let tls = net::client_config(&config.network)?;
        place.check(config)?;
        let identity = Identity::start(config, tls, place.name.clone())?;
        let tls = net::with_client_certificate(
            &identity.tls,
            config.upstream.client_certificate.as_ref(),
        )?;
        let (blueprint, keys_read) = place.blueprint(config, identity, tls);
        let blueprint = Arc::new(blueprint);
        let serving = Self {
            place,
            whole: Mutex::new(Arc::clone(&blueprint)),
            followed: watch::Sender::new(blueprint),
            patience: Mutex::new((config.drain, config.drain_delay)),
            notes: Notes::default(),
        };
        Ok((Arc::new(serving), keys_read))
    }

    /// Makes everything that `config` needs: reads certificates and callers' keys, and, for a `new_identity`,
    /// begins to ask for its token. Nothing changes for requests.
    ///
    /// # Errors
    /// What would keep it from starting, too.
    pub async fn prepare(
        &self,
        config: &Config,
        new_identity: bool,
    ) -> Result<Prepared, StartError> {
        self.place.check(config)?;
        let identity = if new_identity {
            let network = config.network.clone();
            // Reading the system's authorities takes milliseconds, which requests would wait for.
            let tls = tokio::task::spawn_blocking(move || net::client_config(&network));
            let tls = tls.await.map_err(std::io::Error::other)??;
            Identity::start(config, tls, self.place.name.clone())?
        } else {
            Arc::clone(&self.whole().identity)
        };
        let (tls, certificate) = (
            identity.tls.clone(),
            config.upstream.client_certificate.clone(),
        );
        // A file system that does not answer must not hold up requests.
        let tls = tokio::task::spawn_blocking(move || {
            net::with_client_certificate(&tls, certificate.as_ref())
        });
        let tls = tls.await.map_err(std::io::Error::other)??;
        let (blueprint, keys_read) = self.place.blueprint(config, identity, tls);
        // An error says that there are no keys to wait for.
        let _ = keys_read.await;
        Ok(Prepared(Arc::new(blueprint)))
    }

    /// From here on requests are served with it.
    pub fn put(&self, Prepared(blueprint): Prepared) {
        let before = self.whole();
        if !Arc::ptr_eq(&blueprint.identity, &before.identity) {
            let tokens = &blueprint.identity.tokens;
            tokens.add_counts_of(&before.identity.tokens);
        }
        before.guard.succeeded_by(&blueprint.guard);
        let limits = limits(&blueprint.config, self.place.proxies);
        self.place.bounds.set(limits);
        *self.whole.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&blueprint);
        self.followed.send_replace(blueprint);
    }

    /// Until [`Self::put`] or [`Self::unrestrict`]: what `prepared` forbids is forbidden already, and what it
    /// newly admits is not admitted yet.
    pub fn restrict(&self, Prepared(prepared): &Prepared) {
        let whole = self.whole();
        whole.guard.restrict_leases(Some(&prepared.guard));
        self.followed.send_replace(Arc::new(Blueprint {
            guard: whole.guard.and(&prepared.guard),
            admin_guard: whole.admin_guard.and(&prepared.admin_guard),
            ..Blueprint::clone(&whole)
        }));
    }

    /// Takes a restriction back.
    pub fn unrestrict(&self) {
        let whole = self.whole();
        whole.guard.restrict_leases(None);
        self.followed.send_replace(whole);
    }

    /// `next` may take over. Where that has another token endpoint or client, what comes to be in the credential's
    /// source is meant for that one: the identity in use keeps to what it has read, until it is told of a
    /// configuration with its own.
    pub fn hold_credential(&self, next: &Config) {
        let whole = self.whole();
        let (now, next) = (&whole.config.token, &next.token);
        let is_other = now.endpoint != next.endpoint || now.client_id != next.client_id;
        whole.identity.hold_credential(is_other);
    }

    /// `drain` and `drain_delay` from here on.
    pub fn set_patience(&self, drain: Duration, delay: Duration) {
        *self.patience.lock().unwrap_or_else(PoisonError::into_inner) = (drain, delay);
    }

    /// `drain`.
    #[must_use]
    pub fn drain(&self) -> Duration {
        self.patience
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .0
    }

    /// `drain_delay`.
    #[must_use]
    pub fn drain_delay(&self) -> Duration {
        self.patience
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .1
    }

    /// Which requests get a line in the log, from here on.
    pub fn set_access_lines(&self, lines: AccessLines) {
        self.place.access_logger.set_lines(lines);
    }

    /// The token that requests are sent with now.
    #[must_use]
    pub fn tokens(&self) -> Tokens {
        self.whole().identity.tokens.clone()
    }

    /// What is said about its configuration.
    #[must_use]
    pub fn notes(&self) -> &Notes {
        &self.notes
    }

    pub(super) fn blueprints(&self) -> Blueprints {
        self.followed.subscribe()
    }

    pub(super) fn upstream(&self) -> String {
        let whole = self.whole();
        let url = &whole.config.upstream.url;
        format!("{}://{}", url.scheme, url.authority)
    }

    pub(super) fn token_from(&self) -> String {
        self.whole().config.token.endpoint.to_string()
    }

    /// In front of the admin listener; restricted as the data path is.
    pub(super) fn admin_guard(&self) -> Guard {
        self.followed.borrow().admin_guard.clone()
    }

    fn whole(&self) -> Arc<Blueprint> {
        Arc::clone(&self.whole.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Place {
    /// Whether `config` could serve here.
    fn check(&self, config: &Config) -> Result<(), StartError> {
        if let Some(listener) = proxy::own_listener(&config.upstream.url, &self.addresses) {
            return Err(StartError::Loop { listener });
        }
        if config.guard.local_users != LocalUsers::Any && !self.knows_users {
            let why = std::io::Error::other("it did not when this proxy started");
            return Err(StartError::UnknownUsers(why));
        }
        // The addresses that are bound, since `listen` may say others by now.
        let mut bound = self.addresses.iter().copied();
        if let Some(listener) = bound.find(|address| !Listen::Tcp(*address).is_local())
            && !config.guard.may_face_network()
        {
            return Err(StartError::OpenToNetwork { listener });
        }
        Ok(())
    }

    fn blueprint(
        &self,
        config: &Config,
        identity: Arc<Identity>,
        tls: rustls::ClientConfig,
    ) -> (Blueprint, oneshot::Receiver<()>) {
        let guard = Guard::new(&config.guard);
        let (keys, keys_read) = Keys::follow(&guard, self.name.clone());
        let blueprint = Blueprint {
            config: Arc::new(config.clone()),
            guard,
            admin_guard: super::admin::guard(&config.guard),
            identity,
            tls,
            _keys: keys,
        };
        (blueprint, keys_read)
    }
}
