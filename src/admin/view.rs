//! What is known about one proxy, and whether it is ready: one line with state, reason and remedy.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::guard::Guard;
use crate::metrics::{Metrics, TokenFacts};
use crate::token::{Snapshot, Tokens};

/// One proxy of this process.
pub struct View {
    /// `name`.
    pub name: String,
    /// Where it listens, as it is typed.
    pub listens_on: Vec<String>,
    /// Where it forwards to.
    pub upstream: Arc<dyn Fn() -> String + Send + Sync>,
    /// Where its tokens come from.
    pub token_from: Arc<dyn Fn() -> String + Send + Sync>,
    /// When it was started.
    pub since: Instant,
    /// The token in use now: a reload may bring another identity.
    pub tokens: Arc<dyn Fn() -> Tokens + Send + Sync>,
    /// Who may ask: a guard without callers and rails.
    pub guard: Arc<dyn Fn() -> Guard + Send + Sync>,
    /// What it counts.
    pub metrics: Arc<Metrics>,
    /// Whether it has been told to stop.
    pub is_stopping: Arc<dyn Fn() -> bool + Send + Sync>,
    /// What somebody should know: a key that needs a restart, a file that cannot be read.
    pub notes: Arc<dyn Fn() -> Vec<String> + Send + Sync>,
}

impl View {
    pub(super) fn snapshot(&self) -> Snapshot {
        (self.tokens)().snapshot()
    }

    pub(super) fn token_facts(&self) -> TokenFacts {
        let snapshot = self.snapshot();
        let attempts = snapshot.attempts;
        TokenFacts {
            state: snapshot.state.as_str(),
            expires_at: snapshot.expires_at,
            last_success: snapshot.last_success,
            attempts: [
                attempts.granted,
                attempts.refused,
                attempts.throttled,
                attempts.unavailable,
            ],
        }
    }
}

/// Whether requests can be served, in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    /// Whether they can.
    pub is_ready: bool,
    /// State, reason, remedy.
    pub line: String,
    /// When that may have changed.
    pub retry_in: Option<Duration>,
}

impl Readiness {
    /// Ready if every proxy is; the line is of the first that is not.
    pub(super) fn of_all(views: &[View]) -> Self {
        Self::first_unready(views, "ready", |view| {
            Self::of(&view.snapshot(), (view.is_stopping)())
        })
    }

    /// Whether every proxy has had a token: from then on a start is over, whatever comes.
    pub(super) fn of_start(views: &[View]) -> Self {
        Self::first_unready(views, "started", |view| {
            let snapshot = view.snapshot();
            if snapshot.last_success.is_some() {
                Self {
                    is_ready: true,
                    line: "started".to_owned(),
                    retry_in: None,
                }
            } else {
                Self::of(&snapshot, false)
            }
        })
    }

    /// `word`: what all of them are, if no one is not.
    fn first_unready(views: &[View], word: &str, judge: impl Fn(&View) -> Self) -> Self {
        let several = views.len() > 1;
        let mut ready = Vec::new();
        for view in views {
            let mut readiness = judge(view);
            if several {
                readiness.line = format!("{}: {}", view.name, readiness.line);
            }
            if !readiness.is_ready {
                return readiness;
            }
            ready.push(readiness);
        }
        if let (1, Some(only)) = (ready.len(), ready.pop()) {
            return only;
        }
        Self {
            is_ready: true,
            line: format!("{} proxies {word}", views.len()),
            retry_in: None,
        }
    }

    fn of(snapshot: &Snapshot, is_stopping: bool) -> Self {
        let state = snapshot.state.as_str();
        if is_stopping {
            return Self {
                is_ready: false,
                line: "not ready: stopping".to_owned(),
                retry_in: None,
            };
        }
        if snapshot.state.is_usable() {
            let usable = snapshot.usable_for.as_secs();
            let note = if snapshot.refused_although_fresh {
                "; the API refuses it although it is fresh: a missing role?"
            } else {
                ""
            };
            return Self {
                is_ready: true,
                line: format!(
                    "ready: token {state}, good for {}{note}",
                    humantime::format_duration(Duration::from_secs(usable))
                ),
                retry_in: None,
            };
        }
        let wait = snapshot.next_attempt_in;
        let (reason, remedy) = match (&snapshot.last_error, snapshot.refused) {
            (Some(_), true) => (
                "token_refused",
                "correct the credentials; a changed secret is tried within 5 s",
            ),
            (Some(_), false) => ("token_unavailable", "it goes on trying"),
            (None, _) => ("token_unavailable", "the first attempt is under way"),
        };
        let cause = snapshot
            .last_error
            .as_deref()
            .map(|cause| format!(": {cause}"))
            .unwrap_or_default();
        let doctor = match snapshot.last_error {
            Some(_) => "; `cupbearer doctor` looks for the cause",
            None => "",
        };
        Self {
            is_ready: false,
            line: format!(
                "not ready: token {state}: {reason}{cause}; {remedy}; next attempt in {}{doctor}",
                humantime::format_duration(Duration::from_secs(wait.as_secs()))
            ),
            retry_in: Some(wait),
        }
    }
}
