//! The handle on the access token: a usable bearer, or the reason why there is none.
//!
//! ```text
//! config -> refresh (the task) -> grant (one exchange) -> status -> Tokens -> proxy
//!             asks schedule          asks client_auth (assertion, key), discovery, response
//! ```
//! Requests never ask the token endpoint themselves: they wait, for a bounded time, for the task.

mod assertion;
mod client;
mod client_auth;
mod clock;
mod credential;
mod discovery;
mod failure;
mod forced;
mod grant;
mod key;
mod once;
mod refresh;
mod response;
mod schedule;
mod status;
#[cfg(test)]
mod tests;
mod unreachable;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::HeaderValue;
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

pub use client::{Client, ClientError, client};
pub use credential::Credential;
pub use discovery::MetadataError;
pub use failure::{Cause, Defect, Failure, Said};
pub use key::{KeyError, NewKey, check_key, new_key};
pub use once::{Obtained, Once};
pub use refresh::{Engine, ReadSecret, engine};
pub use status::Attempts;
pub use unreachable::{Obstacle, Peer, Unreachable};

use schedule::WAIT_AFTER_FAILURE;
use status::{Shared, Status, Wait};

/// A token that may be sent, as the header value it is sent in.
#[derive(Debug, Clone)]
pub struct Bearer {
    /// `Bearer …`, marked sensitive.
    pub header: HeaderValue,
    /// Which token this is: grows by one with each that replaces another.
    pub generation: u64,
    /// When it was found to be usable.
    pub at: Instant,
}

/// The words for the token's state, the same everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// There has been none yet.
    Starting,
    /// Usable, its refresh not yet due.
    Fresh,
    /// Usable, past its refresh time.
    Stale,
    /// No longer usable, and not yet replaced.
    Expired,
}

impl State {
    /// As it is written in logs, metrics and `/status`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Fresh => "fresh",
            Self::Stale => "stale",
            Self::Expired => "expired",
        }
    }

    /// Whether requests can be served.
    #[must_use]
    pub const fn is_usable(self) -> bool {
        match self {
            Self::Fresh | Self::Stale => true,
            Self::Starting | Self::Expired => false,
        }
    }
}

/// Why a request gets no bearer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Unavailable {
    /// Our configuration is at fault: waiting does not help (`token_refused`).
    #[error("no access token: our configuration is refused")]
    Refused {
        /// Until the next attempt, in whole seconds, at least one.
        retry_after: Duration,
        /// What the last attempt met.
        #[source]
        cause: Arc<Failure>,
    },
    /// None yet, or none any more (`token_unavailable`).
    #[error("no access token; the next attempt is in {} s", retry_after.as_secs())]
    NotYet {
        /// Until the next attempt, in whole seconds, at least one.
        retry_after: Duration,
    },
}

/// Why there is no newer token for a request that was answered 401.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NoNewer {
    /// Forced refreshes are paused: they were in vain, or the last was a moment ago.
    #[error("forced refreshes are paused for {} s", left.as_secs())]
    Paused {
        /// What is left of the pause.
        left: Duration,
    },
    /// The attempt brought no token; the one in use stays in use.
    #[error("no newer access token")]
    Failed {
        /// What it met.
        #[source]
        cause: Arc<Failure>,
    },
    /// The attempt took longer than a request waits.
    #[error("no newer access token within {} ms", limit.as_millis())]
    Late {
        /// How long was waited.
        limit: Duration,
    },
}

/// What is known about the token, for people and probes.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The token's state.
    pub state: State,
    /// The current token's number; 0 before the first.
    pub generation: u64,
    /// When the current token's lifetime ends, by the wall clock as it stands now.
    pub expires_at: Option<SystemTime>,
    /// How long the current token will still be sent; zero without a usable one.
    pub usable_for: Duration,
    /// Until the next attempt; zero while one is in flight.
    pub next_attempt_in: Duration,
    /// Why the last attempt failed, on one line, safe to show; `None` after a success.
    pub last_error: Option<String>,
    /// Whether that failure was a refusal of our configuration.
    pub refused: bool,
    /// Failures in a row.
    pub failures: u32,
    /// When the last token was asked for.
    pub last_success: Option<SystemTime>,
    /// Every attempt since the start, by how it ended.
    pub attempts: Attempts,
    /// The upstream refused the newest token too: a missing role, perhaps.
    pub refused_although_fresh: bool,
}

/// The handle on the one token of this identity. Clones share it.
#[derive(Clone)]
pub struct Tokens {
    shared: Arc<Shared>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tokens").field(&self.snapshot()).finish()
    }
}

impl Tokens {
    /// A bearer that may be sent at this instant, by both clocks. The hot path: no wait, no allocation.
    #[must_use]
    pub fn usable(&self) -> Option<Bearer> {
        self.shared.status.borrow().usable(self.shared.clock.now())
    }

    /// A bearer that may be sent; waits at most `token.wait` for one, and at most 1 s once an attempt
    /// has failed since the last usable token.
    ///
    /// # Errors
    /// [`Unavailable`] when that time is over, or at once when our configuration is refused.
    pub async fn bearer(&self) -> Result<Bearer, Unavailable> {
        match self.usable() {
            Some(bearer) => Ok(bearer),
            None => self.awaited().await,
        }
    }

    async fn awaited(&self) -> Result<Bearer, Unavailable> {
        let mut news = self.shared.status.subscribe();
        let mut deadline = Instant::now() + self.shared.wait;
        // The task may be asleep by the monotonic clock while the token has expired by the other.
        self.shared.wake.notify_one();
        loop {
            if let Some(bearer) = self.usable() {
                return Ok(bearer);
            }
            {
                let status = news.borrow_and_update();
                if let Some(failure) = &status.failure {
                    deadline = deadline.min(Instant::now() + WAIT_AFTER_FAILURE);
                    if failure.is_refusal() && !status.in_flight() {
                        return Err(self.unavailable(&status));
                    }
                }
            }
            if timeout_at(deadline, news.changed()).await.is_err() {
                return Err(self.unavailable(&self.shared.status.borrow()));
            }
        }
    }

    fn unavailable(&self, status: &Status) -> Unavailable {
        let left = status.planned_in(self.shared.clock.now());
        let retry_after = Duration::from_secs(left.as_secs() + u64::from(left.subsec_nanos() > 0))
            .max(Duration::from_secs(1));
        match &status.failure {
            Some(cause) if cause.is_refusal() => Unavailable::Refused {
                retry_after,
                cause: Arc::clone(cause),
            },
            Some(_) | None => Unavailable::NotYet { retry_after },
        }
    }

    /// The upstream answered 401 to the token of this generation: waits at most `token.wait` for a newer one.
    ///
    /// The rejected one stays in use for everyone else until then. However many ask, one attempt is made;
    /// forced attempts start at least 30 s apart, up to 15 min while replays are refused too.
    ///
    /// # Errors
    /// [`NoNewer`]; nothing has changed then.
    pub async fn newer_than(&self, generation: u64) -> Result<Bearer, NoNewer> {
        let mut news = self.shared.status.subscribe();
        let (attempt, limit) = match self.demand(generation)? {
            Demand::Met(bearer) => return Ok(bearer),
            Demand::Attempt { number, limit } => (number, limit),
        };
        let deadline = Instant::now() + limit;
        loop {
            {
                let status = news.borrow_and_update();
                if let Some(bearer) = status.newer_than(generation, self.shared.clock.now()) {
                    return Ok(bearer);
                }
                if let Some(cause) = status
                    .failure
                    .as_ref()
                    .filter(|_| status.finished >= attempt)
                {
                    return Err(NoNewer::Failed {
                        cause: Arc::clone(cause),
                    });
                }
            }
            if timeout_at(deadline, news.changed()).await.is_err() {
                return Err(NoNewer::Late { limit });
            }
        }
    }

    /// Finds the attempt that will bring a newer token, and asks for one only if there is none.
    fn demand(&self, generation: u64) -> Result<Demand, NoNewer> {
        let now = self.shared.clock.now();
        let mut forced = self.shared.forced();
        let status = self.shared.status.borrow();
        if let Some(bearer) = status.newer_than(generation, now) {
            return Ok(Demand::Met(bearer));
        }
        let number = status.finished + 1;
        if status.in_flight() || forced.is_outstanding(status.finished) {
            return Ok(Demand::Attempt {
                number,
                limit: self.shared.wait,
            });
        }
        if !status.held_back(now).is_zero() {
            return Ok(Demand::Attempt {
                number,
                limit: self.shared.wait.min(WAIT_AFTER_FAILURE),
            });
        }
        forced
            .demand(number, now.monotonic)
            .map_err(|left| NoNewer::Paused { left })?;
        self.shared.wake.notify_one();
        Ok(Demand::Attempt {
            number,
            limit: self.shared.wait,
        })
    }

    /// Asks the token endpoint now, whatever the schedule says: for the person who has just put right
    /// what was wrong there. Waits at most `token.wait`; attempts stay a second apart.
    ///
    /// # Errors
    /// [`NoNewer::Failed`] or [`NoNewer::Late`]; the token in use stays.
    pub async fn refresh(&self) -> Result<Bearer, NoNewer> {
        let mut news = self.shared.status.subscribe();
        let now = self.shared.clock.now();
        let mut attempt = 0;
        self.shared.status.send_modify(|status| {
            status.plan = Wait::over(now);
            attempt = status.finished + 1;
        });
        self.shared.wake.notify_one();
        let limit = self.shared.wait;
        let finished = timeout(limit, news.wait_for(|status| status.finished >= attempt)).await;
        let Ok(Ok(status)) = finished else {
            return Err(NoNewer::Late { limit });
        };
        match (&status.failure, status.usable(self.shared.clock.now())) {
            (None, Some(bearer)) => Ok(bearer),
            (Some(cause), _) => Err(NoNewer::Failed {
                cause: Arc::clone(cause),
            }),
            (None, None) => Err(NoNewer::Late { limit }),
        }
    }

    /// What the upstream said to a request that was sent once more with a newer token: `accepted` unless
    /// it was a 401 again. Moves the pause between forced refreshes.
    pub fn replayed(&self, accepted: bool) {
        self.shared.forced().replayed(accepted);
    }

    /// What is known now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let now = self.shared.clock.now();
        let refused_although_fresh = self.shared.forced().in_vain();
        let status = self.shared.status.borrow();
        let token = status.token.as_ref();
        Snapshot {
            state: status.state(now),
            generation: token.map_or(0, |token| token.generation),
            expires_at: token.and_then(|token| token.expires_at(now)),
            usable_for: status.usable_in(now),
            next_attempt_in: status.planned_in(now),
            last_error: status.failure.as_ref().map(|failure| failure.chain()),
            refused: status
                .failure
                .as_ref()
                .is_some_and(|failure| failure.is_refusal()),
            failures: status.failures,
            last_success: status.last_success,
            attempts: status.attempts,
            refused_although_fresh,
        }
    }

    /// Waits for the first usable token or the first failure, for as long as that takes (10 s and the
    /// reading of the secret); at once if there has been either.
    pub async fn settled(&self) -> Snapshot {
        let mut news = self.shared.status.subscribe();
        // An error is impossible: the sender lives in this handle.
        let _ = news
            .wait_for(|status| status.token.is_some() || status.failure.is_some())
            .await;
        self.snapshot()
    }

    /// Waits for a usable token, for as long as that takes: for an identity that nobody asks yet.
    pub async fn obtained(&self) -> Bearer {
        let mut news = self.shared.status.subscribe();
        loop {
            if let Some(bearer) = self.usable() {
                return bearer;
            }
            // An error is impossible: the sender lives in this handle.
            let _ = news.changed().await;
        }
    }

    /// Counts on from `before`, whose place this one takes: what is counted must not go back.
    pub fn count_on_from(&self, before: &Self) {
        let earlier = before.shared.status.borrow().attempts;
        self.shared.status.send_modify(|status| {
            let attempts = &mut status.attempts;
            attempts.granted += earlier.granted;
            attempts.refused += earlier.refused;
            attempts.throttled += earlier.throttled;
            attempts.unavailable += earlier.unavailable;
        });
    }

    /// Counts the times the wall clock jumped by more than 10 s against the monotonic one: the machine
    /// slept, or its clock was set. Connections from before are best dropped.
    #[must_use]
    pub fn clock_steps(&self) -> watch::Receiver<u64> {
        self.shared.clock_steps.subscribe()
    }
}

/// How a demand for a newer token is met.
enum Demand {
    Met(Bearer),
    Attempt { number: u64, limit: Duration },
}
