//! How many of something are active now: one atomic addition to enter, one to leave.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A count that goes up and down. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct ActiveCount(Arc<AtomicUsize>);

impl ActiveCount {
    /// The current count.
    #[must_use]
    pub fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Adds one until the returned guard is dropped.
    #[must_use]
    pub fn enter(&self) -> ActiveGuard {
        self.0.fetch_add(1, Ordering::Relaxed);
        ActiveGuard(self.clone())
    }

    /// Adds one unless that would exceed `limit`.
    #[must_use]
    pub fn enter_below(&self, limit: usize) -> Option<ActiveGuard> {
        let guard = self.enter();
        (self.get() <= limit).then_some(guard)
    }
}

/// Counts one in an [`ActiveCount`] for as long as it lives.
#[derive(Debug)]
pub struct ActiveGuard(ActiveCount);

impl Drop for ActiveGuard {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}
