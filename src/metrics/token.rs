//! The token's part. Its state is read when the metrics are: nothing is counted twice.

use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::{Gauge, GaugeVec, IntCounter};

use super::Maker;

/// The four states, in the words of the contract.
const STATES: [&str; 4] = ["starting", "fresh", "stale", "expired"];

/// How a token request can end.
const OUTCOMES: [&str; 4] = ["granted", "refused", "throttled", "unavailable"];

/// What the token's own state says.
#[derive(Debug, Clone, Copy)]
pub struct TokenFacts {
    /// One of `starting`, `fresh`, `stale`, `expired`.
    pub state: &'static str,
    /// When it ends.
    pub expires_at: Option<SystemTime>,
    /// When a token was granted last.
    pub last_success: Option<SystemTime>,
    /// Requests so far that ended in: granted, refused, throttled, unavailable.
    pub attempts: [u64; 4],
}

pub(super) struct Counted {
    states: GaugeVec,
    expires_at: Gauge,
    last_success: Gauge,
    attempts: [IntCounter; 4],
}

impl Counted {
    pub(super) fn new(make: &Maker<'_>) -> Self {
        let attempts = make.counters(
            "cupbearer_token_requests_total",
            "Requests to the token endpoint.",
            &["outcome"],
        );
        let gauge =
            |name: &str, help: &str| make.registered(Gauge::with_opts(make.opts(name, help)));
        let states = make.registered(GaugeVec::new(
            make.opts(
                "cupbearer_token_state",
                "1 for the state that the token is in.",
            ),
            &["state"],
        ));
        for state in STATES {
            states.with_label_values(&[state]).set(0.0);
        }
        Self {
            states,
            expires_at: gauge(
                "cupbearer_token_expires_at_seconds",
                "When the token ends, in Unix time; 0 without one.",
            ),
            last_success: gauge(
                "cupbearer_token_last_success_seconds",
                "When a token was granted last, in Unix time; 0 if never.",
            ),
            attempts: OUTCOMES.map(|outcome| attempts.with_label_values(&[outcome])),
        }
    }

    pub(super) fn set(&self, facts: &TokenFacts) {
        for state in STATES {
            let here = f64::from(u8::from(state == facts.state));
            self.states.with_label_values(&[state]).set(here);
        }
        self.expires_at.set(unix(facts.expires_at));
        self.last_success.set(unix(facts.last_success));
        for (counter, attempts) in self.attempts.iter().zip(facts.attempts) {
            counter.inc_by(attempts.saturating_sub(counter.get()));
        }
    }
}

fn unix(at: Option<SystemTime>) -> f64 {
    at.and_then(|at| at.duration_since(UNIX_EPOCH).ok())
        .map_or(0.0, |since| since.as_secs_f64())
}
