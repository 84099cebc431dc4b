//! What the two servers saw, for tests to read. Bounded: the oldest entries make room.

use std::collections::VecDeque;

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use tokio::time::Instant;

use super::Verdict;

/// How many entries each ledger keeps. The largest run that reads them one by one has 10,000.
const KEPT: usize = 16_384;

/// One request that reached the API.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The request's method.
    pub method: Method,
    /// Path and query exactly as they came.
    pub target: String,
    /// Every header line, lines of one name in their order. `Authorization` prints as `Sensitive`.
    pub headers: HeaderMap,
    /// What the API made of the token.
    pub verdict: Verdict,
    /// What it answered.
    pub status: StatusCode,
}

impl Seen {
    /// How many `Authorization` lines there were; a proxy's caller must cause exactly one.
    #[must_use]
    pub fn authorization_lines(&self) -> usize {
        self.headers.get_all(header::AUTHORIZATION).iter().count()
    }
}

/// One POST to the token endpoint.
#[derive(Debug, Clone)]
pub struct TokenPost {
    /// When its body had arrived.
    pub at: Instant,
    /// The form's parameters in their order; `client_secret` without its value.
    pub parameters: Vec<(String, String)>,
    /// What was answered; absent while nothing has been, and for good where the reply was to hang.
    pub status: Option<StatusCode>,
}

/// The last [`KEPT`] entries, and how many there have ever been.
#[derive(Debug)]
pub(super) struct Ledger<T> {
    entries: VecDeque<T>,
    total: u64,
}

impl<T> Default for Ledger<T> {
    fn default() -> Self {
        Self {
            entries: VecDeque::new(),
            total: 0,
        }
    }
}

impl<T: Clone> Ledger<T> {
    /// Returns the entry's number, to come back to it with [`Ledger::entry`].
    pub(super) fn push(&mut self, entry: T) -> u64 {
        if self.entries.len() == KEPT {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
        self.total += 1;
        self.total - 1
    }

    /// The entry of this number, unless it has made room.
    pub(super) fn entry(&mut self, number: u64) -> Option<&mut T> {
        let oldest = self.total - self.entries.len() as u64;
        let index = usize::try_from(number.checked_sub(oldest)?).ok()?;
        self.entries.get_mut(index)
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }

    pub(super) fn entries(&self) -> Vec<T> {
        self.entries.iter().cloned().collect()
    }
}

/// The header lines as they came, with the bearer kept out of what a failing test prints.
pub(super) fn header_lines(headers: &HeaderMap) -> HeaderMap {
    let mut lines = headers.clone();
    lines
        .iter_mut()
        .filter(|(name, _)| **name == header::AUTHORIZATION)
        .for_each(|(_, value): (_, &mut HeaderValue)| value.set_sensitive(true));
    lines
}

#[cfg(test)]
mod tests;
