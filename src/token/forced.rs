//! How often the upstream's 401s may force a refresh: once for all of them, followed by a pause that grows while the
//! replayed requests are rejected too. Pure: the time is an argument.

use std::time::Duration;

use tokio::time::Instant;

use super::schedule::{FORCED_PAUSE_MAX, FORCED_PAUSE_MIN};

/// The forced refreshes so far, and when the next one may start.
#[derive(Debug)]
pub(super) struct ForcedRefreshes {
    /// The number of the attempt that satisfies the last demand.
    attempt: u64,
    last: Option<Instant>,
    pause: Duration,
    /// Whether a replay was accepted since the last forced refresh; `None` before the first replay.
    accepted: Option<bool>,
}

impl ForcedRefreshes {
    pub(super) const fn new() -> Self {
        // A replay before the first forced refresh says nothing about whether forcing helps.
        Self {
            attempt: 0,
            last: None,
            pause: FORCED_PAUSE_MIN,
            accepted: Some(false),
        }
    }

    /// Whether the last demand waits for an attempt that has not finished.
    pub(super) const fn is_outstanding(&self, finished: u64) -> bool {
        self.attempt > finished
    }

    /// Demands that attempt `number` be made now.
    ///
    /// # Errors
    /// How long forced refreshes are still paused.
    pub(super) fn demand(&mut self, number: u64, now: Instant) -> Result<(), Duration> {
        let since = self
            .last
            .map_or(Duration::MAX, |last| now.saturating_duration_since(last));
        if since < self.pause {
            return Err(self.pause.saturating_sub(since));
        }
        self.attempt = number;
        self.last = Some(now);
        self.accepted = None;
        Ok(())
    }

    /// Records the upstream's response to one replay. A hundred replays after one refresh count once, and a single
    /// accepted one outweighs the others: the token was at fault then, and the refresh helped.
    pub(super) fn replayed(&mut self, accepted: bool) {
        match (accepted, self.accepted) {
            (true, _) => {
                self.pause = FORCED_PAUSE_MIN;
                self.accepted = Some(true);
            }
            (false, None) => {
                self.pause = (self.pause * 2).min(FORCED_PAUSE_MAX);
                self.accepted = Some(false);
            }
            (false, Some(_)) => {}
        }
    }

    /// Whether the last forced refresh did not help: the upstream rejects a fresh token too, perhaps because a role is
    /// missing.
    pub(super) const fn was_ineffective(&self) -> bool {
        self.last.is_some() && matches!(self.accepted, Some(false))
    }
}

#[cfg(test)]
mod tests;
