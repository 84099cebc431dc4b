//! What is known about the token, and what follows from it at a given moment.
//!
//! Pure, except for [`SharedStatus`], which the handle and the task share. Nothing here waits.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::{Notify, watch};

use super::attempt_log::AttemptCounter;
use super::bearer::{Bearer, PersonSession, TokenState};
use super::clock::{Clock, Timestamp};
use super::current_token::CurrentToken;
use super::forced::ForcedRefreshes;
use super::grant_error::GrantError;
use super::identity_memory::{Hold, TokenClient};
use super::person::SignIn;
use super::person_identities::PersonIdentities;
use super::response::AccessToken;
use super::schedule::{self, ATTEMPT_OVERLAP, Delays, FailureClass, MIN_BETWEEN_ATTEMPTS};
use super::wait::Wait;

/// What the handle and the task share.
///
/// The status is in a `watch` rather than behind an atomic pointer: the `watch` also wakes the waiting requests, so
/// that a token and its notification are one step. Its uncontended read lock costs no more than the two clock reads.
pub(super) struct SharedStatus {
    pub(super) status: watch::Sender<TaskStatus>,
    /// Locked before `status` is read, never after.
    forced: Mutex<ForcedRefreshes>,
    /// Wakes the task before its sleep is over.
    pub(super) wake: Notify,
    /// How often the wall clock has jumped.
    pub(super) clock_steps: watch::Sender<u64>,
    /// The newest token with which the upstream has accepted a request.
    pub(super) accepted: AtomicU64,
    pub(super) attempts: AttemptCounter,
    /// Who `Retry-After` concerns.
    pub(super) client: OnceLock<TokenClient>,
    pub(super) clock: Clock,
    /// `token.wait`.
    pub(super) wait: Duration,
    /// The person, if one hands over the tokens.
    pub(super) sign_in: Option<SignIn>,
    /// Who else uses the token of that person.
    pub(super) of_person: PersonIdentities<Self>,
    /// The identities that have served before this one, and of which a sign-out must know too.
    pub(super) before: PersonIdentities<Self>,
    /// Whether another identity serves in the place of this one, whose person signs in at an authorization server.
    is_superseded: AtomicBool,
}

impl SharedStatus {
    pub(super) fn new(wait: Duration, clock: Clock, attempts: AttemptCounter) -> Self {
        Self {
            status: watch::Sender::new(TaskStatus::starting(clock.now())),
            forced: Mutex::new(ForcedRefreshes::new()),
            wake: Notify::new(),
            clock_steps: watch::Sender::new(0),
            accepted: AtomicU64::new(0),
            attempts,
            client: OnceLock::new(),
            clock,
            wait,
            sign_in: None,
            of_person: PersonIdentities::default(),
            before: PersonIdentities::default(),
            is_superseded: AtomicBool::new(false),
        }
    }

    /// The same for tokens that a person hands over.
    pub(super) fn for_person(self, sign_in: SignIn) -> Self {
        Self {
            sign_in: Some(sign_in),
            ..self
        }
    }

    /// Whether only a person can provide another token.
    pub(super) fn needs_person(&self) -> bool {
        let sign_in = self.sign_in.as_ref();
        sign_in.is_some_and(|sign_in| !sign_in.can_renew())
    }

    /// The session to which a token that is granted now belongs.
    pub(super) fn person_session(&self) -> PersonSession {
        let sign_in = self.sign_in.as_ref();
        sign_in.map(SignIn::session).unwrap_or_default()
    }

    /// Another identity serves from now on. Only that one renews the tokens of a person: two would move the refresh
    /// token to and fro, and a sign-out would not end what this one does.
    pub(super) fn supersede(&self) {
        self.is_superseded.store(true, Ordering::Relaxed);
        self.status.send_modify(|_| ());
    }

    /// Whether another identity renews the tokens.
    pub(super) fn is_superseded(&self) -> bool {
        self.is_superseded.load(Ordering::Relaxed)
    }

    /// Whether no token is to be requested for now.
    pub(super) fn is_at_rest(&self) -> bool {
        self.needs_person() || self.is_session_unknown() || self.is_superseded()
    }

    /// Whether it is still unknown who is signed in.
    pub(super) fn is_session_unknown(&self) -> bool {
        let login = self
            .sign_in
            .as_ref()
            .and_then(|sign_in| sign_in.login.as_ref());
        login.is_some_and(|login| login.session.is_unknown())
    }

    /// The delay that the server has demanded of this client counts no longer, whichever identity makes the request.
    pub(super) fn forget_hold(&self) {
        if let Some(client) = self.client.get() {
            self.attempts.memory.forget_hold(*client);
        }
    }

    pub(super) fn forced(&self) -> MutexGuard<'_, ForcedRefreshes> {
        self.forced.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What triggers an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AttemptTrigger {
    /// The schedule, or a changed secret.
    Scheduled,
    /// A 401 from the upstream.
    Forced,
}

/// What the task knows about the token.
pub(super) struct TaskStatus {
    /// When there was nothing yet.
    begun: SystemTime,
    pub(super) token: Option<CurrentToken>,
    /// Until the next scheduled attempt.
    pub(super) plan: Wait,
    /// Until an attempt may be forced, because the last one failed.
    pub(super) forced_wait: Wait,
    /// Until the time that the server has demanded (`Retry-After`).
    pub(super) hold: Wait,
    pub(super) started: u64,
    pub(super) finished: u64,
    /// When the last request was sent. An attempt may send several.
    pub(super) last_start: Option<Timestamp>,
    /// Whether there was a usable token when the last attempt started.
    pub(super) started_with_token: bool,
    /// Consecutive failures, not counting forced attempts; 0 after a success.
    pub(super) failures: u32,
    /// The same of forced attempts.
    pub(super) forced_failures: u32,
    /// The last failure since the last success, if any.
    pub(super) failure: Option<Arc<GrantError>>,
    pub(super) last_success: Option<SystemTime>,
}

impl TaskStatus {
    fn starting(now: Timestamp) -> Self {
        Self {
            begun: now.wall,
            token: None,
            plan: Wait::ended(now),
            forced_wait: Wait::ended(now),
            hold: Wait::ended(now),
            started: 0,
            finished: 0,
            last_start: None,
            started_with_token: false,
            failures: 0,
            forced_failures: 0,
            failure: None,
            last_success: None,
        }
    }

    /// Takes over a token, and returns its generation.
    pub(super) fn adopt(
        &mut self,
        requested_at: Timestamp,
        token: AccessToken,
        session: PersonSession,
        refresh_after: Duration,
    ) -> u64 {
        let generation = self.generation() + 1;
        self.token = Some(CurrentToken {
            header: token.header,
            generation,
            session,
            requested_at,
            lifetime: token.lifetime,
            refresh_after,
            forgotten_at: None,
        });
        self.succeed(requested_at, refresh_after);
        generation
    }

    /// Takes over the token of another identity.
    pub(super) fn take_over(&mut self, token: CurrentToken) {
        self.last_success = Some(token.requested_at.wall);
        self.plan = Wait {
            since: token.requested_at,
            delays: Delays {
                with_token: token.refresh_after,
                without_token: Duration::ZERO,
            },
        };
        self.token = Some(token);
    }

    /// Takes over the token of another identity that the same person uses, in place of the own one. It gets a higher
    /// number than that.
    pub(super) fn share(&mut self, token: &CurrentToken) {
        if let Some(own) = self.token.as_mut()
            && own.header == token.header
        {
            own.session = token.session;
            return;
        }
        let generation = token.generation.max(self.generation() + 1);
        self.take_over(CurrentToken {
            generation,
            ..token.clone()
        });
    }

    /// Whether a source has returned the current token again.
    pub(super) fn is_current(&self, token: &AccessToken) -> bool {
        let current = self.token.as_ref();
        current.is_some_and(|current| current.header == token.header)
    }

    /// Takes over only what a source says about the lifetime of the current token. Returns the time until the next
    /// look.
    pub(super) fn confirm(
        &mut self,
        requested_at: Timestamp,
        lifetime: Duration,
        now: Timestamp,
    ) -> Duration {
        let look_after = schedule::look_again_after(schedule::usable_for(lifetime));
        if let Some(token) = &mut self.token {
            token.requested_at = requested_at;
            token.lifetime = lifetime;
            token.refresh_after = look_after;
        }
        self.succeed(requested_at, look_after);
        self.planned_in(now)
    }

    fn succeed(&mut self, requested_at: Timestamp, refresh_after: Duration) {
        self.plan = Wait {
            since: requested_at,
            delays: Delays {
                with_token: refresh_after,
                without_token: Duration::ZERO,
            },
        };
        self.forced_wait = Wait::ended(requested_at);
        self.hold = Wait::ended(requested_at);
        self.finished = self.started;
        self.failures = 0;
        self.forced_failures = 0;
        self.failure = None;
        self.last_success = Some(requested_at.wall);
    }

    /// Plans what follows a failure, which never discards the token. A failed forced attempt does not change the
    /// schedule either, as the token may not be at fault; but what the server demands holds for every attempt. Returns
    /// the number of consecutive failures.
    pub(super) fn fail(
        &mut self,
        trigger: AttemptTrigger,
        failure: &Arc<GrantError>,
        now: Timestamp,
        draw: f64,
    ) -> u32 {
        let counted = match trigger {
            AttemptTrigger::Scheduled => &mut self.failures,
            AttemptTrigger::Forced => &mut self.forced_failures,
        };
        *counted = counted.saturating_add(1);
        let failures = *counted;
        let (class, retry_after) = (failure.class(), failure.retry_after());
        let delays = schedule::delays(class, failures, retry_after, self.usable_in(now), draw);
        // A request that took long has been a wait too.
        let since = match (class, retry_after, self.last_start) {
            (FailureClass::Outage, None, Some(last)) => last,
            _ => now,
        };
        self.forced_wait = Wait { since, delays };
        if trigger == AttemptTrigger::Scheduled {
            self.plan = self.forced_wait;
        }
        if let Some(demanded) = retry_after {
            let delay = schedule::requested_delay(demanded, draw);
            self.hold = Wait::of(now, delay);
        }
        self.failure = Some(Arc::clone(failure));
        self.finished = self.started;
        failures
    }

    /// Keeps the delay that a server has demanded of another identity for the same client.
    pub(super) fn take_over_hold(&mut self, hold: Hold) {
        self.hold = hold.wait;
        self.failure = Some(hold.failure);
    }

    /// Makes the next attempt at once, even if the server has demanded a delay.
    pub(super) const fn attempt_now(&mut self, now: Timestamp) {
        self.plan = Wait::ended(now);
        self.hold = Wait::ended(now);
    }

    /// The number of the current token; 0 if there has been none.
    pub(super) fn generation(&self) -> u64 {
        self.token.as_ref().map_or(0, |token| token.generation)
    }

    pub(super) fn usable(&self, now: Timestamp) -> Option<Bearer> {
        self.token
            .as_ref()
            .filter(|token| token.is_usable(now))
            .map(|token| token.bearer(now))
    }

    /// How long the token can still be sent; zero if there is no usable token.
    pub(super) fn usable_in(&self, now: Timestamp) -> Duration {
        self.token
            .as_ref()
            .map_or(Duration::ZERO, |token| token.usable_in(now))
    }

    pub(super) fn is_usable(&self, now: Timestamp) -> bool {
        !self.usable_in(now).is_zero()
    }

    /// Since when there has been no usable token; `None` if there is one.
    pub(super) fn unusable_since(&self, now: Timestamp) -> Option<SystemTime> {
        if self.is_usable(now) {
            return None;
        }
        let Some(token) = &self.token else {
            return Some(self.begun);
        };
        let ended = token.forgotten_at.or_else(|| token.expires_at(now))?;
        // It is not sent any more shortly before it expires.
        Some(ended.min(now.wall))
    }

    pub(super) fn newer_than(&self, generation: u64, now: Timestamp) -> Option<Bearer> {
        self.usable(now)
            .filter(|bearer| bearer.generation > generation)
    }

    pub(super) const fn in_flight(&self) -> bool {
        self.started > self.finished
    }

    pub(super) fn state(&self, now: Timestamp) -> TokenState {
        match &self.token {
            None => TokenState::Starting,
            Some(token) if !token.is_usable(now) => TokenState::Expired,
            Some(token) if token.requested_at.age(now) >= token.refresh_after => TokenState::Stale,
            Some(_) => TokenState::Fresh,
        }
    }

    /// The time until the next scheduled attempt; zero during an attempt.
    pub(super) fn planned_in(&self, now: Timestamp) -> Duration {
        if self.in_flight() {
            return Duration::ZERO;
        }
        let is_usable = self.is_usable(now);
        let planned = self.plan.left(is_usable, now);
        planned
            .max(self.hold.left(is_usable, now))
            .max(self.spacing_left(now))
    }

    /// The time until an attempt may be forced after the last failure.
    pub(super) fn forced_in(&self, now: Timestamp) -> Duration {
        let is_usable = self.is_usable(now);
        let wait = self.forced_wait.left(is_usable, now);
        wait.max(self.hold.left(is_usable, now))
    }

    /// The time until the token endpoint is asked again, at the latest.
    pub(super) fn next_request_in(&self, now: Timestamp) -> Duration {
        match self.last_start {
            Some(last) if self.in_flight() => ATTEMPT_OVERLAP.saturating_sub(last.age(now)),
            _ => self.planned_in(now),
        }
    }

    /// Whether the attempt in flight began so long ago that the token has expired meanwhile.
    pub(super) fn hangs_since_expiry(&self, now: Timestamp) -> bool {
        self.in_flight() && self.started_with_token && !self.is_usable(now)
    }

    /// The rest of the minimum time between two attempts.
    pub(super) fn spacing_left(&self, now: Timestamp) -> Duration {
        self.last_start.map_or(Duration::ZERO, |last| {
            MIN_BETWEEN_ATTEMPTS.saturating_sub(last.age(now))
        })
    }
}
