//! Reads an identity's secret from its source, for as long as the source belongs to that identity. Does not know the
//! token endpoint.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::cause::Cause;
use crate::credentials::{Secret, SecretSource};

/// The future that a [`ReadSecret`] returns.
type ReadingSecret = Pin<Box<dyn Future<Output = Result<Secret, Cause>> + Send>>;

/// Reads the client secret from its source.
pub type ReadSecret = Arc<dyn Fn() -> ReadingSecret + Send + Sync>;

/// Whether the source still holds the secret of this identity, and not yet that of another token endpoint or client.
pub type SecretOwnership =
    Arc<dyn Fn() -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync>;

/// The source of a secret, and the last secret that was read from it.
pub struct SecretReader {
    source: SecretSource,
    ownership: OnceLock<SecretOwnership>,
    last: Mutex<Option<Secret>>,
}

/// The source may hold the secret of another identity.
#[derive(Debug, thiserror::Error)]
#[error(
    "it is not used while the configuration names another token endpoint, client or source, or cannot be read"
)]
struct SecretOfAnother;

impl SecretReader {
    /// Reads nothing yet.
    #[must_use]
    pub fn new(source: SecretSource) -> Arc<Self> {
        Arc::new(Self {
            source,
            ownership: OnceLock::new(),
            last: Mutex::default(),
        })
    }

    /// Uses a secret that was not read before only if it belongs to this identity. The first call decides.
    pub fn bind(&self, ownership: SecretOwnership) {
        let _ = self.ownership.set(ownership);
    }

    /// As the function that the refresh task calls.
    #[must_use]
    pub fn into_function(self: Arc<Self>) -> ReadSecret {
        Arc::new(move || {
            let this = Arc::clone(&self);
            Box::pin(async move { this.read().await })
        })
    }

    /// A new secret is asked about after it was read: whoever changes the configuration first and the secret then is
    /// noticed, however little time passes between the two.
    async fn read(&self) -> Result<Secret, Cause> {
        let secret = self.source.read().await?;
        let is_known = self
            .lock()
            .as_ref()
            .is_some_and(|last| last.expose() == secret.expose());
        if !is_known
            && let Some(is_owned) = self.ownership.get()
            && !is_owned().await
        {
            return self.lock().clone().ok_or_else(|| SecretOfAnother.into());
        }
        *self.lock() = Some(secret.clone());
        Ok(secret)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Secret>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
