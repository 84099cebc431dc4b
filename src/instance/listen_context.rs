//! What is fixed once a proxy listens, and which configurations may be served under these conditions.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use super::start_error::StartError;
use crate::config::{Config, Listen, LocalUsers, LoginSharing, key_that_reaches};
use crate::login::Logins;
use crate::metrics::StoppedTasks;
use crate::net::ListenerTls;
use crate::proxy::AccessLogger;
use crate::server::{LiveLimits, LiveTls, ServerTls};
use crate::token::{AttemptCounter, LoginSessions, SignInPage};

/// What does not change for as long as a proxy listens.
pub(super) struct ListenContext {
    /// What is bound: `listen` and `listen_mode` of the start.
    pub(super) listen: Listen,
    pub(super) addresses: Vec<SocketAddr>,
    /// Those of the admin listeners, once they have been started.
    pub(super) admin_addresses: OnceLock<Vec<SocketAddr>>,
    /// Whether the system tells which user opened a connection.
    pub(super) knows_users: bool,
    pub(super) limits: LiveLimits,
    /// The TLS of new connections.
    pub(super) tls: LiveTls,
    /// How many proxies share the process.
    pub(super) proxies: usize,
    /// The name of the proxy, if there are several.
    pub(super) name: Option<String>,
    pub(super) access_logger: Arc<AccessLogger>,
    pub(super) stopped_tasks: StoppedTasks,
    /// The token requests of all identities, live or not.
    pub(super) attempts: AttemptCounter,
    /// Where a person signs in, once there is an admin listener.
    pub(super) sign_in_page: SignInPage,
    /// The sessions of the people who sign in with a browser.
    pub(super) login_sessions: LoginSessions,
    /// The sign-ins with a browser.
    pub(super) logins: Logins,
}

impl ListenContext {
    /// From now on new connections have this TLS.
    pub(super) fn serve_tls(&self, listener: Option<&ListenerTls>) {
        self.tls.set(listener.map(|tls| {
            Arc::new(ServerTls {
                config: Arc::clone(&tls.config),
                authorities: tls.authorities(),
                client_trust: tls.client_trust(),
            })
        }));
    }

    /// Whether `config` may be served here.
    pub(super) fn check(&self, config: &Config) -> Result<(), StartError> {
        self.reject_own_listeners(config)?;
        if config.guard.local_users != LocalUsers::Any && !self.knows_users {
            let why = std::io::Error::other("it could not when this proxy started");
            return Err(StartError::UnknownUsers(why));
        }
        // Check the bound addresses, because a changed `listen` takes effect only after a restart.
        let mut bound = self.addresses.iter().copied();
        if let Some(listener) = bound.find(|address| !Listen::Tcp(*address).is_local())
            && !config.guard.may_face_network()
        {
            return Err(StartError::OpenToNetwork { listener });
        }
        if config.token.is_of_person() && LoginSharing::of(&self.listen, &config.guard).is_some() {
            let listener = self.listen.to_string();
            return Err(StartError::SharesLogin { listener });
        }
        Ok(())
    }

    /// Rejects a configuration that would connect to one of the addresses that are bound, which it may no longer
    /// contain.
    fn reject_own_listeners(&self, config: &Config) -> Result<(), StartError> {
        let reached =
            |listener: &SocketAddr| Some((key_that_reaches(config, *listener)?, *listener));
        if let Some((key, listener)) = self.addresses.iter().find_map(reached) {
            return Err(StartError::Loop { key, listener });
        }
        let admin = self.admin_addresses.get().into_iter().flatten();
        match admin.into_iter().find_map(reached) {
            Some((key, listener)) => Err(StartError::ConnectsToAdmin { key, listener }),
            None => Ok(()),
        }
    }
}
