//! Where the refresh token of a person is kept: in the keyring, in a file, or nowhere but in memory (`token.store`).
//!
//! Several processes may share one. A refresh token is replaced whenever it is used, and using the one before ends the
//! session (RFC 9700 4.14), so whoever uses it holds the lock from before it is read until the next one is on the disk.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_lc_rs::digest;
use etcetera::BaseStrategy as _;
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use super::store_error::StoreError;
use super::stored_session::{FILE_LIMIT, StoredSession, WrittenFile};
use crate::config::{LoginStore, is_same_file};
use crate::credentials::{
    KeyringEntry, KeyringError, LockFile, PrivateFileError, Secret, StagedPrivateFile,
    check_directory_of, prepare_directory_of, read_private,
};

/// Longer than a request for tokens by the process that holds the lock, its metadata included.
const LOCK_LIMIT: Duration = Duration::from_secs(25);

/// Room for another session, reserved before the refresh token is used.
const RESERVE: usize = 32 << 10;

/// The store of one session.
pub(super) struct SessionStore {
    place: StorePlace,
    /// Stands for what the session is bound to.
    id: String,
}

enum StorePlace {
    Memory,
    Keyring {
        entry: KeyringEntry,
        /// With `token.store` not set, a system without a keyring is no error.
        is_optional: bool,
        is_absent: AtomicBool,
    },
    File(PathBuf),
}

/// The right to use the refresh token; see the top of this file.
#[must_use]
pub(super) struct StoreLock {
    /// `None` where no other process can have the token. A keyring that has not finished holds it too.
    file: Option<Arc<LockFile>>,
    /// What will replace the file.
    staged: Option<StagedPrivateFile>,
}

/// The staged file is removed before the lock is released, since the next process stages one of the same name.
impl Drop for StoreLock {
    fn drop(&mut self) {
        let (staged, file) = (self.staged.take(), self.file.take());
        let release = move || {
            drop(staged);
            drop(file);
        };
        // A network file system may take its time.
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(release)),
            Err(_) => release(),
        }
    }
}

impl SessionStore {
    /// The store for the session that is bound to `binding`.
    pub(super) fn new(config: &LoginStore, binding: &str) -> Self {
        let hash = digest::digest(&digest::SHA256, binding.as_bytes());
        let id = hash.as_ref()[..16]
            .iter()
            .fold(String::new(), |mut id, byte| {
                let _ = write!(id, "{byte:02x}");
                id
            });
        let keyring = |is_optional| match KeyringEntry::parse(&format!("cupbearer/login-{id}")) {
            Some(entry) => StorePlace::Keyring {
                entry,
                is_optional,
                is_absent: AtomicBool::new(false),
            },
            None => StorePlace::Memory, // neither part is empty
        };
        let place = match config {
            LoginStore::Memory => StorePlace::Memory,
            LoginStore::Automatic => keyring(true),
            LoginStore::Keyring => keyring(false),
            LoginStore::File(path) => StorePlace::File(path.clone()),
        };
        Self { place, id }
    }

    /// Whether a session outlives this process.
    pub(super) fn is_durable(&self) -> bool {
        match &self.place {
            StorePlace::Memory => false,
            StorePlace::Keyring { is_absent, .. } => !is_absent.load(Ordering::Relaxed),
            StorePlace::File(_) => true,
        }
    }

    /// Where it is, for people.
    pub(super) fn describe(&self) -> String {
        match &self.place {
            StorePlace::File(path) => path.display().to_string(),
            StorePlace::Keyring { entry, .. } if self.is_durable() => {
                format!("the keyring entry {entry}")
            }
            StorePlace::Memory | StorePlace::Keyring { .. } => "memory".to_owned(),
        }
    }

    /// Whether `other` is the same place.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let is_same_place = match (&self.place, &other.place) {
            (StorePlace::File(one), StorePlace::File(other)) => {
                one == other || is_same_file(one, other)
            }
            _ => self.describe() == other.describe(),
        };
        self.id == other.id && is_same_place
    }

    /// How long to wait before another process may have signed in; `None` if no other can.
    pub(super) fn look_interval(&self) -> Option<Duration> {
        match &self.place {
            StorePlace::File(_) => Some(Duration::from_secs(5)),
            StorePlace::Keyring { .. } if self.is_durable() => Some(Duration::from_mins(1)),
            StorePlace::Memory | StorePlace::Keyring { .. } => None,
        }
    }

    /// Takes the lock.
    ///
    /// # Errors
    /// Another process holds it for too long, or its file cannot be used.
    pub(super) async fn lock(&self) -> Result<StoreLock, StoreError> {
        let path = match &self.place {
            _ if !self.is_durable() => None,
            StorePlace::Memory => None,
            StorePlace::File(path) => Some(LoginStore::lock_of(path)),
            StorePlace::Keyring { .. } => {
                Some(state_directory()?.join(format!("login-{}.lock", self.id)))
            }
        };
        let Some(path) = path else {
            return Ok(StoreLock {
                file: None,
                staged: None,
            });
        };
        let owned = path.clone();
        in_background(&path, move || prepare_directory_of(&owned)).await?;
        let acquired = LockFile::acquire(&path, LOCK_LIMIT).await;
        let file = acquired.map_err(|source| StoreError::File { path, source })?;
        Ok(StoreLock {
            file: Some(Arc::new(file)),
            staged: None,
        })
    }

    /// Reads the session. Whoever does not hold the lock reads what was whole once.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub(super) async fn read(&self) -> Result<Option<StoredSession>, StoreError> {
        match &self.place {
            StorePlace::Memory => Ok(None),
            StorePlace::Keyring {
                entry,
                is_optional,
                is_absent,
            } => {
                if !self.is_durable() {
                    return Ok(None);
                }
                match entry.read().await {
                    Err(KeyringError::Absent | KeyringError::NotBuilt) if *is_optional => {
                        is_absent.store(true, Ordering::Relaxed);
                        tracing::debug!("no keyring; the refresh token is kept in memory");
                        Ok(None)
                    }
                    outcome => self.in_keyring(entry, outcome),
                }
            }
            StorePlace::File(path) => Ok(self.read_file(path).await?.remove(&self.id)),
        }
    }

    /// Reads the session without the lock, and without asking the person to unlock the keyring. `None` if this system
    /// cannot do that.
    pub(super) async fn look(&self) -> Option<Result<Option<StoredSession>, StoreError>> {
        match &self.place {
            StorePlace::Keyring { entry, .. } if self.is_durable() => {
                let outcome = entry.look().await?;
                Some(self.in_keyring(entry, outcome))
            }
            StorePlace::Keyring { .. } | StorePlace::Memory | StorePlace::File(_) => {
                Some(self.read().await)
            }
        }
    }

    fn in_keyring(
        &self,
        entry: &KeyringEntry,
        outcome: Result<Option<Secret>, KeyringError>,
    ) -> Result<Option<StoredSession>, StoreError> {
        let Some(text) = outcome.map_err(|source| Self::keyring_error(entry, source))? else {
            return Ok(None);
        };
        // Exposed to read what it contains.
        let session = StoredSession::parse(text.expose()).ok_or_else(|| self.corrupt())?;
        Ok(Some(session))
    }

    /// Makes sure that a session can be written, as far as that can be known.
    ///
    /// # Errors
    /// It cannot.
    pub(super) async fn prepare(&self, lock: &mut StoreLock) -> Result<(), StoreError> {
        let StorePlace::File(path) = &self.place else {
            return Ok(());
        };
        let destination = path.clone();
        let staged = in_background(path, move || {
            let length = std::fs::metadata(&destination).map_or(0, |found| found.len());
            let length = usize::try_from(length).unwrap_or_default();
            StagedPrivateFile::create(&destination, length + RESERVE)
        });
        lock.staged = Some(staged.await?);
        Ok(())
    }

    /// Writes the session. Once this returns, it outlives the process, unless the store is memory.
    ///
    /// # Errors
    /// What was there is still there.
    pub(super) async fn write(
        &self,
        lock: &mut StoreLock,
        session: &StoredSession,
    ) -> Result<(), StoreError> {
        match &self.place {
            StorePlace::Memory => Ok(()),
            StorePlace::Keyring { .. } if !self.is_durable() => Ok(()),
            StorePlace::Keyring { entry, .. } => {
                let text = Secret::new(session.to_json().to_vec());
                let stored = entry.store_holding(lock.file.clone(), &text).await;
                stored.map_err(|source| Self::keyring_error(entry, source))
            }
            StorePlace::File(path) => {
                // One that cannot be read is not replaced: it may be something else that is needed.
                let mut file = self.read_file(path).await?;
                file.insert(&self.id, session);
                self.replace_file(path, lock, &file).await
            }
        }
    }

    /// Removes the session.
    ///
    /// # Errors
    /// It is still there.
    pub(super) async fn remove(&self, lock: &mut StoreLock) -> Result<(), StoreError> {
        match &self.place {
            StorePlace::Memory => Ok(()),
            StorePlace::Keyring { .. } if !self.is_durable() => Ok(()),
            StorePlace::Keyring { entry, .. } => {
                match entry.delete_holding(lock.file.clone()).await {
                    Ok(()) | Err(KeyringError::NoEntry) => Ok(()),
                    Err(source) => Err(Self::keyring_error(entry, source)),
                }
            }
            StorePlace::File(path) => {
                // One that cannot be read is not replaced: it may be something else that is needed.
                let mut file = self.read_file(path).await?;
                if file.remove(&self.id).is_none() {
                    return Ok(());
                }
                self.replace_file(path, lock, &file).await
            }
        }
    }

    async fn read_file(&self, path: &Path) -> Result<WrittenFile, StoreError> {
        let owned = path.to_owned();
        let read = in_background(path, move || {
            check_directory_of(&owned)?;
            read_private(&owned, FILE_LIMIT)
        });
        let read = read.await?;
        let Some(bytes) = read else {
            return Ok(WrittenFile::empty());
        };
        if bytes.trim_ascii().is_empty() {
            return Ok(WrittenFile::empty());
        }
        WrittenFile::parse(&bytes).ok_or_else(|| self.corrupt())
    }

    async fn replace_file(
        &self,
        path: &Path,
        lock: &mut StoreLock,
        file: &WrittenFile,
    ) -> Result<(), StoreError> {
        if lock.staged.is_none() {
            self.prepare(lock).await?;
        }
        let (staged, bytes) = (lock.staged.take(), file.to_json());
        if bytes.len() as u64 > FILE_LIMIT {
            return Err(StoreError::File {
                path: path.to_owned(),
                source: PrivateFileError::TooLong { limit: FILE_LIMIT },
            });
        }
        in_background(path, move || {
            staged.map_or(Ok(()), |staged| staged.place(&bytes))
        })
        .await
    }

    fn corrupt(&self) -> StoreError {
        StoreError::Corrupt {
            place: self.describe(),
        }
    }

    fn keyring_error(entry: &KeyringEntry, source: KeyringError) -> StoreError {
        StoreError::Keyring {
            entry: entry.clone(),
            source,
        }
    }
}

async fn in_background<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce() -> Result<T, PrivateFileError> + Send + 'static,
) -> Result<T, StoreError> {
    let failed = |error: tokio::task::JoinError| PrivateFileError::Failed {
        what: "read",
        source: error.into(),
    };
    let finished = spawn_blocking(work).await;
    let outcome = finished.unwrap_or_else(|error| Err(failed(error)));
    outcome.map_err(|source| StoreError::File {
        path: path.to_owned(),
        source,
    })
}

/// Where the lock of a keyring entry is.
fn state_directory() -> Result<PathBuf, StoreError> {
    let places = etcetera::choose_base_strategy().map_err(|_| StoreError::NoStateDirectory)?;
    let directory = places.state_dir().unwrap_or_else(|| places.data_dir());
    Ok(directory.join("cupbearer"))
}

#[cfg(test)]
mod tests;
