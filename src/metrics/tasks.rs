//! Background tasks that have stopped although what they do is still needed.

use std::sync::{Arc, Mutex, PoisonError};

/// Which background tasks of a proxy, or of the admin listeners, have stopped. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct StoppedTasks(Arc<Mutex<Vec<&'static str>>>);

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
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

struct WatchedTask {
    stopped: StoppedTasks,
    name: &'static str,
}

impl WatchedTask {
    fn record(&self) {
        let mut names = self
            .stopped
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !names.contains(&self.name) {
            names.push(self.name);
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
