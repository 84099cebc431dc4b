//! The age of a token by two clocks. Decides nothing.
//!
//! On Linux, `Instant` does not advance while the machine is suspended, and the wall clock can be set: a token is as
//! old as the clock that reports the greater age.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// The source of time. Tests use a wall clock of their own together with tokio's paused clock.
#[derive(Clone, Copy)]
pub(super) struct Clock {
    wall: fn() -> SystemTime,
}

impl Clock {
    pub(super) const SYSTEM: Self = Self {
        wall: SystemTime::now,
    };

    #[cfg(test)]
    pub(super) const fn with_wall(wall: fn() -> SystemTime) -> Self {
        Self { wall }
    }

    /// Reads both clocks once.
    pub(super) fn now(self) -> Timestamp {
        Timestamp {
            wall: (self.wall)(),
            monotonic: Instant::now(),
        }
    }
}

/// One moment on both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timestamp {
    pub(super) wall: SystemTime,
    pub(super) monotonic: Instant,
}

impl Timestamp {
    /// How long ago this was: the greater of the ages by wall clock and by monotonic clock, never negative.
    pub(super) fn age(self, now: Self) -> Duration {
        self.wall_age(now).max(self.monotonic_age(now))
    }

    /// Whether its [`Self::age`] is below `limit`, without computing the age.
    pub(super) fn is_younger(self, limit: Duration, now: Self) -> bool {
        let below = |end: Option<bool>| end.unwrap_or(true); // no clock reaches that end
        !limit.is_zero()
            && below(self.wall.checked_add(limit).map(|end| now.wall < end))
            && below(
                self.monotonic
                    .checked_add(limit)
                    .map(|end| now.monotonic < end),
            )
    }

    /// By how much the wall clock has moved against the monotonic clock since, in either direction.
    pub(super) fn step_until(self, now: Self) -> Duration {
        match now.wall.duration_since(self.wall) {
            Ok(wall) => wall.abs_diff(self.monotonic_age(now)),
            Err(backwards) => backwards.duration() + self.monotonic_age(now),
        }
    }

    fn wall_age(self, now: Self) -> Duration {
        now.wall.duration_since(self.wall).unwrap_or_default()
    }

    fn monotonic_age(self, now: Self) -> Duration {
        now.monotonic.saturating_duration_since(self.monotonic)
    }
}

#[cfg(test)]
mod tests;
