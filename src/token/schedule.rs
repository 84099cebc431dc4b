//! When to ask, and how long to wait: pure functions of (lifetime, failures, `Retry-After`, draw).
//!
//! Time and chance are arguments. A `draw` is uniform in 0..1. Nothing here reads a clock, sleeps or logs.

use std::time::Duration;

/// No two token requests start closer together, whatever an answer says.
pub(super) const MIN_BETWEEN_ATTEMPTS: Duration = Duration::from_secs(1);
/// The task looks at the clocks at least this often, so that a resume from sleep is noticed without traffic.
pub(super) const LONGEST_NAP: Duration = Duration::from_secs(30);
/// How often a secret that lives in a file is read again: "tried within 5 s" with room for the read.
pub(super) const SECRET_POLL: Duration = Duration::from_secs(2);
/// A wall clock that moved further than this against the monotonic one was set, or the machine slept.
pub(super) const CLOCK_STEP: Duration = Duration::from_secs(10);
/// What a request waits for once an attempt has failed since the last usable token.
pub(super) const WAIT_AFTER_FAILURE: Duration = Duration::from_secs(1);
/// Forced refreshes (after a 401) start at least this far apart …
pub(super) const FORCED_PAUSE_MIN: Duration = Duration::from_secs(30);
/// … and at most this far, when each replay before was refused too.
pub(super) const FORCED_PAUSE_MAX: Duration = Duration::from_mins(15);

/// A lifetime above this is cut to it: far beyond any deployment, far below any overflow.
const LONGEST_LIFETIME: Duration = Duration::from_hours(10 * 365 * 24);
const FIRST_BACK_OFF: Duration = Duration::from_secs(1);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(30);
/// While nothing can be served an unreachable endpoint is tried this often: with the spread and the
/// exchange itself a recovery is seen within 5 s (tests/survives.md 4 and 45), which 30 s could not promise.
const LONGEST_BACK_OFF_WITHOUT_TOKEN: Duration = Duration::from_secs(3);
const AFTER_REFUSAL: Duration = Duration::from_mins(1);
const LONGEST_RETRY_AFTER: Duration = Duration::from_mins(5);
const LONGEST_MARGIN: Duration = Duration::from_secs(2);

/// What kind of failure an attempt met; decides how soon the next may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setback {
    /// Our configuration was refused: asking again soon changes nothing.
    Configuration,
    /// 429: the limit is shared with others, so it is never pressed.
    Throttled,
    /// Unreachable, late, broken or out of order: heals without us.
    Outage,
}

/// How long to wait after a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Delays {
    /// While the token in hand is still usable.
    pub(super) with_token: Duration,
    /// While there is none.
    pub(super) without_token: Duration,
}

/// When, after it was asked for, a token is replaced: a random point between 50 % and 70 % of its lifetime.
///
/// Without a cap "so long before expiry": such a cap removes the jitter at usual lifetimes.
pub(super) fn refresh_after(lifetime: Duration, draw: f64) -> Duration {
    lifetime.mul_f64(0.5 + 0.2 * draw).max(MIN_BETWEEN_ATTEMPTS)
}

/// How old a token may be when it is sent: its lifetime less min(2 s, 5 %) for the flight.
pub(super) fn usable_for(lifetime: Duration) -> Duration {
    lifetime.saturating_sub(LONGEST_MARGIN.min(lifetime / 20))
}

/// `expires_in` (RFC 6749 5.1) as a duration; `None` where a token would be dead on arrival.
pub(super) fn lifetime(expires_in: f64) -> Option<Duration> {
    let positive = expires_in.is_finite() && expires_in > 0.0;
    positive.then(|| Duration::from_secs_f64(expires_in.min(LONGEST_LIFETIME.as_secs_f64())))
}

/// The waits after the `failures`-th failure in a row (1 is the first), with a token that can be sent
/// for another `usable_in`.
///
/// In an outage no wait passes more than half of that time: a doubled wait that happens to straddle
/// the expiry would turn an outage that is over into one that callers see.
pub(super) fn delays(
    setback: Setback,
    failures: u32,
    retry_after: Option<Duration>,
    usable_in: Duration,
    draw: f64,
) -> Delays {
    let asked = retry_after.map_or(Duration::ZERO, |asked| as_asked(asked, draw));
    let patient = back_off(failures, LONGEST_BACK_OFF, draw);
    let (with_token, without_token) = match setback {
        Setback::Configuration => (AFTER_REFUSAL, AFTER_REFUSAL),
        Setback::Throttled => (patient, patient),
        Setback::Outage => (
            patient.min((usable_in / 2).max(MIN_BETWEEN_ATTEMPTS)),
            back_off(failures, LONGEST_BACK_OFF_WITHOUT_TOKEN, draw),
        ),
    };
    Delays {
        with_token: with_token.max(asked),
        without_token: without_token.max(asked),
    }
}

/// 1 s doubling up to `longest`, ±25 %, never below the least distance between attempts.
fn back_off(failures: u32, longest: Duration, draw: f64) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let plain = (FIRST_BACK_OFF * 2_u32.pow(doublings)).min(longest);
    plain.mul_f64(0.75 + 0.5 * draw).max(MIN_BETWEEN_ATTEMPTS)
}

/// `Retry-After`: never earlier, up to 25 % later so that a fleet does not come back as one, 5 min at most.
fn as_asked(retry_after: Duration, draw: f64) -> Duration {
    retry_after
        .min(LONGEST_RETRY_AFTER)
        .mul_f64(1.0 + 0.25 * draw)
        .min(LONGEST_RETRY_AFTER)
}

#[cfg(test)]
mod tests;
