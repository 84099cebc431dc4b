//! How many of something there are now. One atomic addition to enter and one to leave.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A count that goes up and down, shared by its clones.
#[derive(Debug, Clone, Default)]
pub struct Level(Arc<AtomicUsize>);

impl Level {
    /// How many there are.
    #[must_use]
    pub fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// One more, until what is returned is dropped.
    #[must_use]
    pub fn enter(&self) -> Held {
        self.0.fetch_add(1, Ordering::Relaxed);
        Held(self.clone())
    }

    /// One more, if that makes no more than `limit`.
    #[must_use]
    pub fn enter_below(&self, limit: usize) -> Option<Held> {
        let held = self.enter();
        (self.get() <= limit).then_some(held)
    }
}

/// One of those that are counted.
#[derive(Debug)]
pub struct Held(Level);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}
