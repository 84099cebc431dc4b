//! When to request a token, and how long to wait after a failure: pure functions of lifetime, failures, `Retry-After`
//! and a random draw.
//!
//! Time and randomness are arguments; a `draw` is uniform in 0..1. Nothing here reads a clock, sleeps or logs. When
//! 401s of the upstream may force a request outside this schedule is decided in `forced`.

use std::time::Duration;

/// Token requests never start closer together than this, whatever a response says.
pub(super) const MIN_BETWEEN_ATTEMPTS: Duration = Duration::from_secs(1);
/// The task reads the clocks at least this often, so that a resume from suspend is noticed without traffic.
pub(super) const MAX_SLEEP: Duration = Duration::from_secs(30);
/// How often a secret in a file is read again: a changed secret is promised to be used within 5 s, reading included.
pub(super) const SECRET_POLL: Duration = Duration::from_secs(2);
/// If the wall clock moves by more than this against the monotonic clock, it was set or the machine was suspended.
pub(super) const CLOCK_STEP: Duration = Duration::from_secs(10);
/// How long a request waits for a token if an attempt has failed since the last usable one.
pub(super) const WAIT_AFTER_FAILURE: Duration = Duration::from_secs(1);
/// How long a request waits if the token has expired during an attempt, which has then taken too long already.
pub(super) const WAIT_AFTER_EXPIRY: Duration = Duration::from_secs(2);
/// While there is no usable token, another attempt starts beside one that has not ended within this time. An endpoint
/// that has returned answers the new one at once, while the old one may hang until it times out.
pub(super) const ATTEMPT_OVERLAP: Duration = Duration::from_secs(4);
/// How many attempts may overlap.
pub(super) const MAX_OVERLAPPING: usize = 3;
/// How often the same failure is logged.
pub(super) const LOG_INTERVAL: Duration = Duration::from_mins(1);
/// Refreshes that are forced by the 401s of one route (see `forced`) start at least this far apart …
pub(super) const FORCED_PAUSE_MIN: Duration = Duration::from_secs(30);
/// … and at most this far apart, if every replay so far was rejected too.
pub(super) const FORCED_PAUSE_MAX: Duration = Duration::from_mins(15);

/// A longer lifetime is cut to this: far longer than any deployment, far from any overflow.
pub(super) const LONGEST_LIFETIME: Duration = Duration::from_hours(10 * 365 * 24);
const FIRST_BACK_OFF: Duration = Duration::from_secs(1);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(30);
/// Without a usable token an unreachable endpoint is tried at least this often. Together with the jitter and the
/// request itself, a recovery is noticed within 5 s (tests/survives.md 4 and 45), which 30 s would not allow.
const LONGEST_BACK_OFF_WITHOUT_TOKEN: Duration = Duration::from_secs(3);
const AFTER_REJECTION: Duration = Duration::from_mins(1);
const LONGEST_RETRY_AFTER: Duration = Duration::from_mins(5);
const LEAST_LOOK: Duration = Duration::from_secs(30);
const LONGEST_MARGIN: Duration = Duration::from_secs(2);

/// The class of a failure, which decides how soon the next attempt may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FailureClass {
    /// The configuration is rejected: repeating the request soon changes nothing.
    Configuration,
    /// 429: the limit is shared with other clients, so the wait is never shortened.
    Throttled,
    /// The server is unreachable, slow or broken: it recovers without a change on this side.
    Outage,
    /// A program yields no token. It recovers when someone logs in with it, and running it costs more than a request.
    Program,
}

/// How long to wait after a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Delays {
    /// While the current token is usable.
    pub(super) with_token: Duration,
    /// While there is no usable token.
    pub(super) without_token: Duration,
}

/// When a token is replaced, counted from its request: at a random point between 50 % and 70 % of its lifetime.
///
/// There is no cap of the form "at most so long before the expiry": at common lifetimes it would remove the jitter.
pub(super) fn refresh_after(lifetime: Duration, draw: f64) -> Duration {
    lifetime.mul_f64(0.5 + 0.2 * draw).max(MIN_BETWEEN_ATTEMPTS)
}

/// When a source is looked at again that has returned the same token, which can be sent for another `remaining`.
pub(super) fn look_again_after(remaining: Duration) -> Duration {
    let least = if remaining >= LEAST_LOOK {
        LEAST_LOOK
    } else {
        MIN_BETWEEN_ATTEMPTS
    };
    (remaining / 2).max(least)
}

/// How old a token may be when it is sent: its lifetime minus min(2 s, 5 %), for the time that the request travels.
pub(super) fn usable_for(lifetime: Duration) -> Duration {
    lifetime.saturating_sub(LONGEST_MARGIN.min(lifetime / 20))
}

/// `expires_in` (RFC 6749 5.1) as a duration; `None` if the token would already be expired.
pub(super) fn lifetime(expires_in: f64) -> Option<Duration> {
    let positive = expires_in.is_finite() && expires_in > 0.0;
    positive.then(|| Duration::from_secs_f64(expires_in.min(LONGEST_LIFETIME.as_secs_f64())))
}

/// The delays after the `failures`-th consecutive failure (1 is the first), while the current token can be sent for
/// another `remaining`.
///
/// In an outage no delay exceeds half of that time: a doubled delay that happens to span the expiry would make callers
/// see an outage that is already over.
pub(super) fn delays(
    class: FailureClass,
    failures: u32,
    retry_after: Option<Duration>,
    remaining: Duration,
    draw: f64,
) -> Delays {
    let requested = retry_after.map_or(Duration::ZERO, |delay| requested_delay(delay, draw));
    let long = back_off(failures, LONGEST_BACK_OFF, draw);
    let (with_token, without_token) = match class {
        FailureClass::Configuration => (AFTER_REJECTION, AFTER_REJECTION),
        FailureClass::Throttled => (long, long),
        FailureClass::Program => (long.min((remaining / 2).max(MIN_BETWEEN_ATTEMPTS)), long),
        FailureClass::Outage => (
            long.min((remaining / 2).max(MIN_BETWEEN_ATTEMPTS)),
            back_off(failures, LONGEST_BACK_OFF_WITHOUT_TOKEN, draw),
        ),
    };
    Delays {
        with_token: with_token.max(requested),
        without_token: without_token.max(requested),
    }
}

/// 1 s, doubled up to `longest`, ±25 %, and never less than the minimum between attempts.
fn back_off(failures: u32, longest: Duration, draw: f64) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let plain = (FIRST_BACK_OFF * 2_u32.pow(doublings)).min(longest);
    plain.mul_f64(0.75 + 0.5 * draw).max(MIN_BETWEEN_ATTEMPTS)
}

/// The delay that the server requested: never shorter, up to 25 % longer so that a fleet does not return all at once,
/// and at most 5 min.
pub(super) fn requested_delay(retry_after: Duration, draw: f64) -> Duration {
    retry_after
        .min(LONGEST_RETRY_AFTER)
        .mul_f64(1.0 + 0.25 * draw)
        .min(LONGEST_RETRY_AFTER)
}

#[cfg(test)]
mod tests;
