//! A delay that has begun.

use std::time::Duration;

use super::clock::Timestamp;
use super::schedule::Delays;

/// A wait from a moment on, measured by the clock that reports the greater age.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wait {
    pub(super) since: Timestamp,
    pub(super) delays: Delays,
}

impl Wait {
    pub(super) const fn ended(since: Timestamp) -> Self {
        Self::of(since, Duration::ZERO)
    }

    /// As long with a token as without one.
    pub(super) const fn of(since: Timestamp, delay: Duration) -> Self {
        Self {
            since,
            delays: Delays {
                with_token: delay,
                without_token: delay,
            },
        }
    }

    /// How long it still takes, with or without a usable token.
    pub(super) fn left(&self, usable: bool, now: Timestamp) -> Duration {
        let delay = if usable {
            self.delays.with_token
        } else {
            self.delays.without_token
        };
        delay.saturating_sub(self.since.age(now))
    }
}
