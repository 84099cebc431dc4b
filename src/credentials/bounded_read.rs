//! Reading on another thread, for a bounded time: the file system may be on a server that does not respond.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::{AbortHandle, spawn_blocking};
use tokio::time::timeout;

/// How long a file may take to be read.
pub(super) const FILE_TIMEOUT: Duration = Duration::from_secs(5);

/// The threads that nobody waits for any more, by the file that they read.
static ABANDONED: Mutex<BTreeMap<PathBuf, AbortHandle>> = Mutex::new(BTreeMap::new());

/// Calls `read`, which reads `path`, and waits at most `limit` for it. A thread that hangs cannot be ended, so as long
/// as one does, no other is started for the same file.
///
/// # Errors
/// It took longer, or an earlier call still hangs.
pub(super) async fn read_within<T: Send + 'static>(
    limit: Duration,
    path: &Path,
    read: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    if abandoned()
        .get(path)
        .is_some_and(|read| !read.is_finished())
    {
        return Err(no_response(limit));
    }
    let task = spawn_blocking(read);
    let _running = RunningRead {
        path,
        read: task.abort_handle(),
    };
    match timeout(limit, task).await {
        // Joining fails only when the runtime is shutting down.
        Ok(joined) => joined.map_err(|_| io::ErrorKind::Interrupted.into()),
        Err(_) => Err(no_response(limit)),
    }
}

/// Records a thread that is still running when nobody waits for it any more.
struct RunningRead<'a> {
    path: &'a Path,
    read: AbortHandle,
}

impl Drop for RunningRead<'_> {
    fn drop(&mut self) {
        let mut abandoned = abandoned();
        if self.read.is_finished() {
            abandoned.remove(self.path);
        } else {
            abandoned.insert(self.path.to_owned(), self.read.clone());
        }
    }
}

fn abandoned() -> MutexGuard<'static, BTreeMap<PathBuf, AbortHandle>> {
    ABANDONED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn no_response(limit: Duration) -> io::Error {
    let seconds = limit.as_secs();
    let message = format!("its file system did not respond within {seconds} s");
    io::Error::new(io::ErrorKind::TimedOut, message)
}

#[cfg(test)]
mod tests;
