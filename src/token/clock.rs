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
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);
    const SECOND: Duration = Duration::from_secs(1);

    fn now() -> Stamp {
        Clock::SYSTEM.now()
    }

    #[test]
    fn younger_is_whose_age_is_below_on_both_clocks() {
        let then = now();
        let later = |wall: Duration, monotonic: Duration| Stamp {
            wall: then.wall + wall,
            monotonic: then.monotonic + monotonic,
        };
        let ends = [Duration::ZERO, SECOND, HOUR, HOUR + SECOND, HOUR * 2];
        for wall in ends {
            for monotonic in ends {
                for limit in ends {
                    let now = later(wall, monotonic);
                    assert_eq!(
                        then.is_younger(limit, now),
                        then.age(now) < limit,
                        "{wall:?} {monotonic:?} {limit:?}"
                    );
                }
            }
        }
        let earlier = Stamp {
            wall: then.wall - HOUR,
            ..then
        };
        assert!(then.is_younger(SECOND, earlier));
        assert!(!then.is_younger(Duration::ZERO, earlier));
        assert!(then.is_younger(Duration::MAX, later(HOUR, HOUR)));
    }

    #[test]
    fn the_clock_that_says_older_counts() {
        let then = now();
        let slept = Stamp {
            wall: then.wall + HOUR,
            monotonic: then.monotonic + SECOND,
        };
        let set_back = Stamp {
            wall: then.wall - HOUR,
            monotonic: then.monotonic + SECOND,
        };

        assert_eq!(then.age(slept), HOUR);
        assert_eq!(then.age(set_back), SECOND);
    }

    #[test]
    fn a_step_is_seen_in_both_directions_and_plain_time_is_none() {
        let then = now();
        let plain = Stamp {
            wall: then.wall + HOUR,
            monotonic: then.monotonic + HOUR,
        };
        let slept = Stamp {
            wall: then.wall + HOUR,
            monotonic: then.monotonic + SECOND,
        };
        let set_back = Stamp {
            wall: then.wall - HOUR,
            monotonic: then.monotonic + SECOND,
        };

        assert_eq!(then.step_until(plain), Duration::ZERO);
        assert_eq!(then.step_until(slept), HOUR.checked_sub(SECOND).unwrap());
        assert_eq!(then.step_until(set_back), HOUR + SECOND);
    }
}
