//! Collects the requests of a program from the record that the proxy keeps of each exchange.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::metrics::{FinishedRequest, RequestObserver};

/// Different requests beyond this number are only counted, since no block could list them.
const KEPT: usize = 10_000;

/// Why the guard rejects a request, apart from its rules.
const NOT_ADMITTED: [&str; 8] = [
    "user_refused",
    "method_refused",
    "bad_request",
    "not_supported",
    "target_refused",
    "host_refused",
    "origin_refused",
    "caller_unknown",
];

/// A request, reduced to what rules look at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObservedRequest {
    /// The path as it was sent, percent-encoded and without the query.
    pub path: String,
    /// The method as it was sent.
    pub method: String,
}

impl ObservedRequest {
    /// Whether a part of the path is not known: what stands before an `@` may be credentials, and is not recorded.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.path.split('/').any(|one| one.starts_with("...@"))
    }
}

/// How often a request was made, and with which outcomes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestOutcomes {
    /// How many the guard accepted.
    pub accepted: u64,
    /// How many the rules for all callers rejected.
    pub rejected: u64,
    /// Whether an accepted one asked for an upgrade, granted or not.
    pub asks_upgrade: bool,
    /// The statuses of the responses to the accepted ones.
    pub statuses: BTreeSet<u16>,
}

/// All requests of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObservedRequests {
    /// Each different request, with its outcomes.
    pub requests: BTreeMap<ObservedRequest, RequestOutcomes>,
    /// How many requests were rejected because they lacked the key of this run or for another reason than a path rule,
    /// by reason.
    pub rejected_by_reason: BTreeMap<&'static str, u64>,
    /// How many different requests were not kept because there were too many.
    pub dropped: u64,
}

impl ObservedRequests {
    /// Accepted requests, given as method, path and status.
    #[cfg(test)]
    pub(super) fn of(requests: &[(&str, &str, u16)]) -> Self {
        let mut observed = Self::default();
        for (method, path, status) in requests {
            let request = ObservedRequest {
                path: (*path).to_owned(),
                method: (*method).to_owned(),
            };
            let outcomes = observed.requests.entry(request).or_default();
            outcomes.accepted += 1;
            outcomes.asks_upgrade |= *status == 101;
            outcomes.statuses.insert(*status);
        }
        observed
    }

    /// How many requests the guard accepted.
    #[must_use]
    pub fn accepted_count(&self) -> u64 {
        self.requests
            .values()
            .map(|outcomes| outcomes.accepted)
            .sum()
    }

    /// The requests that the guard accepted.
    pub fn accepted(&self) -> impl Iterator<Item = (&ObservedRequest, &RequestOutcomes)> {
        self.requests
            .iter()
            .filter(|(_, outcomes)| outcomes.accepted > 0)
    }

    fn count_rejection(&mut self, reason: &'static str) {
        *self.rejected_by_reason.entry(reason).or_default() += 1;
    }

    fn record(&mut self, exchange: &FinishedRequest<'_>) {
        let request = ObservedRequest {
            path: exchange.path.to_owned(),
            method: exchange.method.as_str().to_owned(),
        };
        if self.requests.len() >= KEPT && !self.requests.contains_key(&request) {
            self.dropped += 1;
            return;
        }
        let outcomes = self.requests.entry(request).or_default();
        if exchange.reason == Some("rule_refused") {
            outcomes.rejected += 1;
        } else {
            outcomes.accepted += 1;
            outcomes.asks_upgrade |= exchange.details.asks_upgrade;
            outcomes.statuses.extend(exchange.status);
        }
    }
}

/// Records the requests of one caller.
#[derive(Debug, Clone)]
pub struct RequestRecorder {
    caller: Arc<str>,
    requests: Arc<Mutex<ObservedRequests>>,
}

impl RequestRecorder {
    /// Records the requests of `caller`, whose key only the observed program has.
    #[must_use]
    pub fn new(caller: &str) -> Self {
        Self {
            caller: caller.into(),
            requests: Arc::default(),
        }
    }

    /// The function that must be called for each exchange.
    #[must_use]
    pub fn watcher(&self) -> RequestObserver {
        let recorder = self.clone();
        Box::new(move |exchange| recorder.record(exchange))
    }

    /// The requests recorded so far.
    #[must_use]
    pub fn requests(&self) -> ObservedRequests {
        self.lock().clone()
    }

    fn record(&self, exchange: &FinishedRequest<'_>) {
        let is_observed = exchange.caller == Some(&*self.caller);
        match (exchange.caller, exchange.reason) {
            (_, Some(reason)) if is_observed && NOT_ADMITTED.contains(&reason) => {
                self.lock().count_rejection(reason);
            }
            (Some(_), _) if is_observed => self.lock().record(exchange),
            (None, Some(reason)) => self.lock().count_rejection(reason),
            // Sent by cupbearer itself, or a browser's preflight.
            (Some(_), _) | (None, None) => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, ObservedRequests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
