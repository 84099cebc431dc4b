//! How long the upstream keeps a connection that waits: learnt from what becomes of those that wait here.
//!
//! Near that limit a request may cross the close on its way, and then nobody knows whether it was carried
//! out. One that may be repeated is; any other had better not be sent there.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// No server closes a waiting connection so soon because it waits: it was told to close, or it ends itself.
const SHORTEST: Duration = Duration::from_millis(500);

/// The longest wait that is known to be survived, once one was not. In microseconds.
#[derive(Debug)]
pub(super) struct Patience(AtomicU64);

impl Patience {
    /// Of an upstream that has not closed a waiting connection yet.
    pub(super) fn unknown() -> Self {
        Self(AtomicU64::new(u64::MAX))
    }

    /// Whether a connection that has waited for `age` is far enough from being closed.
    pub(super) fn outlasts(&self, age: Duration) -> bool {
        let known = self.0.load(Ordering::Relaxed);
        micros(age) < known - known / 10
    }

    /// A connection that had waited for `age` was still open.
    pub(super) fn kept(&self, age: Duration) {
        if micros(age) > self.0.load(Ordering::Relaxed) {
            self.0.store(micros(age), Ordering::Relaxed);
        }
    }

    /// One was closed that had waited for `age`.
    pub(super) fn closed(&self, age: Duration) {
        if age >= SHORTEST {
            self.0.fetch_min(micros(age), Ordering::Relaxed);
        }
    }
}

fn micros(age: Duration) -> u64 {
    u64::try_from(age.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
