//! For which reasons requests have failed, and since when, for the cards of the live page. However many requests fail
//! for one reason, those that fail for another are remembered. A request that succeeds never gets here.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::recent::shortened;
use super::request::FinishedRequest;

/// For how long a failure is remembered. Two that are further apart have nothing to do with each other.
pub const FAILURE_MEMORY: Duration = Duration::from_mins(10);

/// The failures for one reason that belong together.
#[derive(Debug, Clone)]
pub struct FailureSpell {
    /// Why the requests failed.
    pub reason: &'static str,
    /// The status of the responses; two reasons with the same name differ in it.
    pub status: Option<u16>,
    /// When the first of them ended.
    pub first: Instant,
    /// When the first of them ended since the API last responded to a request.
    pub first_since_response: Instant,
    /// When the latest of them ended.
    pub latest: Instant,
    /// What went wrong with the latest, with its causes.
    pub error: Option<Box<str>>,
    /// How many requests the API had responded to by then.
    pub responses: u64,
}

/// One spell for each reason.
#[derive(Debug, Default)]
pub(super) struct RequestFailures(Mutex<Vec<FailureSpell>>);

impl RequestFailures {
    /// Adds a request that has failed. The API has responded to `responses` requests so far.
    pub(super) fn add(&self, reason: &'static str, request: &FinishedRequest<'_>, responses: u64) {
        // It has got a response, which was cut: the API can be reached.
        if request.details.token_generation.is_some() {
            return;
        }
        let ended = request.ended;
        let mut spells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = spells
            .iter_mut()
            .find(|one| one.reason == reason && one.status == request.status);
        let error = request.details.error.map(shortened);
        let Some(spell) = known else {
            spells.push(FailureSpell {
                reason,
                status: request.status,
                first: ended,
                first_since_response: ended,
                latest: ended,
                error,
                responses,
            });
            return;
        };
        let is_over = ended.saturating_duration_since(spell.latest) > FAILURE_MEMORY;
        if is_over {
            spell.first = ended;
        }
        if is_over || spell.responses != responses {
            spell.first_since_response = ended;
        }
        spell.latest = ended;
        spell.error = error;
        spell.responses = responses;
    }

    /// The spells that are not over.
    pub(super) fn current(&self) -> Vec<FailureSpell> {
        let spells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let current = spells.iter();
        current
            .filter(|one| one.latest.elapsed() <= FAILURE_MEMORY)
            .cloned()
            .collect()
    }
}

#[cfg(test)]
mod tests;
