//! The last requests, for people who ask what is going on: no allocation to enter one.

use std::time::Duration;

use http::Method;
use tokio::time::Instant;

use super::Exchange;

/// How many are kept: a screenful or two.
const KEPT: usize = 64;

/// The longest path that is kept whole, in bytes.
const PATH_BYTES: usize = 120;

/// The longest caller's name that is kept whole, in bytes.
const CALLER_BYTES: usize = 32;

/// A request id's longest form, in bytes.
const ID_BYTES: usize = 64;

/// A request that has ended.
#[derive(Debug, Clone)]
pub struct Entry {
    /// When its answer had ended.
    pub ended: Instant,
    /// Its method.
    pub method: Method,
    path: Text<PATH_BYTES>,
    /// The status of its answer.
    pub status: Option<u16>,
    /// Why we answered ourselves.
    pub reason: Option<&'static str>,
    caller: Text<CALLER_BYTES>,
    request_id: Text<ID_BYTES>,
    /// From its head to the end of its answer.
    pub total: Duration,
}

impl Entry {
    fn of(exchange: &Exchange<'_>) -> Self {
        let mut entry = Self {
            ended: exchange.ended,
            method: exchange.method.clone(),
            path: Text::EMPTY,
            status: None,
            reason: None,
            caller: Text::EMPTY,
            request_id: Text::EMPTY,
            total: exchange.total,
        };
        entry.become_that_of(exchange);
        entry
    }

    /// In place: every request pays for what is copied here.
    fn become_that_of(&mut self, exchange: &Exchange<'_>) {
        self.ended = exchange.ended;
        self.method.clone_from(exchange.method);
        self.path.set(exchange.path);
        self.status = exchange.status;
        self.reason = exchange.reason;
        self.caller.set(exchange.caller.unwrap_or_default());
        self.request_id.set(exchange.request_id);
        self.total = exchange.total;
    }

    /// Its path without the query, cut at 120 bytes.
    #[must_use]
    pub fn path(&self) -> &str {
        self.path.as_str()
    }

    /// The configured caller, if it was one.
    #[must_use]
    pub fn caller(&self) -> Option<&str> {
        Some(self.caller.as_str()).filter(|caller| !caller.is_empty())
    }

    /// Its name in the logs.
    #[must_use]
    pub fn request_id(&self) -> &str {
        self.request_id.as_str()
    }
}

/// The last requests of one proxy.
#[derive(Debug, Default)]
pub(super) struct Journal {
    entries: Vec<Entry>,
    /// Which one the next entry replaces, once the ring is full.
    oldest: usize,
}

impl Journal {
    pub(super) fn enter(&mut self, exchange: &Exchange<'_>) {
        if self.entries.len() < KEPT {
            self.entries.push(Entry::of(exchange));
        } else {
            self.entries[self.oldest].become_that_of(exchange);
            self.oldest = (self.oldest + 1) % KEPT;
        }
    }

    pub(super) fn entries(&self) -> Vec<Entry> {
        let (younger, older) = self.entries.split_at(self.oldest);
        older.iter().chain(younger).cloned().collect()
    }
}

/// A text of at most so many bytes, in place.
#[derive(Debug, Clone, Copy)]
struct Text<const MOST: usize> {
    bytes: [u8; MOST],
    length: usize,
}

impl<const MOST: usize> Text<MOST> {
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
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default() // cut between characters
    }
}
