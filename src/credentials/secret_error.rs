//! Why a secret cannot be read, and how to fix it. No variant holds any part of the secret.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use super::keyring::{KeyringEntry, KeyringError};
use super::regular_file::FileError;
use crate::text::error_chain;

/// Why a secret cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("the secret's file {} cannot be read", path.display())]
    File {
        /// As configured.
        path: PathBuf,
        /// The cause.
        source: FileError,
    },
    /// `{ env = … }` names a variable that is not set.
    #[error("the secret's variable {0} is not set")]
    VariableUnset(String),
    /// The program does not exist or may not be executed.
    #[error("the command {program} cannot be started")]
    CommandStart {
        /// The program's name, without arguments.
        program: String,
        /// The cause.
        source: io::Error,
    },
    /// The program reported a failure. Its output is not shown, since it may be the secret.
    #[error("the command {program} failed ({status})")]
    CommandFailed {
        /// The program's name, without arguments.
        program: String,
        /// How it ended.
        status: ExitStatus,
        /// The last line of its standard error, for the log and the doctor only.
        said: Option<String>,
    },
    /// The program did not end in time and was killed.
    #[error("the command {program} did not end within {} s", limit.as_secs())]
    CommandTimeout {
        /// The program's name, without arguments.
        program: String,
        /// The limit that expired.
        limit: Duration,
        /// The last line of its standard error, for the log and the doctor only.
        said: Option<String>,
    },
    /// The source yields no bytes, or a newline only.
    #[error("the secret is empty ({0})")]
    Empty(String),
    /// An editor has put U+FEFF in front of the secret. It would be sent as part of the secret.
    #[error("the secret starts with a byte order mark ({0})")]
    ByteOrderMark(String),
    /// The keyring did not return a secret.
    #[error("the keyring's entry {entry} cannot be read")]
    Keyring {
        /// As configured.
        entry: KeyringEntry,
        /// The cause.
        source: KeyringError,
    },
    /// It is longer than 64 KiB.
    #[error("the secret is longer than 64 KiB ({0})")]
    TooLong(String),
}

impl SecretError {
    pub(super) fn of_file(path: &Path, error: FileError) -> Self {
        match error {
            FileError::TooLong { .. } => Self::TooLong(format!("file {}", path.display())),
            source => Self::File {
                path: path.to_owned(),
                source,
            },
        }
    }

    /// What happened and why, on one line, for people; logs print the chain of sources instead.
    #[must_use]
    pub fn in_full(&self) -> String {
        error_chain(self)
    }

    /// The last line that a command wrote to its standard error, without what looks like a token: for the log and the
    /// doctor only, never for a caller.
    #[must_use]
    pub fn said(&self) -> Option<&str> {
        match self {
            Self::CommandFailed { said, .. } | Self::CommandTimeout { said, .. } => said.as_deref(),
            Self::File { .. }
            | Self::VariableUnset(_)
            | Self::CommandStart { .. }
            | Self::Empty(_)
            | Self::ByteOrderMark(_)
            | Self::Keyring { .. }
            | Self::TooLong(_) => None,
        }
    }

    /// How to fix it.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::File { source, .. } => source.remedy(),
            Self::VariableUnset(name) => format!("set {name}, or configure another source"),
            Self::CommandStart { .. } => {
                "check the program's name, and that the program is in PATH".into()
            }
            Self::CommandFailed { .. } => {
                "run the command by hand, with its standard input closed, to see its error message"
                    .into()
            }
            Self::CommandTimeout { .. } => {
                "run the command by hand: it may be waiting for input, which it does not get here"
                    .into()
            }
            Self::Empty(_) => "store the secret there".into(),
            Self::ByteOrderMark(_) => "save it as UTF-8 without a byte order mark".into(),
            Self::Keyring { entry, source } => source.remedy(entry),
            Self::TooLong(_) => "use a source that contains only the secret".into(),
        }
    }
}

#[cfg(test)]
mod tests;
