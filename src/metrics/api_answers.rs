//! Whether the API answers every request with an error, and since when, for the cards of the live page. It is read off
//! the journal and the counters at regular times, so that requests do not pay for it.

use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use super::failures::FAILURE_MEMORY;
use super::history::TrafficTotals;
use super::recent::{Journal, JournalEntry};

/// An error that the API may answer every request with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorAnswer {
    /// 403.
    Forbidden,
    /// 5xx.
    ServerError,
}

/// The latest answers of the API, if all are the same error.
#[derive(Debug, Clone)]
pub struct ErrorStreak {
    /// What they are.
    pub answer: ErrorAnswer,
    /// The status of the latest.
    pub status: u16,
    /// When the first of them ended.
    pub first: Instant,
    /// When the latest of them ended.
    pub latest: Instant,
    /// How many are known. There may be more.
    pub count: u64,
}

#[derive(Debug, Default)]
pub(super) struct ApiAnswers(Mutex<AnswersSoFar>);

#[derive(Debug, Default)]
struct AnswersSoFar {
    streak: Option<ErrorStreak>,
    /// The number of the last request that was looked at.
    seen: u64,
    /// Whether the journal had already lost requests since the last sample.
    has_missed: bool,
}

impl ApiAnswers {
    /// Takes note of the requests that have ended since the last call.
    pub(super) fn follow(&self, journal: &Journal) {
        let mut so_far = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let newer = journal.after(so_far.seen);
        so_far.has_missed |= newer.omitted > 0;
        so_far.seen = newer.recorded;
        newer.entries.for_each(|entry| so_far.add(entry));
    }

    /// Takes note of what was counted since the last sample: among the answers that the journal has lost, there may
    /// have been others.
    pub(super) fn check(&self, added: &TrafficTotals) {
        let mut so_far = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let [_, informational, success, redirect, client_error, _] = added.of_api_by_class;
        let others = informational + success + redirect;
        let has_others = match so_far.streak.as_ref().map(|streak| streak.answer) {
            Some(ErrorAnswer::ServerError) => others + client_error > 0,
            Some(ErrorAnswer::Forbidden) => others > 0,
            None => false,
        };
        if so_far.has_missed && has_others {
            so_far.streak = None;
        }
        so_far.has_missed = false;
    }

    /// The current streak, unless it is too old.
    pub(super) fn streak(&self) -> Option<ErrorStreak> {
        let so_far = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let streak = so_far.streak.clone();
        streak.filter(|streak| streak.latest.elapsed() <= FAILURE_MEMORY)
    }
}

impl AnswersSoFar {
    fn add(&mut self, entry: &JournalEntry) {
        // cupbearer answered it, or nobody did.
        if entry.token_generation.is_none() {
            return;
        }
        let (answer, status) = match entry.status {
            Some(403) => (ErrorAnswer::Forbidden, 403),
            Some(status @ 500..) => (ErrorAnswer::ServerError, status),
            _ => {
                self.streak = None;
                return;
            }
        };
        let current = self.streak.as_mut().filter(|streak| {
            let pause = entry.ended.saturating_duration_since(streak.latest);
            streak.answer == answer && pause <= FAILURE_MEMORY
        });
        if let Some(streak) = current {
            (streak.status, streak.latest) = (status, entry.ended);
            streak.count += 1;
        } else {
            self.streak = Some(ErrorStreak {
                answer,
                status,
                first: entry.ended,
                latest: entry.ended,
                count: 1,
            });
        }
    }
}

#[cfg(test)]
mod tests;
