//! The user's keyring: that of GNOME or KDE through the Secret Service, the macOS keychain, or the Windows
//! credential manager.
//!
//! Only `init` and the store of a person's session write and delete entries. Every call blocks, so each runs on a
//! blocking thread with a timeout. `secret_service` and `native` know the systems.

mod entry;
#[cfg(all(feature = "keyring", any(target_os = "macos", windows)))]
mod native;
#[cfg(all(feature = "keyring", unix, not(target_vendor = "apple")))]
mod secret_service;
#[cfg(not(all(feature = "keyring", any(unix, windows))))]
mod unsupported;

use std::time::Duration;

use zeroize::Zeroizing;

use super::secret::Secret;
use entry::{ANSWER_TIMEOUT, UNLOCK_TIMEOUT};

pub use entry::{KeyringEntry, KeyringError};

#[cfg(all(feature = "keyring", any(target_os = "macos", windows)))]
use native as system;
#[cfg(all(feature = "keyring", unix, not(target_vendor = "apple")))]
use secret_service as system;
#[cfg(not(all(feature = "keyring", any(unix, windows))))]
use unsupported as system;

/// Windows keeps 2,560 bytes of UTF-16 (`CRED_MAX_CREDENTIAL_BLOB_SIZE`).
const LIMIT: Option<usize> = if cfg!(windows) { Some(1280) } else { None };

/// Reads the entry within 5 s.
pub(super) async fn read(entry: KeyringEntry) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
    on_blocking_thread(ANSWER_TIMEOUT, move || system::read(&entry)).await
}

impl KeyringEntry {
    /// Stores a secret in this entry and replaces what it held. Has a minute: the user may have to unlock the
    /// keyring.
    ///
    /// # Errors
    /// See [`KeyringError`].
    pub async fn store(&self, secret: &Secret) -> Result<(), KeyringError> {
        self.store_holding((), secret).await
    }

    /// The same, and holds `lock` until the keyring no longer works on it, even if that is after the timeout.
    ///
    /// # Errors
    /// See [`KeyringError`].
    pub async fn store_holding(
        &self,
        lock: impl Send + 'static,
        secret: &Secret,
    ) -> Result<(), KeyringError> {
        check_length(secret, LIMIT)?;
        let (entry, secret) = (self.clone(), secret.clone());
        holding(lock, UNLOCK_TIMEOUT, move || system::store(&entry, &secret)).await
    }

    /// Reads this entry within 5 s; `None` if it does not exist.
    ///
    /// # Errors
    /// See [`KeyringError`].
    pub async fn read(&self) -> Result<Option<Secret>, KeyringError> {
        match read(self.clone()).await {
            Ok(bytes) => Ok(Some(Secret::new(bytes.to_vec()))),
            Err(KeyringError::NoEntry) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The same as [`read`](Self::read), but does not ask the user to unlock the keyring. `None` if this system cannot
    /// do that.
    pub async fn look(&self) -> Option<Result<Option<Secret>, KeyringError>> {
        let entry = self.clone();
        let looking = on_blocking_thread(ANSWER_TIMEOUT, move || Ok(system::look(&entry)));
        match looking.await {
            Ok(None) => None,
            Ok(Some(Ok(bytes))) => Some(Ok(Some(Secret::new(bytes.to_vec())))),
            Ok(Some(Err(KeyringError::NoEntry))) => Some(Ok(None)),
            Ok(Some(Err(error))) | Err(error) => Some(Err(error)),
        }
    }

    /// Deletes this entry from the keyring.
    ///
    /// # Errors
    /// See [`KeyringError`]. A missing entry is an error too.
    pub async fn delete(&self) -> Result<(), KeyringError> {
        self.delete_holding(()).await
    }

    /// The same, and holds `lock` as [`store_holding`](Self::store_holding) does.
    ///
    /// # Errors
    /// See [`KeyringError`]. A missing entry is an error too.
    pub async fn delete_holding(&self, lock: impl Send + 'static) -> Result<(), KeyringError> {
        let entry = self.clone();
        holding(lock, ANSWER_TIMEOUT, move || system::delete(&entry)).await
    }
}

/// Says so before the keyring does, whose message names no limit.
fn check_length(secret: &Secret, limit: Option<usize>) -> Result<(), KeyringError> {
    // Exposed to count its characters.
    let text = String::from_utf8_lossy(secret.expose());
    match limit {
        Some(limit) if text.encode_utf16().count() > limit => Err(KeyringError::TooLong { limit }),
        Some(_) | None => Ok(()),
    }
}

/// A call that has timed out may still change the entry: until then, nobody else may.
async fn holding<T: Send + 'static>(
    lock: impl Send + 'static,
    limit: Duration,
    call: impl FnOnce() -> Result<T, KeyringError> + Send + 'static,
) -> Result<T, KeyringError> {
    let call = move || {
        let outcome = call();
        drop(lock);
        outcome
    };
    on_blocking_thread(limit, call).await
}

async fn on_blocking_thread<T: Send + 'static>(
    limit: Duration,
    call: impl FnOnce() -> Result<T, KeyringError> + Send + 'static,
) -> Result<T, KeyringError> {
    match tokio::time::timeout(limit, tokio::task::spawn_blocking(call)).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(join_error)) => Err(KeyringError::Failed(join_error.into())),
        Err(_) => Err(KeyringError::TimedOut { limit }),
    }
}

#[cfg(test)]
mod tests;
