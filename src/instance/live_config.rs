//! The configuration that requests are served with, and how another one replaces it: a new generation is prepared
//! beside it, then swapped in for all workers at once. Requests in flight keep the generation that they began with.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use super::generation::{ConfigGeneration, GenerationTls, Guards};
use super::identity::Identity;
use super::limits::connection_limits;
use super::listen_context::ListenContext;
use super::notes::ConfigNotes;
use super::presented_certificate::PresentedCertificate;
use super::start_error::StartError;
use super::tls_files::{read_listener_tls, read_tls, read_upstream_tls};
use super::worker::GenerationFollower;
use crate::config::{self, Config};
use crate::guard::{Guard, OwnScheme};
use crate::login::Logins;
use crate::metrics::StoppedTasks;
use crate::net::{self, TlsSetupError};
use crate::proxy::AccessLines;
use crate::token::{SecretOwnership, Tokens};

/// The live configuration of one proxy.
pub struct LiveConfig {
    context: ListenContext,
    /// The live generation. Workers follow `followed`, which may be more restricted.
    live: Mutex<Arc<ConfigGeneration>>,
    followed: watch::Sender<Arc<ConfigGeneration>>,
    /// The number of the generation that each worker serves.
    workers: Mutex<Vec<watch::Receiver<u64>>>,
    drain_timeouts: Mutex<DrainTimeouts>,
    notes: ConfigNotes,
}

/// A worker has stopped because of a bug, so it does not serve the new configuration.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error(
    "a worker has stopped because of a bug in cupbearer, so a changed configuration cannot be used: restart cupbearer"
)]
pub struct WorkerStopped;

/// Why changed certificate files of the live configuration are not used.
#[derive(Debug, thiserror::Error)]
pub enum RenewalError {
    /// They cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsSetupError),
    /// They may belong to a configuration that is not in use.
    #[error(
        "the client certificate for the API has another issuer, subject or names than the one in use, so it is used \
         only with the newest configuration"
    )]
    AnotherHolder,
    /// A worker has stopped.
    #[error(transparent)]
    Worker(#[from] WorkerStopped),
    /// They could not be read because of a bug.
    #[error(transparent)]
    Read(#[from] tokio::task::JoinError),
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
        let tls = net::client_config_for(config)?;
        context.check(config)?;
        let identity = Identity::start(config, tls, &context, None);
        let tls = read_tls(&identity.tls, config, None)?;
        context.serve_tls(tls.listener.as_ref());
        let name = context.name.clone();
        let may_ask = watch::channel(true).1; // the examination before the start has ended
        let (guards, keys_read) =
            Guards::start(&config.guard, name, &context.stopped_tasks, may_ask);
        let generation = Arc::new(ConfigGeneration::new(config, identity, tls, guards));
        let live = Self {
            context,
            live: Mutex::new(Arc::clone(&generation)),
            followed: watch::Sender::new(generation),
            workers: Mutex::default(),
            drain_timeouts: Mutex::new(DrainTimeouts::of(config)),
            notes: ConfigNotes::default(),
        };
        Ok((Arc::new(live), keys_read))
    }

    /// Starts to read the keys of the callers of `config`, and returns what it admits. The receiver completes once
    /// every key has been read, or fails if there are no callers. Programs and keyrings are used once `may_ask` is
    /// true.
    ///
    /// # Errors
    /// This configuration may not be served here.
    pub fn prepare_guards(
        &self,
        config: &Config,
        may_ask: watch::Receiver<bool>,
    ) -> Result<(Guards, oneshot::Receiver<()>), StartError> {
        self.context.check(config)?;
        let name = self.context.name.clone();
        let stopped_tasks = &self.context.stopped_tasks;
        Ok(Guards::start(&config.guard, name, stopped_tasks, may_ask))
    }

    /// Prepares a generation without changing anything for requests: reads its certificates, and starts to request a
    /// token if it has a `new_identity`, whose secret belongs to it as long as that says so.
    ///
    /// # Errors
    /// The same as at the start.
    pub async fn prepare(
        &self,
        config: &Config,
        new_identity: Option<SecretOwnership>,
        guards: Guards,
    ) -> Result<Arc<ConfigGeneration>, StartError> {
        let identity = match new_identity {
            Some(ownership) => {
                let config_to_read = config.clone();
                // Reading the system's certificate authorities takes milliseconds, which must not delay requests.
                let tls =
                    tokio::task::spawn_blocking(move || net::client_config_for(&config_to_read));
                let tls = tls.await.map_err(std::io::Error::other)??;
                // A person who has signed in for this API need not do so again.
                let before = self.tokens();
                let identity = Identity::start(config, tls, &self.context, Some(&before));
                identity.bind_credential(ownership);
                identity
            }
            // A person has signed in for another API.
            None if config.token.sign_in() != self.live().config.token.sign_in() => {
                let tls = self.live().identity.tls.clone();
                Identity::start(config, tls, &self.context, None)
            }
            None => Arc::clone(&self.live().identity),
        };
        let (of_identity, previous) = (identity.tls.clone(), self.live().tls.listener.clone());
        let config_to_read = config.clone();
        // A file system that does not respond must not delay requests.
        let tls = tokio::task::spawn_blocking(move || {
            read_tls(&of_identity, &config_to_read, previous.as_ref())
        });
        let tls = tls.await.map_err(std::io::Error::other)??;
        Ok(Arc::new(ConfigGeneration::new(
            config, identity, tls, guards,
        )))
    }

    /// Serves requests with this generation from now on. Requests in flight keep theirs. Returns once every worker has
    /// taken it over.
    ///
    /// # Errors
    /// A worker has stopped, so the generation is not served there.
    pub async fn replace(&self, generation: Arc<ConfigGeneration>) -> Result<(), WorkerStopped> {
        let before = self.live();
        // The source of a caller may have become unreadable since it was examined.
        generation.guards.data.take_over_keys(&before.guards.data);
        before.guards.data.succeeded_by(&generation.guards.data);
        let limits = connection_limits(&generation.config, self.context.proxies);
        self.context.limits.set(limits);
        let listener = generation.tls.listener.as_ref();
        self.context.serve_tls(listener);
        if let Some(before) = &before.tls.listener {
            before.succeeded_by(listener);
        }
        *self.live.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&generation);
        if !Arc::ptr_eq(&generation.identity, &before.identity) {
            generation.tokens().replace_identity(&before.tokens());
        }
        let number = self.publish(ConfigGeneration::clone(&generation));
        self.served_by_all(number).await
    }

    /// Waits until every worker serves the generation with this number, or a later one.
    async fn served_by_all(&self, number: u64) -> Result<(), WorkerStopped> {
        let workers = self
            .workers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for mut worker in workers {
            let served = worker.wait_for(|served| *served >= number).await;
            served.map_err(|_| WorkerStopped)?;
        }
        Ok(())
    }

    /// Reads the listener's certificate and the authorities of its clients again, from the files of the live
    /// configuration, and uses them for new connections. Everything else stays as it is.
    ///
    /// # Errors
    /// The same as at the start, or a worker has stopped.
    pub async fn renew_listener_tls(&self) -> Result<(), RenewalError> {
        let live = self.live();
        let (config, previous) = (Arc::clone(&live.config), live.tls.listener.clone());
        // A file system that does not respond must not delay requests.
        let read =
            tokio::task::spawn_blocking(move || read_listener_tls(&config, previous.as_ref()));
        let listener = read.await??;
        self.context.serve_tls(listener.as_ref());
        if let Some(before) = &live.tls.listener {
            before.succeeded_by(listener.as_ref());
        }
        self.replace_tls(|tls| tls.listener.clone_from(&listener))
            .await
    }

    /// Reads the client certificate for the API again, from the files of the live configuration, and presents it if it
    /// renews the one before: another holder's may be meant for the API of a configuration that is not in use.
    ///
    /// # Errors
    /// The same as at the start, it is another holder's, or a worker has stopped.
    pub async fn renew_upstream_certificate(&self) -> Result<(), RenewalError> {
        let live = self.live();
        let (config, of_identity) = (Arc::clone(&live.config), live.identity.tls.clone());
        let read = tokio::task::spawn_blocking(move || read_upstream_tls(&of_identity, &config));
        let upstream = read.await??;
        if !upstream.presents_same_holder(&live.tls.upstream) {
            return Err(RenewalError::AnotherHolder);
        }
        self.replace_tls(|tls| tls.upstream.clone_from(&upstream))
            .await
    }

    /// Changes the TLS of the live generation, and of the restricted one if there is one.
    async fn replace_tls(&self, change: impl Fn(&mut GenerationTls)) -> Result<(), RenewalError> {
        let changed = |generation: &ConfigGeneration| {
            let mut generation = generation.clone();
            change(&mut generation.tls);
            generation
        };
        {
            let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
            *live = Arc::new(changed(&live));
        }
        let followed = changed(&self.followed.borrow());
        let number = self.publish(followed);
        Ok(self.served_by_all(number).await?)
    }

    /// Gives a generation to the workers, and returns its number.
    fn publish(&self, generation: ConfigGeneration) -> u64 {
        let mut number = 0;
        self.followed.send_modify(|followed| {
            number = followed.number + 1;
            *followed = Arc::new(ConfigGeneration {
                number,
                ..generation
            });
        });
        number
    }

    /// Admits only what both the live generation and `guards` admit, until [`Self::replace`] or [`Self::unrestrict`].
    pub fn restrict(&self, guards: &Guards) {
        let live = self.live();
        // A source that has not been read yet turns away nobody.
        guards.data.take_over_keys(&live.guards.data);
        live.guards.data.restrict_leases(Some(&guards.data));
        self.publish(live.restricted_by(guards));
    }

    /// Lifts the restriction.
    pub fn unrestrict(&self) {
        let live = self.live();
        live.guards.data.restrict_leases(None);
        self.publish(ConfigGeneration::clone(&live));
    }

    /// Says where the admin listeners of the process are, which no configuration may connect to.
    pub(super) fn set_admin_addresses(&self, addresses: &[SocketAddr]) {
        // A process starts them once.
        let _ = self.context.admin_addresses.set(addresses.to_vec());
    }

    /// Uses a changed credential of the live identity only while it belongs to it.
    pub fn bind_credential(&self, ownership: SecretOwnership) {
        self.live().identity.bind_credential(ownership);
    }

    /// The certificates that the live generation presents.
    pub(super) fn certificates(&self) -> Vec<PresentedCertificate> {
        let live = self.live();
        PresentedCertificate::all_of(&live.config, &live.tls)
    }

    /// Notified when the live generation is replaced.
    pub(super) fn replacements(&self) -> watch::Receiver<Arc<ConfigGeneration>> {
        self.followed.subscribe()
    }

    /// Whether new connections over TCP speak TLS.
    pub(super) fn own_scheme(&self) -> OwnScheme {
        match self.live().tls.listener {
            Some(_) => OwnScheme::Https,
            None => OwnScheme::Http,
        }
    }

    /// The background tasks of this proxy that have stopped.
    #[must_use]
    pub fn stopped_tasks(&self) -> &StoppedTasks {
        &self.context.stopped_tasks
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

    /// Lets no refresh token be used any more, and waits for one that is, before the process ends.
    pub async fn close_sessions(&self) {
        self.context.login_sessions.close().await;
    }

    /// The tokens of the identity that a person signs in to: the one of a changed configuration that waits for its
    /// first token, otherwise the live one.
    pub(super) fn sign_in_tokens(&self) -> Tokens {
        self.sign_in_target().0
    }

    /// The same with the API that these tokens are sent to, both of one configuration.
    pub(super) fn sign_in_target(&self) -> (Tokens, String) {
        let pending = self.notes.pending();
        if let Some(pending) = pending.filter(|pending| pending.tokens.is_sign_in()) {
            (pending.tokens, pending.api)
        } else {
            let live = self.live();
            (live.tokens(), live.api())
        }
    }

    /// The sign-ins with a browser.
    pub(super) fn logins(&self) -> &Logins {
        &self.context.logins
    }

    /// Where a person signs in, once there is an admin listener.
    pub(super) fn set_sign_in_page(&self, url: String) {
        self.context.sign_in_page.set(url);
    }

    /// What an operator should know about the configuration.
    #[must_use]
    pub fn notes(&self) -> &ConfigNotes {
        &self.notes
    }

    /// What one more worker follows.
    pub(super) fn add_worker(&self) -> GenerationFollower {
        let served = watch::Sender::new(0);
        self.workers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(served.subscribe());
        GenerationFollower {
            generations: self.followed.subscribe(),
            served,
        }
    }

    pub(super) fn upstream(&self) -> String {
        self.live().api()
    }

    pub(super) fn fingerprint(&self) -> String {
        config::running_fingerprint(&self.live().config)
    }

    pub(super) fn token_endpoint(&self) -> String {
        self.live().config.token.to_string()
    }

    /// What the admin listener requires on behalf of this proxy, with the restriction if there is one.
    pub(super) fn admin_guard(&self) -> Guard {
        self.followed.borrow().guards.admin.clone()
    }

    /// Calls `use_guard` with the guard that requests pass now, with the restriction if there is one.
    pub(super) fn with_guard<T>(&self, use_guard: impl FnOnce(&Guard) -> T) -> T {
        use_guard(&self.followed.borrow().guards.data)
    }

    /// How many connections may be open.
    pub(super) fn connections(&self) -> usize {
        self.context.limits.connections()
    }

    fn live(&self) -> Arc<ConfigGeneration> {
        Arc::clone(&self.live.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
