//! Reads an identity's secrets from their sources, for as long as the sources belong to that identity. Does not know
//! the token endpoint.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::ownership::{Ownership, SecretOfAnother, SourceOwner};
use super::request_secrets::{RequestSecrets, UnreadableSecret};
use crate::config::RequestSource;

/// The future that a [`ReadSecrets`] returns.
type ReadingSecrets =
    Pin<Box<dyn Future<Output = Result<RequestSecrets, UnreadableSecret>> + Send>>;

/// Reads the secrets of token requests from their sources: from all of them, or, beside the secrets that are given,
/// only from those that may change without a restart or a rejection.
pub type ReadSecrets = Arc<dyn Fn(Option<RequestSecrets>) -> ReadingSecrets + Send + Sync>;

/// The sources of an identity's secrets, and the last secrets that were read from them.
pub struct SecretReader {
    sources: Vec<RequestSource>,
    ownership: Ownership,
    last: Mutex<Option<RequestSecrets>>,
}

impl SecretReader {
    /// Reads nothing yet. Secrets that were not read before are used only if they belong to this identity.
    #[must_use]
    pub fn new(sources: Vec<RequestSource>, ownership: Ownership) -> Arc<Self> {
        Arc::new(Self {
            sources,
            ownership,
            last: Mutex::default(),
        })
    }

    /// As the function that the refresh task calls.
    #[must_use]
    pub fn into_function(self: Arc<Self>) -> ReadSecrets {
        Arc::new(move |known| {
            let this = Arc::clone(&self);
            Box::pin(async move { this.read(known.as_ref()).await })
        })
    }

    async fn read(
        &self,
        known: Option<&RequestSecrets>,
    ) -> Result<RequestSecrets, UnreadableSecret> {
        let read = RequestSecrets::read(&self.sources, known).await;
        let secrets = read.map_err(|(source, error)| UnreadableSecret {
            what: source.key,
            is_renewed: source.form.is_renewed(),
            cause: error.into(),
        })?;
        if !self.may_use(&secrets).await {
            let last = self.lock().clone();
            return last.ok_or_else(|| UnreadableSecret {
                is_renewed: false,
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

    /// A JWT that someone else renews changes all the time, so neither a configuration that cannot be read nor one that
    /// waits for its own token keeps a renewed one from being used. Of an opaque token, nobody knows whose it is.
    async fn may_use(&self, secrets: &RequestSecrets) -> bool {
        let last = self.lock().clone();
        if last.as_ref().is_some_and(|last| last.equal(secrets)) {
            return true;
        }
        match self.ownership.owner().await {
            SourceOwner::This => true,
            SourceOwner::Another => last.is_some_and(|last| last.is_renewed_by(secrets)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<RequestSecrets>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
