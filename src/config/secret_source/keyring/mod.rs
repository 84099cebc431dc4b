//! The user's keyring: GNOME's or KDE's by the Secret Service, macOS's keychain, Windows' credential manager.
//!
//! Reads one entry; stores and deletes for `init` alone. Every call blocks, and says itself where it is bounded.
//! `secret_service` and `native` know the systems.

#[cfg(all(feature = "keyring", any(target_os = "macos", windows)))]
mod native;
#[cfg(all(feature = "keyring", unix, not(target_vendor = "apple")))]
mod secret_service;

use std::error::Error;
use std::fmt;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::credentials::Secret;

#[cfg(all(feature = "keyring", any(target_os = "macos", windows)))]
use native as system;
#[cfg(all(feature = "keyring", unix, not(target_vendor = "apple")))]
use secret_service as system;

/// How long the keyring may take: it may ask its user to unlock it.
const LIMIT: Duration = Duration::from_secs(5);

/// Where a secret stands in the keyring: `SERVICE/ACCOUNT`, as `keyring`, `security` and `secret-tool`
/// call the two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyringEntry {
    service: String,
    account: String,
}

impl KeyringEntry {
    /// From `SERVICE/ACCOUNT`; neither is empty, the account may hold further slashes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (service, account) = text.split_once('/')?;
        (!service.is_empty() && !account.is_empty()).then(|| Self {
            service: service.to_owned(),
            account: account.to_owned(),
        })
    }

    /// The command that puts a secret there, on this system.
    fn how_to_store(&self) -> String {
        let Self { service, account } = self;
        if cfg!(target_os = "macos") {
            format!("security add-generic-password -s {service:?} -a {account:?} -w")
        } else if cfg!(windows) {
            format!("cmdkey /generic:{self} /user:{account} /pass")
        } else {
            format!(
                "secret-tool store --label={service:?} service {service:?} username {account:?}"
            )
        }
    }
}

impl fmt::Display for KeyringEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.service, self.account)
    }
}

/// Why the keyring gave no secret. No variant holds any of it.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The feature `keyring` was left out, or no such system is known.
    #[error("this build reads no keyring")]
    NotBuilt,
    /// A server, a container, a session without a desktop.
    #[error("there is no keyring here")]
    Absent,
    /// It is there, and has no such entry.
    #[error("it has no such entry")]
    NoEntry,
    /// Which of them is meant cannot be told.
    #[error("it has several such entries")]
    Ambiguous,
    /// It is locked, and its user did not unlock it.
    #[error("it is locked")]
    Locked,
    /// It did not answer; most often since it waits for its user to unlock it.
    #[error("it gave no answer within {} s", limit.as_secs())]
    TimedOut {
        /// How long it was given.
        limit: Duration,
    },
    /// What stands there is no text, or is not encoded as the system does it.
    #[error("what stands there is no password")]
    NotText,
    /// Anything else.
    #[error("it failed")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
}

impl KeyringError {
    pub(super) fn remedy(&self, entry: &KeyringEntry) -> String {
        const OTHERS: &str =
            "write { file = \"…\" }, { command = [\"…\"] } or { env = \"…\" } instead";
        match self {
            Self::NotBuilt | Self::Absent | Self::Failed(_) => OTHERS.to_owned(),
            Self::NoEntry | Self::NotText => format!("store it: {}", entry.how_to_store()),
            Self::Ambiguous => "delete all but one".to_owned(),
            Self::Locked | Self::TimedOut { .. } => {
                format!("unlock it, by logging in to the desktop; where there is none, {OTHERS}")
            }
        }
    }
}

/// Reads the entry on a thread of its own, within 5 s.
pub(super) async fn read(entry: KeyringEntry) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
    bounded(LIMIT, move || system::read(&entry)).await
}

impl KeyringEntry {
    /// Puts a secret there; what stood there is replaced. Within a minute: its user may have to unlock it.
    ///
    /// # Errors
    /// See [`KeyringError`].
    pub async fn store(&self, secret: &Secret) -> Result<(), KeyringError> {
        let (entry, secret) = (self.clone(), secret.clone());
        bounded(UNLOCK_LIMIT, move || system::store(&entry, &secret)).await
    }

    /// Makes the keyring forget it.
    ///
    /// # Errors
    /// See [`KeyringError`]; no such entry is one, too.
    pub async fn delete(&self) -> Result<(), KeyringError> {
        let entry = self.clone();
        bounded(LIMIT, move || system::delete(&entry)).await
    }
}

/// How long a keyring may take that is locked, while its user sits in front of it.
const UNLOCK_LIMIT: Duration = Duration::from_mins(1);

async fn bounded<T: Send + 'static>(
    limit: Duration,
    call: impl FnOnce() -> Result<T, KeyringError> + Send + 'static,
) -> Result<T, KeyringError> {
    match tokio::time::timeout(limit, tokio::task::spawn_blocking(call)).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(ended)) => Err(KeyringError::Failed(ended.into())),
        Err(_) => Err(KeyringError::TimedOut { limit }),
    }
}

#[cfg(not(all(feature = "keyring", any(unix, windows))))]
mod system {
    use super::{KeyringEntry, KeyringError, Secret, Zeroizing};

    pub(super) fn read(_: &KeyringEntry) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
        Err(KeyringError::NotBuilt)
    }

    pub(super) fn store(_: &KeyringEntry, _: &Secret) -> Result<(), KeyringError> {
        Err(KeyringError::NotBuilt)
    }

    pub(super) fn delete(_: &KeyringEntry) -> Result<(), KeyringError> {
        Err(KeyringError::NotBuilt)
    }
}
