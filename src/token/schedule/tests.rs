use super::*;

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn a_refresh_is_due_between_50_and_70_percent_of_any_lifetime() {
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
fn a_token_counts_as_expired_2_s_or_5_percent_early() {
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
fn delays_after_failures_follow_the_table() {
    use FailureClass::{Configuration, Outage, Throttled};
    // (class, failures, Retry-After, draw) -> (delay with a token, delay without one)
    for (class, failures, asked, draw, with_token, without_token) in [
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
        (Throttled, 6, Some(s(1)), 0.5, s(30), s(30)), // a server that always requests 1 s is not overloaded either
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
            delays(class, failures, asked, s(3600), draw),
            expected,
            "{class:?} {failures} {asked:?} {draw}"
        );
    }
}

#[test]
fn no_delay_in_an_outage_spans_the_expiry_but_one_after_throttling_may() {
    for (class, remaining, expected) in [
        (FailureClass::Outage, s(40), s(16)),
        (FailureClass::Outage, s(14), s(7)),
        (FailureClass::Outage, s(1), s(1)),
        (FailureClass::Throttled, s(14), s(16)),
        (FailureClass::Configuration, s(14), s(60)),
    ] {
        assert_eq!(delays(class, 5, None, remaining, 0.5).with_token, expected);
    }
    let asked = delays(FailureClass::Outage, 1, Some(s(20)), s(14), 0.0);
    assert_eq!(
        asked.with_token,
        s(20),
        "the delay that the server requests takes precedence"
    );
}
