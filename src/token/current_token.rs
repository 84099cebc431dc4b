//! The last token that was granted, and how long it may be sent.

use std::time::{Duration, SystemTime};

use http::HeaderValue;

use super::bearer::{Bearer, PersonSession};
use super::clock::Timestamp;
use super::schedule;

/// The last token that was granted.
#[derive(Clone)]
pub(super) struct CurrentToken {
    pub(super) header: HeaderValue,
    pub(super) generation: u64,
    /// Whose it is.
    pub(super) session: PersonSession,
    /// The moment before its request was sent.
    pub(super) requested_at: Timestamp,
    pub(super) lifetime: Duration,
    pub(super) refresh_after: Duration,
    /// When it was forgotten, by the wall clock.
    pub(super) forgotten_at: Option<SystemTime>,
}

impl CurrentToken {
    /// How long it can still be sent.
    pub(super) fn usable_in(&self, now: Timestamp) -> Duration {
        schedule::usable_for(self.lifetime).saturating_sub(self.requested_at.age(now))
    }

    /// When it expires by the current wall clock, even if the clock was set in the meantime.
    pub(super) fn expires_at(&self, now: Timestamp) -> Option<SystemTime> {
        let age = self.requested_at.age(now);
        match self.lifetime.checked_sub(age) {
            Some(left) => now.wall.checked_add(left),
            None => now.wall.checked_sub(age.saturating_sub(self.lifetime)),
        }
    }

    /// Whether it can still be sent. Called for every request.
    pub(super) fn is_usable(&self, now: Timestamp) -> bool {
        self.requested_at
            .is_younger(schedule::usable_for(self.lifetime), now)
    }

    /// Forgets the token itself. Its number stays, so that the next one has a higher one.
    pub(super) fn forget(&mut self, now: Timestamp) {
        let ended_before = !self.is_usable(now);
        let ended = self.expires_at(now).filter(|_| ended_before);
        self.forgotten_at = self.forgotten_at.or(ended).or(Some(now.wall));
        self.header = HeaderValue::from_static("");
        self.lifetime = Duration::ZERO;
    }

    pub(super) fn bearer(&self, now: Timestamp) -> Bearer {
        Bearer {
            at: now.monotonic,
            header: self.header.clone(),
            generation: self.generation,
            session: self.session,
        }
    }
}
