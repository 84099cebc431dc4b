//! Background tasks that have stopped although what they do is still needed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// Which background tasks of a proxy, or of the admin listeners, have stopped. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct StoppedTasks(Arc<Mutex<Vec<StoppedTask>>>);

/// A background task that has stopped.
#[derive(Debug, Clone, Copy)]
pub struct StoppedTask {
    /// Its name.
    pub name: &'static str,
    /// When it stopped.
    pub at: SystemTime,
}

impl StoppedTasks {
    /// Runs a task, and records its name if it ends or panics. Dropping the future records nothing, since that is how a
    /// task is stopped on purpose.
    pub async fn watch<T>(self, name: &'static str, task: impl Future<Output = T>) -> T {
        let watched = WatchedTask {
            stopped: self,
            name,
        };
        let output = task.await;
        watched.record();
        output
    }

    /// Runs a task that may end, and records its name only if it panics.
    pub async fn watch_for_panic<T>(self, name: &'static str, task: impl Future<Output = T>) -> T {
        let _watched = WatchedTask {
            stopped: self,
            name,
        };
        task.await
    }

    /// Their names.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        self.lock().iter().map(|one| one.name).collect()
    }

    /// The tasks, and when they stopped.
    #[must_use]
    pub fn all(&self) -> Vec<StoppedTask> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<StoppedTask>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct WatchedTask {
    stopped: StoppedTasks,
    name: &'static str,
}

impl WatchedTask {
    fn record(&self) {
        let mut stopped = self.stopped.lock();
        if !stopped.iter().any(|one| one.name == self.name) {
            stopped.push(StoppedTask {
                name: self.name,
                at: SystemTime::now(),
            });
        }
    }
}

impl Drop for WatchedTask {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.record();
        }
    }
}

#[cfg(test)]
mod tests;
