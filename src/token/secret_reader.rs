//! Reads an identity's secrets from their sources, for as long as the sources belong to that identity. Does not know
//! the token endpoint.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::request_secrets::{RequestSecrets, UnreadableSecret, is_awaited};
use crate::config::RequestSource;

/// The future that a [`ReadSecrets`] returns.
type ReadingSecrets =
    Pin<Box<dyn Future<Output = Result<RequestSecrets, UnreadableSecret>> + Send>>;

/// Reads the secrets of token requests from their sources.
pub type ReadSecrets = Arc<dyn Fn() -> ReadingSecrets + Send + Sync>;

/// Whether the sources still hold the secrets of this identity, and not yet those of another token endpoint or client.
pub type SecretOwnership =
    Arc<dyn Fn() -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync>;

/// The sources of an identity's secrets, and the last secrets that were read from them.
pub struct SecretReader {
    sources: Vec<RequestSource>,
    ownership: OnceLock<SecretOwnership>,
    last: Mutex<Option<RequestSecrets>>,
}

/// The sources may hold the secrets of another identity.
#[derive(Debug, thiserror::Error)]
#[error(
    "it is not used while the configuration names another token endpoint, client or source, or cannot be read"
)]
struct SecretOfAnother;

impl SecretReader {
    /// Reads nothing yet.
    #[must_use]
    pub fn new(sources: Vec<RequestSource>) -> Arc<Self> {
        Arc::new(Self {
            sources,
            ownership: OnceLock::new(),
            last: Mutex::default(),
        })
    }

    /// Uses secrets that were not read before only if they belong to this identity. The first call decides.
    pub fn bind(&self, ownership: SecretOwnership) {
        let _ = self.ownership.set(ownership);
    }

    /// As the function that the refresh task calls.
    #[must_use]
    pub fn into_function(self: Arc<Self>) -> ReadSecrets {
        Arc::new(move || {
            let this = Arc::clone(&self);
            Box::pin(async move { this.read().await })
        })
    }

    /// A new secret is asked about after it was read: whoever changes the configuration first and the secret then is
    /// noticed, however little time passes between the two.
    async fn read(&self) -> Result<RequestSecrets, UnreadableSecret> {
        let read = RequestSecrets::read(&self.sources).await;
        let secrets = read.map_err(|(source, error)| UnreadableSecret {
            what: source.key,
            is_awaited: is_awaited(source, &error),
            cause: error.into(),
        })?;
        let is_known = self
            .lock()
            .as_ref()
            .is_some_and(|last| last.equal(&secrets));
        if !is_known
            && let Some(is_owned) = self.ownership.get()
            && !is_owned().await
        {
            let last = self.lock().clone();
            return last.ok_or_else(|| UnreadableSecret {
                is_awaited: false,
                what: self
                    .sources
                    .first()
                    .map_or("the secret", |source| source.key),
                cause: SecretOfAnother.into(),
            });
        }
        *self.lock() = Some(secrets.clone());
        Ok(secrets)
    }

    fn lock(&self) -> MutexGuard<'_, Option<RequestSecrets>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
