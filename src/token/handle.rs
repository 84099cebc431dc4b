//! The handle on the access token: a bearer that may be sent, or the error that explains why none can be sent.
//!
//! Requests never call the token endpoint: they use the token that the refresh task keeps, or wait for it for a
//! bounded time.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

use super::attempt_log::{AttemptCounts, TokenAttempt};
use super::bearer::{Bearer, PersonSession, TokenState};
use super::forced::RequestRoute;
use super::grant_error::FailureOrigin;
use super::person::{FIRST_REMINDER, SignIn, SignInSnapshot};
use super::schedule::{self, WAIT_AFTER_EXPIRY, WAIT_AFTER_FAILURE};
use super::status::{SharedStatus, TaskStatus};
use super::token_unavailable::{NoNewerToken, TokenUnavailable};

/// What is known about the token, for people and for probes.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The token's state.
    pub state: TokenState,
    /// The number of the current token; 0 if there has been none.
    pub generation: u64,
    /// When the current token expires, by the wall clock.
    pub expires_at: Option<SystemTime>,
    /// How long the current token can still be sent; zero if there is no usable token.
    pub usable_for: Duration,
    /// How long the current token could be sent in all; zero if there has been none.
    pub lifetime: Duration,
    /// The time until the next attempt; zero during an attempt.
    pub next_attempt_in: Duration,
    /// Why the last attempt failed, on one line, safe to show; `None` if it succeeded.
    pub last_error: Option<String>,
    /// On which side the cause of that failure is.
    pub origin: Option<FailureOrigin>,
    /// Whether that attempt failed because of the configuration.
    pub refused: bool,
    /// The number of consecutive failures.
    pub failures: u32,
    /// Since when every attempt has failed; `None` if the last one succeeded.
    pub failing_since: Option<SystemTime>,
    /// Since when there has been no usable token; `None` if there is one.
    pub unusable_since: Option<SystemTime>,
    /// When the last granted token was requested.
    pub last_success: Option<SystemTime>,
    /// All attempts since the start, by outcome, also those of other identities of the same proxy.
    pub attempts: AttemptCounts,
    /// Since when the upstream rejects the newest token too: a role may be missing. `None` if it does not.
    pub refused_although_fresh: Option<SystemTime>,
    /// The person, if one hands over the tokens.
    pub sign_in: Option<SignInSnapshot>,
}

impl Snapshot {
    /// That a person must sign in again soon, if the token ends soon.
    #[must_use]
    pub fn ends_soon(&self) -> Option<String> {
        let sign_in = self.sign_in.as_ref()?;
        if !sign_in.needs_person {
            return None;
        }
        let is_soon = self.state.is_usable() && self.usable_for <= FIRST_REMINDER;
        let left = humantime::format_duration(Duration::from_secs(self.usable_for.as_secs()));
        is_soon.then(|| format!("the token ends in {left}: {}", sign_in.place.advice()))
    }

    /// Since when it has been so near its end that the person is reminded.
    #[must_use]
    pub fn ends_soon_since(&self) -> Option<SystemTime> {
        let reminder = self.expires_at?.checked_sub(FIRST_REMINDER);
        reminder.max(self.last_success)
    }
}

/// The handle on the token of one identity. Clones share it.
#[derive(Clone)]
pub struct Tokens {
    pub(super) shared: Arc<SharedStatus>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tokens").field(&self.snapshot()).finish()
    }
}

impl Tokens {
    pub(super) const fn new(shared: Arc<SharedStatus>) -> Self {
        Self { shared }
    }

    /// Whether a person signs in.
    #[must_use]
    pub fn is_sign_in(&self) -> bool {
        self.shared.sign_in.is_some()
    }

    /// Whether only a person can provide another token.
    #[must_use]
    pub fn needs_person(&self) -> bool {
        self.shared.needs_person()
    }

    /// The token, if it may be sent now by both clocks. This is the hot path: it neither waits nor allocates.
    #[must_use]
    pub fn usable(&self) -> Option<Bearer> {
        self.shared.status.borrow().usable(self.shared.clock.now())
    }

    /// A token that may be sent. Waits for it at most `token.wait`; at most 1 s if an attempt has failed since the last
    /// usable token, and at most 2 s if that has expired during the attempt that is in progress.
    ///
    /// # Errors
    /// [`TokenUnavailable`] when that time has passed, or at once if the configuration is rejected.
    pub async fn bearer(&self) -> Result<Bearer, TokenUnavailable> {
        if let Some(bearer) = self.usable() {
            return Ok(bearer);
        }
        let sign_in = self.shared.sign_in.as_ref();
        let session = sign_in.and_then(SignIn::session_of_person);
        self.wait_for_bearer(session).await
    }

    /// The same for a request that has had a token before: it is never sent for another person.
    ///
    /// # Errors
    /// The same, and at once if that person has signed out.
    pub async fn bearer_after(&self, before: &Bearer) -> Result<Bearer, TokenUnavailable> {
        match self.usable() {
            Some(bearer) if bearer.session == before.session => Ok(bearer),
            Some(_) | None => self.wait_for_bearer(Some(before.session)).await,
        }
    }

    /// A request without a `session` arrived while nobody was signed in: it is sent with the first token that there is.
    async fn wait_for_bearer(
        &self,
        session: Option<PersonSession>,
    ) -> Result<Bearer, TokenUnavailable> {
        let mut changes = self.shared.status.subscribe();
        let mut deadline = Instant::now() + self.shared.wait;
        // The task sleeps by the monotonic clock, while the token may have expired by the wall clock.
        self.shared.wake.notify_one();
        loop {
            if let Some(bearer) = self.usable() {
                return match &self.shared.sign_in {
                    Some(sign_in) if session.is_some_and(|session| session != bearer.session) => {
                        Err(TokenUnavailable::SignedOut(sign_in.place()))
                    }
                    Some(_) | None => Ok(bearer),
                };
            }
            if let Some(sign_in) = &self.shared.sign_in
                && self.shared.needs_person()
            {
                return Err(TokenUnavailable::LoginRequired(sign_in.place()));
            }
            {
                let status = changes.borrow_and_update();
                if let Some(failure) = &status.failure {
                    deadline = deadline.min(Instant::now() + WAIT_AFTER_FAILURE);
                    if failure.is_rejection() && !status.in_flight() {
                        return Err(self.unavailable(&status));
                    }
                } else if status.hangs_since_expiry(self.shared.clock.now()) {
                    deadline = deadline.min(Instant::now() + WAIT_AFTER_EXPIRY);
                }
            }
            if timeout_at(deadline, changes.changed()).await.is_err() {
                return Err(self.unavailable(&self.shared.status.borrow()));
            }
        }
    }

    fn unavailable(&self, status: &TaskStatus) -> TokenUnavailable {
        let left = status.next_request_in(self.shared.clock.now());
        let retry_after = Duration::from_secs(left.as_secs() + u64::from(left.subsec_nanos() > 0))
            .max(Duration::from_secs(1));
        match &status.failure {
            Some(cause) if cause.is_rejection() => TokenUnavailable::Refused {
                retry_after,
                cause: Arc::clone(cause),
            },
            cause => TokenUnavailable::NotYet {
                retry_after,
                cause: cause.clone(),
            },
        }
    }

    /// For a request of this route that the upstream answered with 401 when it carried this generation: waits at most
    /// `token.wait` for a newer token.
    ///
    /// Until then the rejected token stays in use for other requests. Any number of callers cause a single attempt.
    /// `forced` describes how often attempts may be forced.
    ///
    /// # Errors
    /// [`NoNewerToken`]; the current token then stays in use.
    pub async fn newer_than(
        &self,
        generation: u64,
        route: RequestRoute,
    ) -> Result<Bearer, NoNewerToken> {
        if self.shared.needs_person() {
            let newer = self.shared.newer_from_person(generation);
            return newer.ok_or(NoNewerToken::PersonNeeded);
        }
        if self.shared.is_superseded() {
            let status = self.shared.status.borrow();
            let newer = status.newer_than(generation, self.shared.clock.now());
            return newer.ok_or(NoNewerToken::Superseded);
        }
        let mut changes = self.shared.status.subscribe();
        let (attempt, limit) = match self.demand(generation, route)? {
            Demand::Satisfied(bearer) => return Ok(bearer),
            Demand::Attempt { number, limit } => (number, limit),
        };
        let deadline = Instant::now() + limit;
        loop {
            let needs_person = self.shared.needs_person();
            {
                let status = changes.borrow_and_update();
                if let Some(bearer) = status.newer_than(generation, self.shared.clock.now()) {
                    return Ok(bearer);
                }
                if let Some(cause) = status
                    .failure
                    .as_ref()
                    .filter(|_| status.finished >= attempt)
                {
                    if needs_person {
                        return Err(NoNewerToken::PersonNeeded);
                    }
                    return Err(NoNewerToken::Failed {
                        cause: Arc::clone(cause),
                    });
                }
                if self.shared.is_superseded() && !status.in_flight() {
                    return Err(NoNewerToken::Superseded);
                }
                if status.finished >= attempt && status.generation() <= generation {
                    return Err(NoNewerToken::Unchanged);
                }
            }
            if timeout_at(deadline, changes.changed()).await.is_err() {
                return Err(self.no_newer_token(limit));
            }
        }
    }

    /// Finds the attempt that will yield a newer token, and demands one if no such attempt is planned.
    fn demand(&self, generation: u64, route: RequestRoute) -> Result<Demand, NoNewerToken> {
        let now = self.shared.clock.now();
        let mut forced = self.shared.forced();
        let status = self.shared.status.borrow();
        if let Some(bearer) = status.newer_than(generation, now) {
            return Ok(Demand::Satisfied(bearer));
        }
        let number = status.finished + 1;
        let limit = self.shared.wait;
        if status.in_flight() || forced.is_outstanding(status.finished) {
            return Ok(Demand::Attempt { number, limit });
        }
        let left = status.forced_in(now);
        let limit = match &status.failure {
            // The token endpoint has just failed, and the attempt after that is too far in the future to wait for.
            Some(cause) if left > limit.min(WAIT_AFTER_FAILURE) => {
                return Err(NoNewerToken::Failed {
                    cause: Arc::clone(cause),
                });
            }
            Some(_) if !left.is_zero() => limit.min(left + WAIT_AFTER_FAILURE),
            Some(_) | None => limit,
        };
        forced
            .demand(number, route, now.monotonic)
            .map_err(|left| NoNewerToken::Paused { left })?;
        self.shared.wake.notify_one();
        Ok(Demand::Attempt { number, limit })
    }

    /// Why there is no newer token after `limit`.
    fn no_newer_token(&self, limit: Duration) -> NoNewerToken {
        match &self.shared.status.borrow().failure {
            Some(cause) if limit < self.shared.wait => NoNewerToken::Failed {
                cause: Arc::clone(cause),
            },
            Some(_) | None => NoNewerToken::Late { limit },
        }
    }

    /// Requests a token now, regardless of the schedule and of `Retry-After`: for a person who has just corrected a
    /// mistake at the authorization server. Waits at most `token.wait`; attempts still start at least a second apart.
    ///
    /// # Errors
    /// [`NoNewerToken::Failed`] or [`NoNewerToken::Late`]; the current token then stays in use.
    pub async fn refresh(&self) -> Result<Bearer, NoNewerToken> {
        if self.shared.needs_person() {
            return Err(NoNewerToken::PersonNeeded);
        }
        let mut changes = self.shared.status.subscribe();
        let now = self.shared.clock.now();
        let mut attempt = 0;
        self.shared.forget_hold();
        self.shared.status.send_modify(|status| {
            status.attempt_now(now);
            attempt = status.finished + 1;
        });
        self.shared.wake.notify_one();
        let limit = self.shared.wait;
        let finished = timeout(limit, changes.wait_for(|status| status.finished >= attempt)).await;
        let Ok(Ok(status)) = finished else {
            return Err(NoNewerToken::Late { limit });
        };
        match (&status.failure, status.usable(self.shared.clock.now())) {
            (None, Some(bearer)) => Ok(bearer),
            (Some(cause), _) => Err(NoNewerToken::Failed {
                cause: Arc::clone(cause),
            }),
            (None, None) => Err(NoNewerToken::Late { limit }),
        }
    }

    /// Reports how the upstream answered a request of this route that was replayed with a newer token of this
    /// generation: `accepted` unless it was a 401 again. Adjusts the pause between forced refreshes.
    pub fn replayed(&self, generation: u64, route: RequestRoute, accepted: bool) {
        let is_in_use = self.shared.accepted.load(Ordering::Relaxed) >= generation;
        let now = self.shared.clock.now();
        let mut forced = self.shared.forced();
        forced.replayed(route, accepted, is_in_use, now);
    }

    /// Reports that the upstream has accepted a request with the token of this generation. Called for every such
    /// request, so it does something only for the first with each token.
    pub fn accepted(&self, generation: u64) {
        if self.shared.accepted.load(Ordering::Relaxed) < generation {
            self.note_accepted(generation);
        }
    }

    #[cold]
    fn note_accepted(&self, generation: u64) {
        self.shared
            .accepted
            .fetch_max(generation, Ordering::Relaxed);
        let mut forced = self.shared.forced();
        let status = self.shared.status.borrow();
        // An older token says nothing about the newest one.
        if status
            .token
            .as_ref()
            .is_some_and(|token| token.generation == generation)
        {
            forced.worked();
        }
    }

    /// The current state.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let now = self.shared.clock.now();
        let refused_although_fresh = self.shared.forced().ineffective_since();
        let sign_in = self.shared.sign_in_snapshot();
        let is_endless = sign_in.as_ref().is_some_and(SignInSnapshot::is_endless);
        let status = self.shared.status.borrow();
        let token = status.token.as_ref().filter(|_| !is_endless);
        Snapshot {
            state: status.state(now),
            generation: status.generation(),
            expires_at: token.and_then(|token| token.expires_at(now)),
            usable_for: status.usable_in(now),
            lifetime: token.map_or(Duration::ZERO, |token| schedule::usable_for(token.lifetime)),
            next_attempt_in: status.planned_in(now),
            last_error: status.failure.as_ref().map(|failure| failure.chain()),
            origin: status.failure.as_ref().map(|failure| failure.origin()),
            refused: status
                .failure
                .as_ref()
                .is_some_and(|failure| failure.is_rejection()),
            failures: status.failures,
            failing_since: self.shared.attempts.failing_since(),
            unusable_since: status.unusable_since(now),
            last_success: status.last_success,
            attempts: self.shared.attempts.counts(),
            refused_although_fresh,
            sign_in,
        }
    }

    /// The last attempts to get a token, the oldest first, also those of other identities of the same proxy.
    #[must_use]
    pub fn recent_attempts(&self) -> Vec<TokenAttempt> {
        self.shared.attempts.recent()
    }

    /// Waits for the first token or the first failure, however long that takes (10 s and the reading of the secret).
    /// Returns at once if there has been either, or if only a person can provide a token.
    pub async fn settled(&self) -> Snapshot {
        let mut changes = self.shared.status.subscribe();
        loop {
            let is_settled = {
                let status = changes.borrow_and_update();
                status.token.is_some() || status.failure.is_some()
            };
            // Not while the status is locked: a sign-in locks it last.
            if is_settled || self.shared.needs_person() {
                return self.snapshot();
            }
            // Cannot fail: this handle owns the sender.
            let _ = changes.changed().await;
        }
    }

    /// Waits for a usable token, however long that takes: for an identity that serves no requests yet.
    pub async fn obtained(&self) -> Bearer {
        let mut changes = self.shared.status.subscribe();
        loop {
            if let Some(bearer) = self.usable() {
                return bearer;
            }
            // Cannot fail: this handle owns the sender.
            let _ = changes.changed().await;
        }
    }

    /// Counts how often the wall clock has jumped by more than 10 s against the monotonic clock, because the machine
    /// was suspended or its clock was set. Connections that are older than a jump should be closed.
    #[must_use]
    pub fn clock_steps(&self) -> watch::Receiver<u64> {
        self.shared.clock_steps.subscribe()
    }
}

/// The response to a demand for a newer token.
enum Demand {
    Satisfied(Bearer),
    Attempt { number: u64, limit: Duration },
}
