//! Age by two clocks. Holds the only place of this room that reads the time; decides nothing.
//!
//! `Instant` stands still while a Linux machine sleeps, and the wall clock can be set: a token is as
//! old as the clock that says more (`docs/architecture.md`, tokens).

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// Where the time comes from; tests put a wall clock of their own beside tokio's paused one.
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

    /// Both clocks, one read each.
    pub(super) fn now(self) -> Stamp {
        Stamp {
            wall: (self.wall)(),
            monotonic: Instant::now(),
        }
    }
}

/// One moment, on both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamp {
    pub(super) wall: SystemTime,
    pub(super) monotonic: Instant,
}

impl Stamp {
    /// How long ago this was: the larger of wall and monotonic age, never negative.
    pub(super) fn age(self, now: Self) -> Duration {
        self.wall_age(now).max(self.monotonic_age(now))
    }

    /// Whether its [`Self::age`] is below `limit`, without working it out.
    pub(super) fn is_younger(self, limit: Duration, now: Self) -> bool {
        let below = |end: Option<bool>| end.unwrap_or(true); // an end that no clock reaches
        !limit.is_zero()
            && below(self.wall.checked_add(limit).map(|end| now.wall < end))
            && below(
                self.monotonic
                    .checked_add(limit)
                    .map(|end| now.monotonic < end),
            )
    }

    /// By how much the wall clock was moved against the monotonic one since, in either direction.
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
