//! The sign-ins of one proxy, of which one can be in progress.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::completion::{Completion, ServingTokens};
use super::device_poll;
use super::outcome::{LoginOutcome, answer, settle};
use super::redirect_server::{self, LIFETIME};
use super::visit::{LoginVisits, VisitSecrets};
use crate::metrics::StoppedTasks;
use crate::server::{BindError, DrainPhase, StopSignal};
use crate::text::error_chain;
use crate::token::{DevicePrompt, LoginError, NoRandomBytes, PersonChange, unguessable};

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
    /// The person has signed out while it began.
    #[error("signed out while the sign-in began: sign in again")]
    Cancelled,
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
    pub lifetime: Duration,
}

/// A sign-in with a code on another device that has begun.
#[derive(Clone)]
pub struct StartedDeviceLogin {
    /// What it is asked about by. Not a secret.
    pub id: String,
    /// What only the person may see.
    pub prompt: DevicePrompt,
}

/// The sign-in of one proxy that is in progress, or the last one.
#[derive(Clone, Default)]
pub struct Logins {
    current: Arc<Mutex<Option<CurrentLogin>>>,
    /// One begins at a time.
    beginning: Arc<tokio::sync::Mutex<()>>,
    /// How often sign-ins were ended, one that was beginning among them.
    cancelled: Arc<AtomicU64>,
    stopped_tasks: StoppedTasks,
    /// The proxy's name in the log, if there are several proxies.
    proxy: Option<String>,
}

struct CurrentLogin {
    id: String,
    outcome: watch::Sender<LoginOutcome>,
    /// Where the browser returns; `None` for a sign-in with a code.
    listener: Option<RedirectListener>,
}

struct RedirectListener {
    /// Ends it and its connections.
    stop: watch::Sender<DrainPhase>,
    task: JoinHandle<()>,
}

impl Logins {
    /// No sign-in yet. `proxy` is the proxy's name in the log, if there are several proxies. A task that panics is one
    /// of the `stopped_tasks`.
    #[must_use]
    pub fn new(proxy: Option<String>, stopped_tasks: StoppedTasks) -> Self {
        Self {
            stopped_tasks,
            proxy,
            ..Self::default()
        }
    }

    /// Begins a sign-in, in place of the one that is in progress. `serving` says which tokens it is for. If it
    /// `replaces` whoever is signed in, nobody has to confirm that.
    ///
    /// # Errors
    /// Why it cannot begin. One that is in progress goes on, unless only the address is taken.
    pub async fn begin(
        &self,
        serving: ServingTokens,
        replaces: bool,
    ) -> Result<StartedLogin, LoginNotStarted> {
        let _only_one = self.beginning.lock().await;
        let cancelled = self.cancelled.load(Ordering::SeqCst);
        let attempt = serving().begin_login().await?;
        let (id, once) = (unguessable()?, unguessable()?);
        let (cookie, confirmation) = (unguessable()?, unguessable()?);
        self.end_current().await;
        let address = attempt.config().redirect_authority();
        let bound = redirect_server::bind(attempt.config());
        let bound = bound.map_err(|error: BindError| LoginNotStarted::Taken {
            address: address.clone(),
            cause: error_chain(&error),
        })?;
        let outcome = watch::Sender::new(LoginOutcome::Waiting);
        let start_url = format!("http://{address}/start/{once}");
        let secrets = VisitSecrets {
            once,
            cookie,
            confirmation,
        };
        let completion = self.completion(serving, replaces, &outcome, LIFETIME);
        let visits = LoginVisits::new(attempt, secrets, completion);
        let (stop, stop_signal) = StopSignal::channel();
        let listening =
            redirect_server::serve(bound, visits, outcome.clone(), stop.clone(), stop_signal);
        let stopped_tasks = self.stopped_tasks.clone();
        let task = tokio::spawn(stopped_tasks.watch_for_panic("sign-in", listening));
        *self.lock() = Some(CurrentLogin {
            id: id.clone(),
            outcome,
            listener: Some(RedirectListener { stop, task }),
        });
        self.check_not_cancelled(cancelled).await?;
        Ok(StartedLogin {
            id,
            start_url,
            lifetime: LIFETIME,
        })
    }

    /// Begins a sign-in with a code on another device, in place of the one that is in progress. `serving` and
    /// `replaces` are as for one with a browser.
    ///
    /// # Errors
    /// Why it cannot begin. One that is in progress goes on.
    pub async fn begin_device(
        &self,
        serving: ServingTokens,
        replaces: bool,
    ) -> Result<StartedDeviceLogin, LoginNotStarted> {
        let _only_one = self.beginning.lock().await;
        let cancelled = self.cancelled.load(Ordering::SeqCst);
        let attempt = serving().begin_device_login().await?;
        let id = unguessable()?;
        self.end_current().await;
        let prompt = attempt.prompt().clone();
        let outcome = watch::Sender::new(LoginOutcome::Waiting);
        let completion = self.completion(serving, replaces, &outcome, prompt.lifetime);
        let polling = device_poll::poll(attempt, completion);
        let stopped_tasks = self.stopped_tasks.clone();
        tokio::spawn(stopped_tasks.watch_for_panic("sign-in", polling));
        *self.lock() = Some(CurrentLogin {
            id: id.clone(),
            outcome,
            listener: None,
        });
        self.check_not_cancelled(cancelled).await?;
        Ok(StartedDeviceLogin { id, prompt })
    }

    fn completion(
        &self,
        serving: ServingTokens,
        replaces: bool,
        outcome: &watch::Sender<LoginOutcome>,
        lifetime: Duration,
    ) -> Completion {
        Completion {
            serving,
            outcome: outcome.clone(),
            deadline: Instant::now() + lifetime,
            replaces,
            proxy: self.proxy.clone(),
        }
    }

    /// The sign-in that waits until somebody confirms that someone else is signed in than before: what it is asked
    /// about by, and who it is.
    #[must_use]
    pub fn unconfirmed(&self) -> Option<(String, PersonChange)> {
        let current = self.lock();
        let current = current.as_ref()?;
        let change = current.outcome.borrow().unconfirmed()?.clone();
        Some((current.id.clone(), change))
    }

    /// Lets the sign-in with this id replace whoever was signed in before, if that is what it waits for.
    pub fn confirm(&self, id: &str) {
        let current = self.lock();
        if let Some(current) = current.as_ref().filter(|current| current.id == id) {
            answer(&current.outcome, true);
        }
    }

    /// How the sign-in with this id goes.
    #[must_use]
    pub fn outcome(&self, id: &str) -> LoginOutcome {
        match &*self.lock() {
            Some(current) if current.id == id => current.outcome.borrow().clone(),
            Some(_) | None => LoginOutcome::Replaced,
        }
    }

    /// Ends the sign-in with this id, unless it has ended or been replaced.
    pub async fn cancel_one(&self, id: &str) {
        let is_refused = {
            let current = self.lock();
            match current.as_ref().filter(|current| current.id == id) {
                Some(current) => answer(&current.outcome, false),
                None => return,
            }
        };
        // Otherwise the browser is shown that the person before stays signed in.
        if !is_refused {
            self.end_current().await;
        }
    }

    /// Ends the sign-in that is in progress, or is beginning, so that it can no longer be completed, and waits until
    /// its address is free.
    pub async fn cancel(&self) {
        self.cancelled.fetch_add(1, Ordering::SeqCst);
        self.end_current().await;
    }

    /// Ends a sign-in that has just begun if sign-ins have been ended since there were so many.
    async fn check_not_cancelled(&self, cancelled: u64) -> Result<(), LoginNotStarted> {
        if self.cancelled.load(Ordering::SeqCst) == cancelled {
            return Ok(());
        }
        self.end_current().await;
        Err(LoginNotStarted::Cancelled)
    }

    async fn end_current(&self) {
        let current = self.lock().take();
        if let Some(current) = current {
            settle(&current.outcome, LoginOutcome::Replaced);
            if let Some(listener) = current.listener {
                listener.stop.send_replace(DrainPhase::Cut);
                let _ = listener.task.await;
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<CurrentLogin>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
