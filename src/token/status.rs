//! What is known about the token right now, and what follows from it at a given moment.
//!
//! Pure but for [`Shared`], which is where the handle and the task meet. Waits for nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use http::HeaderValue;
use tokio::sync::{Notify, watch};

use super::clock::{Clock, Stamp};
use super::failure::Failure;
use super::forced::Forced;
use super::schedule::{self, Delays, MIN_BETWEEN_ATTEMPTS};
use super::{Bearer, State};

/// Where the handle and the task meet.
///
/// A `watch` rather than an atomic pointer: it is also the wake-up of those who wait, so a token and
/// the news of it cannot come apart; an uncontended read lock costs no more than the two clock reads beside it.
pub(super) struct Shared {
    pub(super) status: watch::Sender<Status>,
    /// Locked before `status` is read, never the other way round.
    forced: Mutex<Forced>,
    /// Makes the task look again before its nap is over.
    pub(super) wake: Notify,
    /// How many times the wall clock was seen to jump.
    pub(super) clock_steps: watch::Sender<u64>,
    pub(super) clock: Clock,
    /// `token.wait`.
    pub(super) wait: Duration,
}

impl Shared {
    pub(super) fn new(wait: Duration, clock: Clock) -> Self {
        Self {
            status: watch::Sender::new(Status::starting(clock.now())),
            forced: Mutex::new(Forced::new()),
            wake: Notify::new(),
            clock_steps: watch::Sender::new(0),
            clock,
            wait,
        }
    }

    pub(super) fn forced(&self) -> MutexGuard<'_, Forced> {
        self.forced.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A granted token.
pub(super) struct Held {
    pub(super) header: HeaderValue,
    pub(super) generation: u64,
    /// Before the request for it was sent.
    pub(super) sent: Stamp,
    pub(super) lifetime: Duration,
    pub(super) refresh_after: Duration,
}

impl Held {
    /// How long it may still be sent.
    pub(super) fn usable_in(&self, now: Stamp) -> Duration {
        schedule::usable_for(self.lifetime).saturating_sub(self.sent.age(now))
    }

    /// The end of its lifetime by the wall clock as it stands now, whatever it said back then.
    pub(super) fn expires_at(&self, now: Stamp) -> Option<SystemTime> {
        let age = self.sent.age(now);
        match self.lifetime.checked_sub(age) {
            Some(left) => now.wall.checked_add(left),
            None => now.wall.checked_sub(age.saturating_sub(self.lifetime)),
        }
    }

    /// Whether it may still be sent; asked by every request.
    fn is_usable(&self, now: Stamp) -> bool {
        self.sent
            .is_younger(schedule::usable_for(self.lifetime), now)
    }

    fn bearer(&self, now: Stamp) -> Bearer {
        Bearer {
            at: now.monotonic,
            header: self.header.clone(),
            generation: self.generation,
        }
    }
}

/// A wait that began at a moment and ends by the older of the two clocks.
#[derive(Clone, Copy)]
pub(super) struct Wait {
    pub(super) since: Stamp,
    pub(super) delays: Delays,
}

impl Wait {
    pub(super) const fn over(since: Stamp) -> Self {
        Self {
            since,
            delays: Delays {
                with_token: Duration::ZERO,
                without_token: Duration::ZERO,
            },
        }
    }

    fn left(&self, usable: bool, now: Stamp) -> Duration {
        let delay = if usable {
            self.delays.with_token
        } else {
            self.delays.without_token
        };
        delay.saturating_sub(self.since.age(now))
    }
}

/// Attempts by how they ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attempts {
    /// A token was granted.
    pub granted: u64,
    /// Our configuration was refused, the secret's source included.
    pub refused: u64,
    /// 429.
    pub throttled: u64,
    /// Everything else that brought no token.
    pub unavailable: u64,
}

/// What is known about the token.
pub(super) struct Status {
    pub(super) token: Option<Held>,
    /// Until the next planned attempt.
    pub(super) plan: Wait,
    /// Until a forced attempt may be made: what the last failure asked for.
    pub(super) hold: Wait,
    pub(super) started: u64,
    pub(super) finished: u64,
    pub(super) last_start: Option<Stamp>,
    /// Failures in a row, forced ones left out; 0 after a success.
    pub(super) failures: u32,
    /// The last failure since the last success.
    pub(super) failure: Option<Arc<Failure>>,
    pub(super) last_success: Option<SystemTime>,
    pub(super) attempts: Attempts,
}

impl Status {
    fn starting(now: Stamp) -> Self {
        Self {
            token: None,
            plan: Wait::over(now),
            hold: Wait::over(now),
            started: 0,
            finished: 0,
            last_start: None,
            failures: 0,
            failure: None,
            last_success: None,
            attempts: Attempts::default(),
        }
    }

    pub(super) fn usable(&self, now: Stamp) -> Option<Bearer> {
        self.token
            .as_ref()
            .filter(|token| token.is_usable(now))
            .map(|held| held.bearer(now))
    }

    /// How long the token may still be sent; zero without a usable one.
    pub(super) fn usable_in(&self, now: Stamp) -> Duration {
        self.token
            .as_ref()
            .map_or(Duration::ZERO, |token| token.usable_in(now))
    }

    fn is_usable(&self, now: Stamp) -> bool {
        !self.usable_in(now).is_zero()
    }

    pub(super) fn newer_than(&self, generation: u64, now: Stamp) -> Option<Bearer> {
        self.usable(now)
            .filter(|bearer| bearer.generation > generation)
    }

    pub(super) const fn in_flight(&self) -> bool {
        self.started > self.finished
    }

    pub(super) fn state(&self, now: Stamp) -> State {
        match &self.token {
            None => State::Starting,
            Some(token) if !token.is_usable(now) => State::Expired,
            Some(token) if token.sent.age(now) >= token.refresh_after => State::Stale,
            Some(_) => State::Fresh,
        }
    }

    /// Until the next planned attempt may start; zero while one is in flight.
    pub(super) fn planned_in(&self, now: Stamp) -> Duration {
        if self.in_flight() {
            return Duration::ZERO;
        }
        self.plan
            .left(self.is_usable(now), now)
            .max(self.breath(now))
    }

    /// How long the last failure forbids to force an attempt.
    pub(super) fn held_back(&self, now: Stamp) -> Duration {
        self.hold.left(self.is_usable(now), now)
    }

    /// What is left of the least distance to the attempt before.
    pub(super) fn breath(&self, now: Stamp) -> Duration {
        self.last_start.map_or(Duration::ZERO, |last| {
            MIN_BETWEEN_ATTEMPTS.saturating_sub(last.age(now))
        })
    }
}
