//! The most recent requests, for `/status` and the page. Recording one allocates nothing.

use std::time::Duration;

use http::Method;
use tokio::time::Instant;

use super::request::FinishedRequest;

/// How many requests are kept: enough to fill a screen or two.
const KEPT: usize = 64;

/// Longer paths are cut to this many bytes.
const PATH_BYTES: usize = 120;

/// The longest name of a caller that the configuration accepts, in bytes.
const CALLER_BYTES: usize = 32;

/// The longest request id that cupbearer accepts, in bytes.
const ID_BYTES: usize = 64;

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
        };
        entry.overwrite(request);
        entry
    }

    /// Reuses the memory of an older entry. Every request pays for what is copied here.
    fn overwrite(&mut self, request: &FinishedRequest<'_>) {
        self.ended = request.ended;
        self.method.clone_from(request.method);
        self.path.set(request.path);
        self.status = request.status;
        self.reason = request.reason;
        self.caller.set(request.caller.unwrap_or_default());
        self.request_id.set(request.request_id);
        self.total = request.total;
    }

    /// The path without the query, cut to 120 bytes.
    #[must_use]
    pub fn path(&self) -> &str {
        self.path.as_str()
    }

    /// The configured caller that sent the request.
    #[must_use]
    pub fn caller(&self) -> Option<&str> {
        Some(self.caller.as_str()).filter(|caller| !caller.is_empty())
    }

    /// The value of `X-Request-Id`.
    #[must_use]
    pub fn request_id(&self) -> &str {
        self.request_id.as_str()
    }
}

/// The most recent requests of one proxy, in a ring.
#[derive(Debug, Default)]
pub(super) struct Journal {
    entries: Vec<JournalEntry>,
    /// The index of the entry that is overwritten next, once the ring is full.
    oldest: usize,
}

impl Journal {
    pub(super) fn record(&mut self, request: &FinishedRequest<'_>) {
        if self.entries.len() < KEPT {
            self.entries.push(JournalEntry::of(request));
        } else {
            self.entries[self.oldest].overwrite(request);
            self.oldest = (self.oldest + 1) % KEPT;
        }
    }

    /// The oldest first.
    pub(super) fn entries(&self) -> Vec<JournalEntry> {
        let (younger, older) = self.entries.split_at(self.oldest);
        older.iter().chain(younger).cloned().collect()
    }
}

/// A text of at most `MOST` bytes, stored inline.
#[derive(Debug, Clone, Copy)]
struct InlineText<const MOST: usize> {
    bytes: [u8; MOST],
    length: usize,
}

impl<const MOST: usize> InlineText<MOST> {
    const EMPTY: Self = Self {
        bytes: [0; MOST],
        length: 0,
    };

    fn set(&mut self, text: &str) {
        let mut length = text.len().min(MOST);
        while !text.is_char_boundary(length) {
            length -= 1;
        }
        self.bytes[..length].copy_from_slice(&text.as_bytes()[..length]);
        self.length = length;
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default() // `set` cuts between characters
    }
}
