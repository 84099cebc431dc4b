//! Reads an identity's secret from its source, unless reading is suspended. Does not know the token endpoint.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::cause::Cause;
use crate::credentials::{Secret, SecretSource};

/// The future that a [`ReadSecret`] returns.
type ReadingSecret = Pin<Box<dyn Future<Output = Result<Secret, Cause>> + Send>>;

/// Reads the client secret from its source.
pub type ReadSecret = Arc<dyn Fn() -> ReadingSecret + Send + Sync>;

/// The source of a secret, and the last secret that was read from it.
pub struct SecretReader {
    source: SecretSource,
    state: Mutex<ReaderState>,
}

#[derive(Default)]
struct ReaderState {
    is_suspended: bool,
    last: Option<Secret>,
}

/// The source may already hold the secret of another identity.
#[derive(Debug, thiserror::Error)]
#[error(
    "it is not read while a new configuration, with another token endpoint or client, is about to take effect"
)]
struct ReadingSuspended;

impl SecretReader {
    /// Reads nothing yet.
    #[must_use]
    pub fn new(source: SecretSource) -> Arc<Self> {
        let state = Mutex::default();
        Arc::new(Self { source, state })
    }

    /// As the function that the refresh task calls.
    #[must_use]
    pub fn into_function(self: Arc<Self>) -> ReadSecret {
        Arc::new(move || {
            let this = Arc::clone(&self);
            Box::pin(async move { this.read().await })
        })
    }

    /// Suspends or resumes reading. While it is suspended, the last secret that was read stays in use.
    pub fn suspend(&self, suspend: bool) {
        self.lock().is_suspended = suspend;
    }

    async fn read(&self) -> Result<Secret, Cause> {
        if self.lock().is_suspended {
            return self.last();
        }
        let read = self.source.read().await;
        {
            let mut state = self.lock();
            if !state.is_suspended {
                state.last = read.as_ref().ok().cloned().or(state.last.take());
                return read.map_err(Into::into);
            }
        }
        // Reading was suspended in the meantime.
        self.last()
    }

    fn last(&self) -> Result<Secret, Cause> {
        self.lock()
            .last
            .clone()
            .ok_or_else(|| ReadingSuspended.into())
    }

    fn lock(&self) -> MutexGuard<'_, ReaderState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
