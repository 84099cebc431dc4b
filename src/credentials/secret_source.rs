//! Where a secret is configured to come from, and reading it from there: bounded in size and time, and never quoted.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::bounded_read::{FILE_TIMEOUT, read_within};
use super::keyring::{self, KeyringEntry};
use super::regular_file::{self, FileError, read_regular};
use super::secret::Secret;
use super::secret_command::{self, run_command};
use super::secret_error::SecretError;

/// A secret is at most 64 KiB long; a longer file is the wrong file.
pub(super) const MAX_SECRET_BYTES: u64 = 64 << 10;

/// Where a secret comes from. The secret itself is read when it is needed, and again when it may have changed.
#[derive(Debug, Clone)]
pub enum SecretSource {
    /// `{ file = "…" }`.
    File(PathBuf),
    /// `{ env = "…" }`: an environment variable of any name.
    Env(String),
    /// `{ command = ["…"] }`: the standard output of a program. It has 30 s, no standard input, and none of the
    /// variables that are meant for this process alone.
    Command(Vec<String>),
    /// `{ keyring = "SERVICE/ACCOUNT" }`: the desktop's or system's keyring, which has 5 s.
    Keyring(KeyringEntry),
    /// The secret itself, from the environment variable of the key.
    Value(Secret),
}

impl SecretSource {
    /// Whether reading it runs a program or asks a keyring, which may ask a person.
    #[must_use]
    pub const fn asks_elsewhere(&self) -> bool {
        match self {
            Self::Command(_) | Self::Keyring(_) => true,
            Self::File(_) | Self::Env(_) | Self::Value(_) => false,
        }
    }

    /// Whether both read the same file, variable or keyring entry, run the same command or have the same value.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File(one), Self::File(two)) => one == two,
            (Self::Env(one), Self::Env(two)) => one == two,
            (Self::Command(one), Self::Command(two)) => one == two,
            (Self::Keyring(one), Self::Keyring(two)) => one == two,
            (Self::Value(one), Self::Value(two)) => one.expose() == two.expose(),
            (_, _) => false,
        }
    }

    /// Reads the secret now. One trailing newline is trimmed, and nothing else.
    ///
    /// # Errors
    /// See [`SecretError`]. A command is killed after 30 s, and when the returned future is dropped; a file and a
    /// keyring have 5 s.
    pub async fn read(&self) -> Result<Secret, SecretError> {
        let bytes = match self {
            Self::File(path) => read_file(path).await?,
            Self::Env(name) => {
                let value = std::env::var_os(name)
                    .ok_or_else(|| SecretError::VariableUnset(name.clone()))?;
                Zeroizing::new(value.into_encoded_bytes())
            }
            Self::Command(words) => Box::pin(run_command(words, MAX_SECRET_BYTES)).await?.stdout,
            Self::Keyring(entry) => {
                let read = keyring::read(entry.clone()).await;
                read.map_err(|source| SecretError::Keyring {
                    entry: entry.clone(),
                    source,
                })?
            }
            Self::Value(secret) => Zeroizing::new(secret.expose().to_vec()), // checked like the others
        };
        self.checked(&bytes)
    }

    /// The file, if it is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Env(_) | Self::Command(_) | Self::Keyring(_) | Self::Value(_) => None,
        }
    }

    /// Whether its secret can change without a restart or a rejection: only a file is read again regularly.
    #[must_use]
    pub const fn may_change(&self) -> bool {
        match self {
            Self::File(_) => true,
            Self::Env(_) | Self::Command(_) | Self::Keyring(_) | Self::Value(_) => false,
        }
    }

    /// For logs and messages: the kind and name of the source, without the secret and without a command's arguments.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::File(path) => format!("file {}", path.display()),
            Self::Env(name) => format!("variable {name}"),
            Self::Command(words) => Self::describe_command(words),
            Self::Keyring(entry) => format!("keyring {entry}"),
            Self::Value(_) => "its own variable".to_owned(),
        }
    }

    /// The same for a command.
    #[must_use]
    pub fn describe_command(words: &[String]) -> String {
        format!("command {}", secret_command::program(words))
    }

    /// Who else can read this, in words, if it is a file.
    #[must_use]
    pub fn other_readers(&self) -> Option<String> {
        match self {
            Self::File(path) => regular_file::other_readers(path),
            Self::Env(_) | Self::Command(_) | Self::Keyring(_) | Self::Value(_) => None,
        }
    }

    /// A warning if this is a file that others can read.
    #[must_use]
    pub fn exposed(&self) -> Option<String> {
        match self {
            Self::File(path) => regular_file::exposed(path),
            Self::Env(_) | Self::Command(_) | Self::Keyring(_) | Self::Value(_) => None,
        }
    }

    /// Whether this file contains a secret now.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub fn check_file(path: &Path) -> Result<(), SecretError> {
        let bytes = read_secret_file(path)?;
        Self::File(path.to_owned()).checked(&bytes).map(drop)
    }

    fn checked(&self, bytes: &[u8]) -> Result<Secret, SecretError> {
        const BYTE_ORDER_MARKS: [&[u8]; 3] = [b"\xEF\xBB\xBF", b"\xFE\xFF", b"\xFF\xFE"];
        if BYTE_ORDER_MARKS.iter().any(|mark| bytes.starts_with(mark)) {
            return Err(SecretError::ByteOrderMark(self.describe()));
        }
        let trimmed = bytes
            .strip_suffix(b"\r\n")
            .or_else(|| bytes.strip_suffix(b"\n"))
            .unwrap_or(bytes);
        if trimmed.is_empty() {
            return Err(SecretError::Empty(self.describe()));
        }
        Ok(Secret::new(trimmed))
    }
}

async fn read_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let owned = path.to_owned();
    let read = read_within(FILE_TIMEOUT, path, move || read_secret_file(&owned)).await;
    read.unwrap_or_else(|error| {
        Err(SecretError::File {
            path: path.to_owned(),
            source: FileError::Other(error),
        })
    })
}

fn read_secret_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    read_regular(path, MAX_SECRET_BYTES).map_err(|error| SecretError::of_file(path, error))
}

#[cfg(test)]
mod tests;
