//! Why the store of a person's refresh token cannot be used. Holds no part of a token.

use std::path::PathBuf;

use crate::credentials::{KeyringEntry, KeyringError, PrivateFileError};

/// The key that names the store.
pub(super) const STORE_KEY: &str = "token.store";

/// Why the store cannot be used. The cause is always on this machine.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The keyring, or its entry.
    #[error("{STORE_KEY}: the keyring entry {entry} cannot be used")]
    Keyring {
        /// Its name.
        entry: KeyringEntry,
        /// Why.
        source: KeyringError,
    },
    /// The file, or that of the lock.
    #[error("{STORE_KEY}: {} {source}", path.display())]
    File {
        /// Its name.
        path: PathBuf,
        /// Why.
        source: PrivateFileError,
    },
    /// What it holds was not written by cupbearer, or only in part.
    #[error("{STORE_KEY}: {place} does not hold what cupbearer has written there")]
    Corrupt {
        /// Where it is.
        place: String,
    },
    /// There is no directory for the file of the lock.
    #[error("{STORE_KEY}: this user has no state directory (HOME and XDG_STATE_HOME are not set)")]
    NoStateDirectory,
}

impl StoreError {
    /// How to fix it.
    #[must_use]
    pub fn remedy(&self) -> String {
        const OTHER: &str = "set token.store to { file = \"…\" } or \"memory\"";
        match self {
            Self::Keyring { source, .. } => match source {
                KeyringError::Locked | KeyringError::TimedOut { .. } => {
                    format!(
                        "unlock the keyring, sign in again if you are not signed in then, or {OTHER}"
                    )
                }
                KeyringError::TooLong { .. } => "set token.store to { file = \"…\" }".to_owned(),
                KeyringError::Ambiguous => "delete all such entries, and sign in again".to_owned(),
                KeyringError::NotBuilt
                | KeyringError::Absent
                | KeyringError::NoEntry
                | KeyringError::NotText
                | KeyringError::Failed(_) => OTHER.to_owned(),
            },
            Self::File { path, source } => source.remedy(path),
            Self::Corrupt { place } => {
                format!(
                    "remove {place} if it is not needed, and sign in again with `cupbearer login`"
                )
            }
            Self::NoStateDirectory => format!("set HOME, or {OTHER}"),
        }
    }

    /// This error, its causes and the remedy on one line.
    #[must_use]
    pub fn chain(&self) -> String {
        format!("{}; {}", crate::text::error_chain(self), self.remedy())
    }

    /// Whether a look may make the keyring ask its user each time.
    pub(super) const fn is_of_keyring(&self) -> bool {
        matches!(self, Self::Keyring { .. })
    }

    /// Whether the keyring is locked, or still waits for its user to unlock it.
    pub(super) const fn is_of_locked_keyring(&self) -> bool {
        use KeyringError::{Locked, TimedOut};
        matches!(
            self,
            Self::Keyring {
                source: Locked | TimedOut { .. },
                ..
            }
        )
    }
}

#[cfg(test)]
mod tests;
