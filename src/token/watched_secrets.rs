//! The secrets of the refresh task's requests: read when they are needed, and read again when they may have changed.
//!
//! Reads through a closure, so that tests can decide what the sources hold. Does not know when an attempt is made.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use super::catch_panic::catch_panic;
use super::grant_error::GrantError;
use super::request_secrets::{RequestSecrets, UnreadableSecret};
use super::schedule::{MIN_BETWEEN_ATTEMPTS, SECRET_POLL};
use super::secret_reader::ReadSecrets;

/// Longer than a secret's command may run (30 s). A reader that hangs must not block the task.
const SECRET_TIMEOUT: Duration = Duration::from_secs(35);

/// The secrets of the last attempt, and where they are read again.
pub(super) struct WatchedSecrets {
    read: ReadSecrets,
    /// The proxy's name in the log, if several proxies share the log.
    pub(super) proxy: Option<String>,
    current: Option<RequestSecrets>,
    /// When the sources were last read; `None` if no secret can change.
    last_poll: Option<Instant>,
    /// Whether that reading failed, and the failure has been logged.
    has_failed: bool,
    /// Whether an attempt has failed for lack of secrets.
    is_awaited: bool,
}

/// How secrets have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SecretChange {
    /// Someone has changed a secret.
    Replaced,
    /// Only a token was renewed, as it is all the time.
    Renewed,
}

impl WatchedSecrets {
    /// Reads nothing yet. `polled_since` is `None` if no secret can change.
    pub(super) fn new(read: ReadSecrets, polled_since: Option<Instant>) -> Self {
        Self {
            read,
            proxy: None,
            current: None,
            last_poll: polled_since,
            has_failed: false,
            is_awaited: false,
        }
    }

    pub(super) fn current(&self) -> Option<&RequestSecrets> {
        self.current.as_ref()
    }

    /// The time until the sources are to be read again; `None` if no secret can change.
    pub(super) fn poll_in(&self, now: Instant) -> Option<Duration> {
        let last_poll = self.last_poll?;
        Some((last_poll + SECRET_POLL).saturating_duration_since(now))
    }

    /// Reads what can change. A secret that cannot be read counts as unchanged: a file is missing for a moment while it
    /// is replaced, and the current secret still works.
    pub(super) async fn poll(&mut self) -> Option<SecretChange> {
        let read = catch_panic(read(&self.read, self.current())).await;
        self.last_poll = Some(Instant::now());
        match read {
            Ok(secrets) => {
                self.has_failed = false;
                self.adopt(secrets)
            }
            Err(error) => {
                if self.current.is_some() {
                    self.report_unreadable(error);
                }
                None
            }
        }
    }

    /// Reads everything for an attempt, unless nothing can have changed since the last one. Returns why the secrets of
    /// the last attempt are used again although they may have changed.
    ///
    /// # Errors
    /// Why there are no secrets.
    pub(super) async fn prepare(&mut self) -> Result<Option<GrantError>, GrantError> {
        let known = self.current();
        if known.is_some_and(|known| !known.has_renewed()) {
            return Ok(None);
        }
        match catch_panic(read(&self.read, None)).await {
            Ok(secrets) => {
                self.has_failed = false;
                self.current = Some(secrets);
                Ok(None)
            }
            // What was read last may still be valid.
            Err(error) if self.current.is_some() => Ok(Some(self.report_unreadable(error))),
            Err(error) => {
                self.is_awaited = true;
                Err(error)
            }
        }
    }

    /// After a rejection: reads everything again, and returns whether something has changed.
    pub(super) async fn reread(&mut self) -> bool {
        match read(&self.read, None).await {
            Ok(secrets) if !self.is_current(&secrets) => {
                self.current = Some(secrets);
                true
            }
            Ok(_) => false,
            Err(error) => {
                self.report_unreadable(error);
                false
            }
        }
    }

    /// Waits until the sources hold a secret other than the one that the attempt uses. They are read as often as
    /// between attempts, but not within a second of the attempt.
    pub(super) fn replaced(&self) -> impl Future<Output = RequestSecrets> + Send + use<> {
        let read_secrets = Arc::clone(&self.read);
        let (last_poll, known) = (self.last_poll, self.current.clone());
        async move {
            let (Some(last_poll), Some(known)) = (last_poll, known) else {
                return std::future::pending().await;
            };
            let mut next = (last_poll + SECRET_POLL).max(Instant::now() + MIN_BETWEEN_ATTEMPTS);
            loop {
                sleep_until(next).await;
                next = Instant::now() + SECRET_POLL;
                if let Ok(secrets) = catch_panic(read(&read_secrets, Some(&known))).await
                    && known.differs_in_kept(&secrets)
                {
                    return secrets;
                }
            }
        }
    }

    /// Uses what [`replaced`](Self::replaced) has returned.
    pub(super) fn replace(&mut self, secrets: RequestSecrets) {
        self.adopt(secrets);
        self.last_poll = Some(Instant::now());
    }

    fn adopt(&mut self, secrets: RequestSecrets) -> Option<SecretChange> {
        if self.is_current(&secrets) {
            return None;
        }
        let known = self.current.as_ref();
        let is_replaced = known.map(|known| known.differs_in_kept(&secrets));
        self.current = Some(secrets);
        match is_replaced {
            // The first reading is a change only if someone waits for it: a person may have signed in before.
            None => return self.is_awaited.then_some(SecretChange::Replaced),
            Some(false) => return Some(SecretChange::Renewed),
            Some(true) => {}
        }
        tracing::info!(proxy = self.proxy, "token secret changed");
        Some(SecretChange::Replaced)
    }

    fn is_current(&self, secrets: &RequestSecrets) -> bool {
        self.current().is_some_and(|known| known.equal(secrets))
    }

    /// Logs once that the last secret stays in use. Returns the failure without what repeats that secret.
    fn report_unreadable(&mut self, error: GrantError) -> GrantError {
        let error = match &self.current {
            Some(current) => error.without_secrets(current),
            None => error,
        };
        if !self.has_failed {
            self.has_failed = true;
            tracing::warn!(
                proxy = self.proxy,
                error = error.chain(),
                stderr = error.said(),
                "cannot read the token secret; the last one stays in use"
            );
        }
        error
    }
}

async fn read(
    source: &ReadSecrets,
    known: Option<&RequestSecrets>,
) -> Result<RequestSecrets, GrantError> {
    match timeout(SECRET_TIMEOUT, source(known.cloned())).await {
        Ok(Ok(secrets)) if secrets.has_empty() => Err(GrantError::SecretEmpty),
        Ok(Ok(secrets)) => Ok(secrets),
        Ok(Err(unreadable)) => Err(GrantError::SecretUnreadable(unreadable)),
        Err(elapsed) => Err(GrantError::SecretUnreadable(UnreadableSecret {
            what: "the secret",
            is_renewed: false,
            cause: elapsed.into(),
        })),
    }
}

#[cfg(test)]
mod tests;
