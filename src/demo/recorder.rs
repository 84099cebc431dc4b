//! What the two servers have received, for tests to read. Bounded: the oldest entries are dropped first.

use std::collections::VecDeque;

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use tokio::time::Instant;

/// How many entries a recording keeps. The largest test that reads them one by one makes 10,000 requests.
const KEPT: usize = 16_384;

/// What the API decided about the token of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The path needs no token, or does not exist.
    NotChecked,
    /// A valid token with a sufficient role.
    Allowed,
    /// No `Authorization`, or another scheme than `Bearer`.
    Missing,
    /// More than one `Authorization` field line (RFC 6750 2 allows one).
    Repeated,
    /// Not signed by this authorization server.
    Unverified,
    /// Issued by another issuer, or the environment is not connected.
    WrongIssuer,
    /// Expired.
    Expired,
    /// Issued here and not expired, but revoked.
    Revoked,
    /// A valid token without a role for this method.
    MissingRole,
}

/// A request that reached the API.
#[derive(Debug, Clone)]
pub struct ApiRequest {
    /// The method.
    pub method: Method,
    /// Path and query, unchanged.
    pub target: String,
    /// Every field line, those of one name in their order. `Authorization` prints as `Sensitive`.
    pub headers: HeaderMap,
    /// What the API decided about the token.
    pub verdict: Verdict,
    /// The status of the response.
    pub status: StatusCode,
}

impl ApiRequest {
    /// The number of `Authorization` field lines. A request that went through the proxy must have exactly one.
    #[must_use]
    pub fn authorization_lines(&self) -> usize {
        self.headers.get_all(header::AUTHORIZATION).iter().count()
    }
}

/// A POST to the token endpoint.
#[derive(Debug, Clone)]
pub struct TokenRequest {
    /// When the whole body had arrived.
    pub at: Instant,
    /// The parameters of the form in their order; `client_secret` without its value.
    pub parameters: Vec<(String, String)>,
    /// The status of the response; `None` while there is none, which is forever if the reply is
    /// `TokenReply::Never`.
    pub status: Option<StatusCode>,
}

/// The last [`KEPT`] entries, and how many there have been in total.
#[derive(Debug)]
pub(super) struct RecentEntries<T> {
    entries: VecDeque<T>,
    total: u64,
}

impl<T> Default for RecentEntries<T> {
    fn default() -> Self {
        Self {
            entries: VecDeque::new(),
            total: 0,
        }
    }
}

impl<T: Clone> RecentEntries<T> {
    /// Returns the number of the entry, for [`RecentEntries::entry`].
    pub(super) fn push(&mut self, entry: T) -> u64 {
        if self.entries.len() == KEPT {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
        self.total += 1;
        self.total - 1
    }

    /// The entry with this number, unless it has been dropped.
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

/// A copy of the field lines in which `Authorization` is marked as sensitive, so that a failing test does not print
/// the token.
pub(super) fn field_lines(headers: &HeaderMap) -> HeaderMap {
    let mut lines = headers.clone();
    lines
        .iter_mut()
        .filter(|(name, _)| **name == header::AUTHORIZATION)
        .for_each(|(_, value): (_, &mut HeaderValue)| value.set_sensitive(true));
    lines
}

#[cfg(test)]
mod tests;
