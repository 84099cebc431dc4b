//! Where an identity's credential is read, and how it is kept to what it has read. Knows no token endpoint.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Cause, ReadSecret};
use crate::credentials::Secret;
use crate::credentials::SecretSource;

/// A credential's source, and what was read of it last.
pub struct Credential {
    source: SecretSource,
    read: Mutex<Read>,
}

#[derive(Default)]
struct Read {
    is_held: bool,
    last: Option<Secret>,
}

/// The source may hold another identity's credential by now.
#[derive(Debug, thiserror::Error)]
#[error(
    "it is not read while a configuration with another token endpoint or client is about to take over"
)]
struct Withheld;

impl Credential {
    /// Nothing of it is read yet.
    #[must_use]
    pub fn of(source: SecretSource) -> Arc<Self> {
        let read = Mutex::default();
        Arc::new(Self { source, read })
    }

    /// As an engine asks for it.
    #[must_use]
    pub fn reader(self: Arc<Self>) -> ReadSecret {
        Arc::new(move || {
            let this = Arc::clone(&self);
            Box::pin(async move { this.read().await })
        })
    }

    /// Whether, from here on, the source is left alone, and what was read of it last stays in use.
    pub fn hold(&self, hold: bool) {
        self.lock().is_held = hold;
    }

    async fn read(&self) -> Result<Secret, Cause> {
        if self.lock().is_held {
            return self.last();
        }
        let read = self.source.read().await;
        {
            let mut known = self.lock();
            if !known.is_held {
                known.last = read.as_ref().ok().cloned().or(known.last.take());
                return read.map_err(Into::into);
            }
        }
        // Held while it was being read.
        self.last()
    }

    fn last(&self) -> Result<Secret, Cause> {
        self.lock().last.clone().ok_or_else(|| Withheld.into())
    }

    fn lock(&self) -> MutexGuard<'_, Read> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
