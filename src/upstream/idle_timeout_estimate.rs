//! An estimate of how long the upstream keeps an idle connection open, learnt from what happens to those in the pool.
//!
//! Close to that time, a request may cross the upstream's close on the network, and then it is unknown whether it was
//! processed. A request that is safe to repeat is repeated; any other is not sent on such a connection.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// No server closes an idle connection so soon for being idle; an earlier close has another cause.
const SHORTEST: Duration = Duration::from_millis(500);

/// The longest idle time that connections are known to survive, in microseconds; `u64::MAX` until one was closed.
#[derive(Debug)]
pub(super) struct IdleTimeoutEstimate(AtomicU64);

impl IdleTimeoutEstimate {
    /// For an upstream that has not closed an idle connection yet.
    pub(super) fn unknown() -> Self {
        Self(AtomicU64::new(u64::MAX))
    }

    /// Whether a connection that has been idle for `age` is unlikely to be closed right now.
    pub(super) fn expects_open(&self, age: Duration) -> bool {
        let known = self.0.load(Ordering::Relaxed);
        micros(age) < known - known / 10
    }

    /// Records that a connection that had been idle for `age` was still open.
    pub(super) fn observe_open(&self, age: Duration) {
        if micros(age) > self.0.load(Ordering::Relaxed) {
            self.0.store(micros(age), Ordering::Relaxed);
        }
    }

    /// Records that a connection was closed after it had been idle for `age`.
    pub(super) fn observe_closed(&self, age: Duration) {
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
