//! How the token requests of a proxy have ended: numbers since the start, and the last few with their times.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::identity_memory::IdentityMemory;
use super::schedule::FailureClass;

/// How many attempts are kept: some hours of an undisturbed proxy, or the last minutes of a failing one.
const KEPT: usize = 32;

/// The number of attempts by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AttemptCounts {
    /// A token was granted.
    pub granted: u64,
    /// The configuration was rejected, or the secret cannot be used.
    pub refused: u64,
    /// 429.
    pub throttled: u64,
    /// Any other failure.
    pub unavailable: u64,
}

/// One attempt to get a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenAttempt {
    /// When it ended.
    pub at: SystemTime,
    /// The name of its count: `granted`, `refused`, `throttled` or `unavailable`.
    pub outcome: &'static str,
    /// Why it failed, on one line, safe to show; `None` if it succeeded.
    pub error: Option<String>,
}

/// Counts the attempts of every identity that a proxy has had, so that its counters never decrease. Clones share it,
/// and what the identities remember for each other.
#[derive(Debug, Clone, Default)]
pub struct AttemptCounter {
    log: Arc<Mutex<AttemptLog>>,
    pub(super) memory: IdentityMemory,
}

#[derive(Debug, Default)]
struct AttemptLog {
    counts: AttemptCounts,
    /// When the first of the attempts that have failed since the last success ended.
    failing_since: Option<SystemTime>,
    recent: VecDeque<TokenAttempt>,
}

impl AttemptCounter {
    pub(super) fn count_success(&self, at: SystemTime) {
        let mut log = self.lock();
        log.counts.granted += 1;
        log.failing_since = None;
        log.add(TokenAttempt {
            at,
            outcome: "granted",
            error: None,
        });
    }

    pub(super) fn count_failure(&self, at: SystemTime, class: FailureClass, error: String) {
        let mut log = self.lock();
        let counts = &mut log.counts;
        let (count, outcome) = match class {
            FailureClass::Configuration => (&mut counts.refused, "refused"),
            FailureClass::Throttled => (&mut counts.throttled, "throttled"),
            FailureClass::Outage | FailureClass::Program => {
                (&mut counts.unavailable, "unavailable")
            }
        };
        *count += 1;
        log.failing_since.get_or_insert(at);
        log.add(TokenAttempt {
            at,
            outcome,
            error: Some(error),
        });
    }

    pub(super) fn counts(&self) -> AttemptCounts {
        self.lock().counts
    }

    /// Since when every attempt has failed; `None` if the last one succeeded.
    pub(super) fn failing_since(&self) -> Option<SystemTime> {
        self.lock().failing_since
    }

    /// The last attempts, the oldest first.
    pub(super) fn recent(&self) -> Vec<TokenAttempt> {
        self.lock().recent.iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, AttemptLog> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AttemptLog {
    fn add(&mut self, attempt: TokenAttempt) {
        if self.recent.len() == KEPT {
            self.recent.pop_front();
        }
        self.recent.push_back(attempt);
    }
}
