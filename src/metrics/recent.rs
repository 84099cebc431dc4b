//! The most recent requests, for `/status` and the page. Recording one that succeeds allocates nothing.

use std::time::Duration;

use http::{Method, Version};
use tokio::time::Instant;

use super::inline_text::InlineText;
use super::request::FinishedRequest;

/// How many requests are kept: a few screens, and what arrives between two looks of the live page.
const KEPT: usize = 256;

/// Longer paths are cut to this many bytes.
const PATH_BYTES: usize = 120;

/// The longest name of a caller that the configuration accepts, in bytes.
const CALLER_BYTES: usize = 32;

/// The longest request id that cupbearer accepts, in bytes.
const ID_BYTES: usize = 64;

/// The length of a trace id in W3C Trace Context.
const TRACE_BYTES: usize = 32;

/// Longer errors are cut to this many bytes.
const ERROR_BYTES: usize = 600;

/// A copy of a [`FinishedRequest`].
#[derive(Debug, Clone)]
pub struct JournalEntry {
    /// When the response ended.
    pub ended: Instant,
    /// The method that the client sent.
    pub method: Method,
    path: InlineText<PATH_BYTES>,
    /// The status of the response.
    pub status: Option<u16>,
    /// Why cupbearer answered the request itself, or why the response was cut.
    pub reason: Option<&'static str>,
    caller: InlineText<CALLER_BYTES>,
    request_id: InlineText<ID_BYTES>,
    /// From the request head to the end of the response.
    pub total: Duration,
    /// From the moment it was forwarded until the head of the upstream's response.
    pub upstream_head: Option<Duration>,
    /// The local user who sent it, if the system knows.
    pub user: Option<u32>,
    trace_id: InlineText<TRACE_BYTES>,
    error: Option<Box<str>>,
    /// The number of the token that was sent last; `None` if the response does not come from the upstream.
    pub token_generation: Option<u64>,
    /// Whether the request was sent again after a 401; `None` if there was no such 401.
    pub replayed: Option<bool>,
    /// The version of HTTP that the client used.
    pub version: Version,
    sent: Option<Instant>,
    head: Option<Instant>,
    /// Body bytes received from the client; `None` if nobody counted them.
    pub bytes_in: Option<u64>,
    /// Body bytes sent to the client.
    pub bytes_out: u64,
}

impl JournalEntry {
    fn of(request: &FinishedRequest<'_>) -> Self {
        let mut entry = Self {
            ended: request.ended,
            method: request.method.clone(),
            path: InlineText::EMPTY,
            status: None,
            reason: None,
            caller: InlineText::EMPTY,
            request_id: InlineText::EMPTY,
            total: request.total,
            upstream_head: None,
            user: None,
            trace_id: InlineText::EMPTY,
            error: None,
            token_generation: None,
            replayed: None,
            version: Version::HTTP_11,
            sent: None,
            head: None,
            bytes_in: None,
            bytes_out: 0,
        };
        entry.overwrite(request);
        entry
    }

    /// Reuses the memory of an older entry. Every request pays for what is copied here.
    fn overwrite(&mut self, request: &FinishedRequest<'_>) {
        let details = &request.details;
        self.ended = request.ended;
        self.method.clone_from(request.method);
        self.path.set(request.path);
        self.status = request.status;
        self.reason = request.reason;
        self.caller.set(request.caller.unwrap_or_default());
        self.request_id.set(request.request_id);
        self.total = request.total;
        self.upstream_head = request.upstream_head;
        self.user = details.user;
        self.trace_id.set(details.trace_id.unwrap_or_default());
        self.error = details.error.map(shortened);
        self.token_generation = details.token_generation;
        self.replayed = details.replayed;
        self.version = details.version;
        self.sent = details.sent;
        self.head = details.head;
        self.bytes_in = details.bytes_in;
        self.bytes_out = details.bytes_out;
    }

    /// The path without the query, cut to 120 bytes.
    #[must_use]
    pub fn path(&self) -> &str {
        self.path.as_str()
    }

    /// Whether the path was longer.
    #[must_use]
    pub const fn path_is_cut(&self) -> bool {
        self.path.is_cut()
    }

    /// From the request head until there was a token to send it with.
    #[must_use]
    pub fn sent_after(&self) -> Option<Duration> {
        self.sent.map(|instant| self.since_start(instant))
    }

    /// From the request head until the head of the response to the client.
    #[must_use]
    pub fn head_after(&self) -> Option<Duration> {
        self.head.map(|instant| self.since_start(instant))
    }

    fn since_start(&self, instant: Instant) -> Duration {
        self.total
            .saturating_sub(self.ended.duration_since(instant))
    }

    /// The configured caller that sent the request.
    #[must_use]
    pub fn caller(&self) -> Option<&str> {
        self.caller.filled()
    }

    /// The value of `X-Request-Id`.
    #[must_use]
    pub fn request_id(&self) -> &str {
        self.request_id.as_str()
    }

    /// The trace that the caller named.
    #[must_use]
    pub fn trace_id(&self) -> Option<&str> {
        self.trace_id.filled()
    }

    /// What went wrong, with its causes, cut to 600 bytes.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }
}

#[cold]
pub(super) fn shortened(error: &str) -> Box<str> {
    let mut length = error.len().min(ERROR_BYTES);
    while !error.is_char_boundary(length) {
        length -= 1;
    }
    error[..length].into()
}

/// The requests that were recorded after a certain one.
#[derive(Debug, Default)]
pub struct NewerRequests {
    /// The oldest first.
    pub entries: Vec<JournalEntry>,
    /// How many requests have been recorded so far. The last of the entries has this number.
    pub recorded: u64,
    /// How many newer requests are not among the entries, because there were too many.
    pub omitted: u64,
}

/// The entries of a journal that were recorded after a certain one.
pub(super) struct EntriesAfter<I> {
    /// The oldest first.
    pub(super) entries: I,
    pub(super) recorded: u64,
    pub(super) omitted: u64,
}

/// The most recent requests of one proxy, in a ring.
#[derive(Debug, Default)]
pub(super) struct Journal {
    entries: Vec<JournalEntry>,
    /// The index of the entry that is overwritten next, once the ring is full.
    oldest: usize,
    recorded: u64,
}

impl Journal {
    pub(super) fn record(&mut self, request: &FinishedRequest<'_>) {
        self.recorded += 1;
        if self.entries.len() < KEPT {
            self.entries.push(JournalEntry::of(request));
        } else {
            self.entries[self.oldest].overwrite(request);
            self.oldest = (self.oldest + 1) % KEPT;
        }
    }

    /// The last `most` requests that were recorded after the one with the number `after`.
    pub(super) fn newer_than(&self, after: u64, most: usize) -> NewerRequests {
        let newer = self.last_after(after, most);
        NewerRequests {
            entries: newer.entries.cloned().collect(),
            recorded: newer.recorded,
            omitted: newer.omitted,
        }
    }

    /// The requests that were recorded after the one with the number `after`.
    pub(super) fn after(
        &self,
        after: u64,
    ) -> EntriesAfter<impl Iterator<Item = &JournalEntry> + use<'_>> {
        self.last_after(after, usize::MAX)
    }

    fn last_after(
        &self,
        after: u64,
        most: usize,
    ) -> EntriesAfter<impl Iterator<Item = &JournalEntry> + use<'_>> {
        let new = self.recorded.saturating_sub(after);
        let kept = usize::try_from(new).unwrap_or(usize::MAX);
        let kept = kept.min(most).min(self.entries.len());
        let (younger, older) = self.entries.split_at(self.oldest);
        let entries = older.iter().chain(younger);
        EntriesAfter {
            entries: entries.skip(self.entries.len() - kept),
            recorded: self.recorded,
            omitted: new - kept as u64,
        }
    }
}

#[cfg(test)]
mod tests;
