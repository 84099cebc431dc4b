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
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }
    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_refresh_is_due_between_half_and_seven_tenths_of_any_lifetime() {
        for (lifetime, draw, due) in [
            (s(3600), 0.0, s(1800)),
            (s(3600), 0.5, s(2160)),
            (s(3600), 1.0, s(2520)),
            (s(300), 0.0, s(150)),
            (s(60), 1.0, s(42)),
            (s(5), 0.0, ms(2500)),
            (s(1), 0.0, s(1)), // never a second attempt within 1 s
            (ms(1), 0.9, s(1)),
        ] {
            let off = refresh_after(lifetime, draw).abs_diff(due);
            assert!(off < ms(1), "{lifetime:?} at {draw}: off by {off:?}");
        }
    }

    #[test]
    fn a_token_counts_as_expired_two_seconds_or_a_twentieth_early() {
        for (lifetime, usable) in [
            (s(3600), s(3598)),
            (s(300), s(298)),
            (s(40), s(38)),
            (s(20), s(19)),
            (s(2), ms(1900)),
            (s(0), s(0)),
        ] {
            assert_eq!(usable_for(lifetime), usable, "{lifetime:?}");
        }
    }

    #[test]
    fn a_lifetime_is_positive_and_at_most_ten_years() {
        for (expires_in, expected) in [
            (3600.0, Some(s(3600))),
            (0.5, Some(ms(500))),
            (1e99, Some(LONGEST_LIFETIME)),
            (0.0, None),
            (-1.0, None),
            (f64::NAN, None),
            (f64::INFINITY, None),
        ] {
            assert_eq!(lifetime(expires_in), expected, "{expires_in}");
        }
    }

    #[test]
    fn waits_after_failures_follow_the_table() {
        use Setback::{Configuration, Outage, Throttled};
        // (what, failures, Retry-After, draw) -> (with a token, without one)
        for (setback, failures, asked, draw, with_token, without_token) in [
            (Outage, 1, None, 0.5, s(1), s(1)),
            (Outage, 1, None, 0.0, s(1), s(1)), // 0.75 s would be a second attempt within a second
            (Outage, 1, None, 1.0, ms(1250), ms(1250)),
            (Outage, 2, None, 0.0, ms(1500), ms(1500)),
            (Outage, 3, None, 0.5, s(4), s(3)),
            (Outage, 5, None, 0.5, s(16), s(3)),
            (Outage, 6, None, 0.5, s(30), s(3)),
            (Outage, 6, None, 1.0, ms(37_500), ms(3750)),
            (Outage, u32::MAX, None, 0.0, ms(22_500), ms(2250)),
            (Outage, 1, Some(s(20)), 0.0, s(20), s(20)),
            (Outage, 1, Some(s(20)), 1.0, s(25), s(25)),
            (Throttled, 6, None, 0.5, s(30), s(30)),
            (Throttled, 6, Some(s(1)), 0.5, s(30), s(30)), // a server that always says 1 s is spared too
            (Throttled, 1, Some(s(300)), 1.0, s(300), s(300)),
            (Throttled, 1, Some(s(86_400)), 0.5, s(300), s(300)),
            (Throttled, 1, Some(Duration::MAX), 1.0, s(300), s(300)),
            (Configuration, 1, None, 0.9, s(60), s(60)),
            (Configuration, 9, Some(s(5)), 0.9, s(60), s(60)),
            (Configuration, 1, Some(s(120)), 0.0, s(120), s(120)),
        ] {
            let expected = Delays {
                with_token,
                without_token,
            };
            assert_eq!(
                delays(setback, failures, asked, s(3600), draw),
                expected,
                "{setback:?} {failures} {asked:?} {draw}"
            );
        }
    }

    #[test]
    fn no_wait_in_an_outage_straddles_the_expiry_but_a_throttled_one_may() {
        for (setback, left, expected) in [
            (Setback::Outage, s(40), s(16)),
            (Setback::Outage, s(14), s(7)),
            (Setback::Outage, s(1), s(1)),
            (Setback::Throttled, s(14), s(16)),
            (Setback::Configuration, s(14), s(60)),
        ] {
            assert_eq!(delays(setback, 5, None, left, 0.5).with_token, expected);
        }
        let asked = delays(Setback::Outage, 1, Some(s(20)), s(14), 0.0);
        assert_eq!(
            asked.with_token,
            s(20),
            "what the server asks for goes first"
        );
    }
}
