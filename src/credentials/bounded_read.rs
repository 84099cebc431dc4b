//! Reading on another thread, for a bounded time: the file system may be on a server that does not respond.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::{AbortHandle, spawn_blocking};
use tokio::time::timeout;

/// How long a file may take to be read.
pub const FILE_TIMEOUT: Duration = Duration::from_secs(5);

/// The threads that nobody waits for any more, by the file that they read: several if they began at the same time.
static ABANDONED: Mutex<BTreeMap<PathBuf, Vec<AbortHandle>>> = Mutex::new(BTreeMap::new());

/// Calls `read`, which reads `path`, and waits at most `limit` for it. A thread that hangs cannot be ended, so as long
/// as one does, no other is started for the same file.
///
/// # Errors
/// It took longer, or an earlier call still hangs.
pub async fn read_within<T: Send + 'static>(
    limit: Duration,
    path: &Path,
    read: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    if hangs(path) {
        return Err(no_response(limit));
    }
    #[cfg(test)]
    let read = hanging::after_response(path, read);
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
        if !self.read.is_finished() {
            let mut abandoned = abandoned();
            let reads = abandoned.entry(self.path.to_owned()).or_default();
            reads.push(self.read.clone());
        }
    }
}

/// Whether a thread that nobody waits for any more still reads this file.
fn hangs(path: &Path) -> bool {
    let mut abandoned = abandoned();
    let Some(reads) = abandoned.get_mut(path) else {
        return false;
    };
    reads.retain(|read| !read.is_finished());
    let hangs = !reads.is_empty();
    if !hangs {
        abandoned.remove(path);
    }
    hangs
}

fn abandoned() -> MutexGuard<'static, BTreeMap<PathBuf, Vec<AbortHandle>>> {
    ABANDONED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn no_response(limit: Duration) -> io::Error {
    let seconds = limit.as_secs();
    let message = format!("its file system did not respond within {seconds} s");
    io::Error::new(io::ErrorKind::TimedOut, message)
}

#[cfg(test)]
pub(crate) mod hanging;
#[cfg(test)]
mod tests;
