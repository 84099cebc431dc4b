//! How often the upstream's 401s may ask for a token: once for all of them, then a pause that grows
//! while replays are refused too. Pure: the time is an argument.

use std::time::Duration;

use tokio::time::Instant;

use super::schedule::{FORCED_PAUSE_MAX, FORCED_PAUSE_MIN};

/// What forced refreshes have been asked for, and when the next may be.
#[derive(Debug)]
pub(super) struct Forced {
    /// The number of the attempt that serves the last demand.
    serves: u64,
    last: Option<Instant>,
    pause: Duration,
    /// What replays said since the last forced refresh; `None` before the first of them.
    accepted: Option<bool>,
}

impl Forced {
    pub(super) const fn new() -> Self {
        // "Refused" before any refresh was forced: such a replay says nothing about forcing.
        Self {
            serves: 0,
            last: None,
            pause: FORCED_PAUSE_MIN,
            accepted: Some(false),
        }
    }

    /// Whether a demand waits for an attempt that has not finished.
    pub(super) const fn is_outstanding(&self, finished: u64) -> bool {
        self.serves > finished
    }

    /// Asks that attempt `number` be made now.
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
        self.serves = number;
        self.last = Some(now);
        self.accepted = None;
        Ok(())
    }

    /// What the upstream said to one replay. A hundred replays of one refresh are one verdict, and
    /// one that was accepted outweighs the others: then the token was at fault, and forcing helped.
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

    /// Whether the last forced refresh was in vain: refused although fresh, a missing role perhaps.
    pub(super) const fn in_vain(&self) -> bool {
        self.last.is_some() && matches!(self.accepted, Some(false))
    }
}

#[cfg(test)]
mod tests;
