//! What a program asked for, as the account of each request tells it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::metrics::{Exchange, Watcher};

/// More different requests than this are counted and not kept: no block could list them.
const KEPT: usize = 10_000;

/// What was asked for: method and path are all that rules look at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Request {
    /// As it was sent, encoded; without the query.
    pub path: String,
    /// As it was sent.
    pub method: String,
}

/// How often, and how it went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Times {
    /// How many passed the guard.
    pub passed: u64,
    /// How many the rules that hold for everyone refused.
    pub refused: u64,
    /// The statuses of those that passed.
    pub statuses: BTreeSet<u16>,
}

/// Everything that was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Each request once.
    pub requests: BTreeMap<Request, Times>,
    /// Requests that came without this run's key or broke another rule than those for paths, by reason.
    pub turned_away: BTreeMap<&'static str, u64>,
    /// How many were too many to keep.
    pub dropped: u64,
}

impl Seen {
    /// These, each of which passed: method, path, status.
    #[cfg(test)]
    pub(super) fn of(requests: &[(&str, &str, u16)]) -> Self {
        let mut seen = Self::default();
        for (method, path, status) in requests {
            let request = Request {
                path: (*path).to_owned(),
                method: (*method).to_owned(),
            };
            let times = seen.requests.entry(request).or_default();
            times.passed += 1;
            times.statuses.insert(*status);
        }
        seen
    }

    /// How many passed the guard.
    #[must_use]
    pub fn passed(&self) -> u64 {
        self.requests.values().map(|times| times.passed).sum()
    }

    /// Those that passed the guard.
    pub fn admitted(&self) -> impl Iterator<Item = (&Request, &Times)> {
        self.requests.iter().filter(|(_, times)| times.passed > 0)
    }

    fn note(&mut self, exchange: &Exchange<'_>) {
        let request = Request {
            path: exchange.path.to_owned(),
            method: exchange.method.as_str().to_owned(),
        };
        if self.requests.len() >= KEPT && !self.requests.contains_key(&request) {
            self.dropped += 1;
            return;
        }
        let times = self.requests.entry(request).or_default();
        if exchange.reason == Some("rule_refused") {
            times.refused += 1;
        } else {
            times.passed += 1;
            times.statuses.extend(exchange.status);
        }
    }
}

/// Keeps what one caller asks for.
#[derive(Debug, Clone)]
pub struct Recorder {
    caller: Arc<str>,
    seen: Arc<Mutex<Seen>>,
}

impl Recorder {
    /// For the requests of `caller`, whose key only the watched program has.
    #[must_use]
    pub fn new(caller: &str) -> Self {
        Self {
            caller: caller.into(),
            seen: Arc::default(),
        }
    }

    /// What is to be told of each request.
    #[must_use]
    pub fn watcher(&self) -> Watcher {
        let recorder = self.clone();
        Box::new(move |exchange| recorder.note(exchange))
    }

    /// What was seen so far.
    #[must_use]
    pub fn seen(&self) -> Seen {
        self.lock().clone()
    }

    fn note(&self, exchange: &Exchange<'_>) {
        match (exchange.caller, exchange.reason) {
            (Some(caller), _) if caller == &*self.caller => self.lock().note(exchange),
            (None, Some(reason)) => *self.lock().turned_away.entry(reason).or_default() += 1,
            // Ours, or a browser's preflight.
            (Some(_), _) | (None, None) => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
