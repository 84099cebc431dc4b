//! The authorization server's clock, as far as it is known: assertions must carry the server's time.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use super::assertion::CLOCK_TOLERANCE;

/// By how many seconds the authorization server's clock is ahead of this machine's; 0 while the difference is
/// tolerable.
#[derive(Debug, Default)]
pub(super) struct ServerClock(AtomicI64);

impl ServerClock {
    /// The current time by the server's clock.
    pub(super) fn now(&self) -> SystemTime {
        let ahead = self.0.load(Ordering::Relaxed);
        let offset = Duration::from_secs(ahead.unsigned_abs());
        let now = SystemTime::now();
        let adjusted = if ahead < 0 {
            now.checked_sub(offset)
        } else {
            now.checked_add(offset)
        };
        adjusted.unwrap_or(now)
    }

    /// Corrects the clock by a response whose `Date` is `ahead` seconds ahead of this machine's clock. Returns the new
    /// difference if the next assertion will carry another time than the last one.
    pub(super) fn correct(&self, ahead: i64) -> Option<i64> {
        let tolerance = CLOCK_TOLERANCE.as_secs();
        let ahead = if ahead.unsigned_abs() > tolerance {
            ahead
        } else {
            0
        };
        let before = self.0.swap(ahead, Ordering::Relaxed);
        (before.abs_diff(ahead) > tolerance).then_some(ahead)
    }
}
