//! Where a secret comes from, and reading it: bounded in size and time, and never quoted.

mod keyring;
mod parse;
#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::process::Command;
use zeroize::Zeroizing;

use super::SecretSource;
use super::file::{FileError, read_regular, readable_by_all};
use super::layers::is_ours;
use crate::credentials::Secret;

pub use keyring::{KeyringEntry, KeyringError};
pub(crate) use parse::{command_from_text, file, from_toml};

/// A secret is at most 64 KiB; longer is the wrong file.
const LONGEST: u64 = 64 << 10;

/// How long a command may take.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);

/// Why there is no secret. No variant holds any of it.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read; the source says why.
    #[error("the secret's file {} cannot be read", path.display())]
    File {
        /// As configured.
        path: PathBuf,
        /// Why.
        source: FileError,
    },
    /// `{ env = … }` names a variable that is not there.
    #[error("the secret's variable {0} is not set")]
    VariableUnset(String),
    /// The program is not there, or may not be run.
    #[error("the secret's command {program} cannot be started")]
    CommandStart {
        /// Its name, without arguments.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// The program says that it failed. What it printed is not shown: it may be the secret.
    #[error("the secret's command {program} failed ({status})")]
    CommandFailed {
        /// Its name, without arguments.
        program: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// The program did not end in time, and was killed.
    #[error("the secret's command {program} did not end within {} s", limit.as_secs())]
    CommandTimeout {
        /// Its name, without arguments.
        program: String,
        /// How long it was given.
        limit: Duration,
    },
    /// There is nothing in it.
    #[error("the secret is empty ({0})")]
    Empty(String),
    /// An editor has put U+FEFF in front of it, which would be sent as part of it.
    #[error("the secret starts with a byte order mark ({0})")]
    ByteOrderMark(String),
    /// The keyring gave none; the source says why.
    #[error("the keyring's entry {entry} cannot be read")]
    Keyring {
        /// As configured.
        entry: KeyringEntry,
        /// Why.
        source: KeyringError,
    },
    /// More than 64 KiB.
    #[error("the secret is longer than 64 KiB ({0})")]
    TooLong(String),
}

impl SecretError {
    /// What happened and why, in one line, for people; logs print the chain of sources instead.
    #[must_use]
    pub fn in_full(&self) -> String {
        match std::error::Error::source(self) {
            Some(source) => format!("{self}: {source}"),
            None => self.to_string(),
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::File { source, .. } => source.remedy(),
            Self::VariableUnset(name) => format!("set {name}, or name another source"),
            Self::CommandStart { .. } => "check the program's name and that it is in PATH".into(),
            Self::CommandFailed { .. } => {
                "run it by hand, with its standard input closed, to see what it says".into()
            }
            Self::CommandTimeout { .. } => {
                "run it by hand: it may wait for an input that it does not get here".into()
            }
            Self::Empty(_) => "put the secret there".into(),
            Self::ByteOrderMark(_) => "save it as UTF-8 without BOM".into(),
            Self::Keyring { entry, source } => source.remedy(entry),
            Self::TooLong(_) => "name what holds the secret and nothing else".into(),
        }
    }
}

impl SecretSource {
    /// Reads the secret now. One trailing newline is trimmed, and nothing else.
    ///
    /// # Errors
    /// See [`SecretError`]. A command is given 30 s, no input and none of our variables, and is
    /// killed when the time is up or when the returned future is dropped; the keyring is given 5 s.
    pub async fn read(&self) -> Result<Secret, SecretError> {
        let bytes = match self {
            Self::File(path) => self.read_file(path.clone()).await?,
            Self::Env(name) => {
                let value = std::env::var_os(name)
                    .ok_or_else(|| SecretError::VariableUnset(name.clone()))?;
                Zeroizing::new(value.into_encoded_bytes())
            }
            Self::Command(words) => self.run(words).await?,
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

    /// Whether it can hold another secret later without our doing: a file can, and is looked at again.
    #[must_use]
    pub const fn may_change(&self) -> bool {
        match self {
            Self::File(_) => true,
            Self::Env(_) | Self::Command(_) | Self::Keyring(_) | Self::Value(_) => false,
        }
    }

    /// For logs and messages: the kind and the place, never any of it, nor a command's arguments.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::File(path) => format!("file {}", path.display()),
            Self::Env(name) => format!("variable {name}"),
            Self::Command(words) => format!("command {}", program(words)),
            Self::Keyring(entry) => format!("keyring {entry}"),
            Self::Value(_) => "its own variable".to_owned(),
        }
    }

    /// A warning, if this is a file that every user of the machine may read.
    #[must_use]
    pub fn exposed(&self) -> Option<String> {
        match self {
            Self::File(path) => readable_by_all(path),
            Self::Env(_) | Self::Command(_) | Self::Keyring(_) | Self::Value(_) => None,
        }
    }

    async fn read_file(&self, path: PathBuf) -> Result<Zeroizing<Vec<u8>>, SecretError> {
        let named = path.clone();
        let read = tokio::task::spawn_blocking(move || read_regular(&path, LONGEST)).await;
        match read {
            Ok(Ok(bytes)) => Ok(bytes),
            Ok(Err(FileError::TooLong { .. })) => Err(SecretError::TooLong(self.describe())),
            Ok(Err(source)) => Err(SecretError::File {
                path: named,
                source,
            }),
            // Only when the runtime is shutting down.
            Err(_) => Err(SecretError::File {
                path: named,
                source: FileError::Other(io::ErrorKind::Interrupted.into()),
            }),
        }
    }

    async fn run(&self, words: &[String]) -> Result<Zeroizing<Vec<u8>>, SecretError> {
        tokio::time::timeout(COMMAND_TIMEOUT, self.output(words))
            .await
            .unwrap_or_else(|_| {
                Err(SecretError::CommandTimeout {
                    program: program(words),
                    limit: COMMAND_TIMEOUT,
                })
            })
    }

    async fn output(&self, words: &[String]) -> Result<Zeroizing<Vec<u8>>, SecretError> {
        let failed_to_start = |source| SecretError::CommandStart {
            program: program(words),
            source,
        };
        let mut child = command(words).spawn().map_err(failed_to_start)?;
        let stdout = child.stdout.take().expect("its standard output is piped");
        let mut bytes = Zeroizing::new(Vec::with_capacity(room()));
        stdout
            .take(LONGEST + 1)
            .read_to_end(&mut bytes)
            .await
            .map_err(failed_to_start)?;
        if bytes.len() as u64 > LONGEST {
            return Err(SecretError::TooLong(self.describe()));
        }
        let status = child.wait().await.map_err(failed_to_start)?;
        if !status.success() {
            return Err(SecretError::CommandFailed {
                program: program(words),
                status,
            });
        }
        Ok(bytes)
    }

    fn checked(&self, bytes: &[u8]) -> Result<Secret, SecretError> {
        const MARKS: [&[u8]; 3] = [b"\xEF\xBB\xBF", b"\xFE\xFF", b"\xFF\xFE"];
        if MARKS.iter().any(|mark| bytes.starts_with(mark)) {
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

/// Room for all of it at once: a vector that grows leaves unwiped copies behind.
fn room() -> usize {
    usize::try_from(LONGEST + 1).expect("64 KiB fit into memory")
}

/// Standard error goes nowhere: a script that traces itself (`set -x`) writes the secret there.
fn command(words: &[String]) -> Command {
    let mut command = Command::new(program(words));
    command
        .args(words.iter().skip(1))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_ours(name)) {
        command.env_remove(name);
    }
    command
}

fn program(words: &[String]) -> String {
    words.first().cloned().unwrap_or_default()
}
