//! The name of an entry of the keyring, and why an entry cannot be read or written.

use std::error::Error;
use std::fmt;
use std::time::Duration;

/// How long the keyring has to answer: it may ask its user to unlock it.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the user has to unlock the keyring while `init` stores a secret.
pub(super) const UNLOCK_TIMEOUT: Duration = Duration::from_mins(1);

/// The name of an entry, `SERVICE/ACCOUNT`, in the terms of `keyring`, `security` and `secret-tool`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyringEntry {
    pub(super) service: String,
    pub(super) account: String,
}

impl KeyringEntry {
    /// From `SERVICE/ACCOUNT`. Neither part is empty; the account may contain further slashes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (service, account) = text.split_once('/')?;
        (!service.is_empty() && !account.is_empty()).then(|| Self {
            service: service.to_owned(),
            account: account.to_owned(),
        })
    }

    /// The command that stores a secret in this entry, on this system.
    fn store_command(&self) -> String {
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

/// Why an entry of the keyring cannot be read or written. No variant holds any part of a secret.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The feature `keyring` is disabled, or the operating system has no keyring that is supported.
    #[error("this build does not support keyrings")]
    NotBuilt,
    /// A server, a container, or a session without a desktop.
    #[error("there is no keyring on this system")]
    Absent,
    /// The keyring has no such entry.
    #[error("it has no such entry")]
    NoEntry,
    /// Several entries match.
    #[error("it has several such entries")]
    Ambiguous,
    /// It is locked, and its user did not unlock it.
    #[error("it is locked")]
    Locked,
    /// It did not answer in time, most often because it waits for its user to unlock it.
    #[error("it did not answer within {} s", limit.as_secs())]
    TimedOut {
        /// The limit that expired.
        limit: Duration,
    },
    /// The entry is not text, or not in the system's encoding.
    #[error("the entry does not hold a password")]
    NotText,
    /// It takes no more characters than this in one entry.
    #[error("it takes at most {limit} characters")]
    TooLong {
        /// In UTF-16.
        limit: usize,
    },
    /// Any other error.
    #[error("the keyring reports an error")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
}

impl KeyringError {
    pub(crate) fn remedy(&self, entry: &KeyringEntry) -> String {
        const OTHER_SOURCES: &str =
            "write { file = \"…\" }, { command = [\"…\"] } or { env = \"…\" } instead";
        match self {
            Self::NotBuilt | Self::Absent | Self::TooLong { .. } | Self::Failed(_) => {
                OTHER_SOURCES.to_owned()
            }
            Self::NoEntry | Self::NotText => format!("store it: {}", entry.store_command()),
            Self::Ambiguous => "delete all but one".to_owned(),
            Self::Locked | Self::TimedOut { .. } => {
                format!(
                    "unlock it by logging in to the desktop; without a desktop, {OTHER_SOURCES}"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests;
