//! The sign-ins of one proxy, of which one can be in progress.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::outcome::{LoginOutcome, settle};
use super::redirect_server::{self, LIFETIME};
use super::visit::{LoginVisits, ServingTokens};
use crate::metrics::StoppedTasks;
use crate::server::{BindError, DrainPhase, StopSignal};
use crate::text::error_chain;
use crate::token::{LoginError, NoRandomBytes, unguessable};

/// Why no sign-in has begun.
#[derive(Debug, thiserror::Error)]
pub enum LoginNotStarted {
    /// The authorization server, or the configuration.
    #[error(transparent)]
    Login(#[from] LoginError),
    /// Another program listens where the browser is to return.
    #[error(
        "{cause}: another program listens at {address}, or another sign-in is in progress there; set token.redirect_url to \
         another address that is registered for the client"
    )]
    Taken {
        /// Where the browser is to return.
        address: String,
        /// Why this process cannot listen there.
        cause: String,
    },
    /// The system provides no randomness.
    #[error(transparent)]
    NoRandomBytes(#[from] NoRandomBytes),
}

/// A sign-in that has begun.
#[derive(Debug, Clone)]
pub struct StartedLogin {
    /// What it is asked about by. Not a secret.
    pub id: String,
    /// The address that a browser must open. It works once.
    pub start_url: String,
    /// How long it is valid.
    pub lifetime: std::time::Duration,
}

/// The sign-in of one proxy that is in progress, or the last one.
#[derive(Clone, Default)]
pub struct Logins {
    current: Arc<Mutex<Option<CurrentLogin>>>,
    /// One begins at a time.
    beginning: Arc<tokio::sync::Mutex<()>>,
    stopped_tasks: StoppedTasks,
}

struct CurrentLogin {
    id: String,
    outcome: watch::Sender<LoginOutcome>,
    /// Ends the listener and its connections.
    stop: watch::Sender<DrainPhase>,
    task: JoinHandle<()>,
}

impl Logins {
    /// No sign-in yet. A task that panics is one of the `stopped_tasks`.
    #[must_use]
    pub fn new(stopped_tasks: StoppedTasks) -> Self {
        Self {
            stopped_tasks,
            ..Self::default()
        }
    }

    /// Begins a sign-in, in place of the one that is in progress. `serving` says which tokens it is for.
    ///
    /// # Errors
    /// Why it cannot begin. One that is in progress goes on, unless only the address is taken.
    pub async fn begin(&self, serving: ServingTokens) -> Result<StartedLogin, LoginNotStarted> {
        let _only_one = self.beginning.lock().await;
        let attempt = serving().begin_login().await?;
        let (id, once, cookie) = (unguessable()?, unguessable()?, unguessable()?);
        self.cancel().await;
        let address = attempt.config().redirect_authority();
        let bound = redirect_server::bind(attempt.config());
        let bound = bound.map_err(|error: BindError| LoginNotStarted::Taken {
            address: address.clone(),
            cause: error_chain(&error),
        })?;
        let outcome = watch::Sender::new(LoginOutcome::Waiting);
        let start_url = format!("http://{address}/start/{once}");
        let visits = LoginVisits::new(attempt, serving, once, cookie, outcome.clone());
        let (stop, stop_signal) = StopSignal::channel();
        let listening =
            redirect_server::serve(bound, visits, outcome.clone(), stop.clone(), stop_signal);
        let stopped_tasks = self.stopped_tasks.clone();
        let task = tokio::spawn(stopped_tasks.watch_for_panic("sign-in", listening));
        *self.lock() = Some(CurrentLogin {
            id: id.clone(),
            outcome,
            stop,
            task,
        });
        Ok(StartedLogin {
            id,
            start_url,
            lifetime: LIFETIME,
        })
    }

    /// How the sign-in with this id goes.
    #[must_use]
    pub fn outcome(&self, id: &str) -> LoginOutcome {
        match &*self.lock() {
            Some(current) if current.id == id => current.outcome.borrow().clone(),
            Some(_) | None => LoginOutcome::Replaced,
        }
    }

    /// Ends the sign-in that is in progress, so that it can no longer be completed, and waits until its address is
    /// free.
    pub async fn cancel(&self) {
        let current = self.lock().take();
        if let Some(current) = current {
            settle(&current.outcome, LoginOutcome::Replaced);
            current.stop.send_replace(DrainPhase::Cut);
            let _ = current.task.await;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<CurrentLogin>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
