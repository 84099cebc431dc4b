//! A lock that processes of one user share. The operating system releases it when a process ends, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use super::private_file::{PrivateFileError, open_private};

/// How often it is tried again.
const INTERVAL: Duration = Duration::from_millis(20);

/// Held until it is dropped.
#[must_use]
pub struct LockFile {
    _file: File,
}

impl LockFile {
    /// Takes the lock, and waits for at most `limit` for another process that holds it. The file is never removed: two
    /// processes could then hold a lock each.
    ///
    /// # Errors
    /// See [`PrivateFileError`].
    pub async fn acquire(path: &Path, limit: Duration) -> Result<Self, PrivateFileError> {
        let end = Instant::now() + limit;
        let owned = path.to_owned();
        let mut file = in_background(move || {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            let file = open_private(&owned, &options)?;
            file.ok_or_else(|| PrivateFileError::writing(std::io::ErrorKind::NotFound.into()))
        })
        .await?;
        loop {
            let (tried, outcome) = in_background(move || {
                let outcome = file.try_lock();
                Ok((file, outcome))
            })
            .await?;
            file = tried;
            match outcome {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) if Instant::now() < end => sleep(INTERVAL).await,
                Err(TryLockError::WouldBlock) => {
                    return Err(PrivateFileError::Busy {
                        seconds: limit.as_secs(),
                    });
                }
                Err(TryLockError::Error(error)) => return Err(PrivateFileError::writing(error)),
            }
        }
    }
}

/// A network file system may take its time.
async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PrivateFileError> + Send + 'static,
) -> Result<T, PrivateFileError> {
    let finished = spawn_blocking(work).await;
    finished.unwrap_or_else(|error| Err(PrivateFileError::writing(error.into())))
}

#[cfg(test)]
mod tests;
