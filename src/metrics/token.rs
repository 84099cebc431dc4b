//! The metrics of the access token. They are copied from the token's own state whenever `/metrics` is read, so that
//! nothing is counted twice.

use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::{Gauge, GaugeVec, IntCounter};

use super::registrar::{Registrar, at_zero};

/// The states of a token, as in `/status` and the logs.
const STATES: [&str; 4] = ["starting", "fresh", "stale", "expired"];

/// How a token request can end, in the order of [`TokenFacts::attempts`].
const OUTCOMES: [&str; 4] = ["granted", "refused", "throttled", "unavailable"];

/// The state of the access token, as its own room reports it.
#[derive(Debug, Clone, Copy)]
pub struct TokenFacts {
    /// One of `starting`, `fresh`, `stale`, `expired`.
    pub state: &'static str,
    /// When the token expires.
    pub expires_at: Option<SystemTime>,
    /// When a token was last granted.
    pub last_success: Option<SystemTime>,
    /// How many token requests have ended as `granted`, `refused`, `throttled` and `unavailable`.
    pub attempts: [u64; 4],
}

pub(super) struct TokenMetrics {
    states: GaugeVec,
    expires_at: Gauge,
    last_success: Gauge,
    attempts: [IntCounter; 4],
}

impl TokenMetrics {
    pub(super) fn new(register: &Registrar<'_>) -> Self {
        let attempts = register.counters(
            "cupbearer_token_requests_total",
            "Requests to the token endpoint, by outcome.",
            &["outcome"],
        );
        let gauge = |name: &str, help: &str| {
            register.registered(Gauge::with_opts(register.opts(name, help)))
        };
        let states = register.registered(GaugeVec::new(
            register.opts(
                "cupbearer_token_state",
                "1 for the current state of the access token, 0 for the others.",
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
                "When the access token expires, in Unix time; 0 before the first token, and for a pasted one that does not say when.",
            ),
            last_success: gauge(
                "cupbearer_token_last_success_seconds",
                "When an access token was last granted, in Unix time; 0 if never.",
            ),
            attempts: at_zero(&attempts, OUTCOMES),
        }
    }

    pub(super) fn set(&self, facts: &TokenFacts) {
        for state in STATES {
            let is_current = f64::from(u8::from(state == facts.state));
            self.states.with_label_values(&[state]).set(is_current);
        }
        self.expires_at.set(unix(facts.expires_at));
        self.last_success.set(unix(facts.last_success));
        for (counter, attempts) in self.attempts.iter().zip(facts.attempts) {
            counter.inc_by(attempts.saturating_sub(counter.get()));
        }
    }
}

fn unix(time: Option<SystemTime>) -> f64 {
    time.and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .map_or(0.0, |since| since.as_secs_f64())
}
