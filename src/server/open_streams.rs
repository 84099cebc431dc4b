//! The streams of one HTTP/2 connection, as far as its limits are concerned.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use super::tracked_connection::{ConnectionCommand, ConnectionPhase, TrackedConnection};

/// How many requests a client may cancel within [`CANCEL_WINDOW_MS`]. Each of them closes a connection to the API, so
/// a client that only sends and cancels costs more than one that waits (CVE-2023-44487).
const CANCELED_REQUESTS: u32 = 500;

/// See [`CANCELED_REQUESTS`].
const CANCEL_WINDOW_MS: u64 = 10_000;

/// The open streams of one connection. While there is one, the connection is busy.
///
/// Only the connection's own task uses it, so `Relaxed` suffices.
#[derive(Debug)]
pub(super) struct OpenStreams {
    tracked: Arc<TrackedConnection>,
    count: AtomicU32,
    canceled: AtomicU32,
    /// Since when they are counted.
    counted_since_ms: AtomicU64,
}

impl OpenStreams {
    pub(super) fn new(tracked: Arc<TrackedConnection>) -> Arc<Self> {
        Arc::new(Self {
            tracked,
            count: AtomicU32::new(0),
            canceled: AtomicU32::new(0),
            counted_since_ms: AtomicU64::new(0),
        })
    }

    /// A request has arrived.
    pub(super) fn open(self: &Arc<Self>) -> OpenStream {
        if self.count.fetch_add(1, Ordering::Relaxed) == 0 {
            self.tracked.enter(ConnectionPhase::Busy);
        }
        OpenStream {
            streams: Arc::clone(self),
            progress: Arc::default(),
            is_answered: false,
        }
    }

    /// Counts a request that its client has canceled, and ends the connection if there are too many.
    fn note_canceled(&self) {
        let now = self.tracked.now();
        let since = self.counted_since_ms.load(Ordering::Relaxed);
        if now.saturating_sub(since) > CANCEL_WINDOW_MS {
            self.counted_since_ms.store(now, Ordering::Relaxed);
            self.canceled.store(0, Ordering::Relaxed);
        }
        if self.canceled.fetch_add(1, Ordering::Relaxed) >= CANCELED_REQUESTS {
            self.tracked.send_command(ConnectionCommand::Cut);
        }
    }
}

/// One request and its response. The stream ends when this is dropped.
#[derive(Debug)]
pub(super) struct OpenStream {
    streams: Arc<OpenStreams>,
    progress: Arc<StreamProgress>,
    is_answered: bool,
}

impl OpenStream {
    pub(super) fn progress(&self) -> Arc<StreamProgress> {
        Arc::clone(&self.progress)
    }

    /// The last piece of the response has been handed over.
    pub(super) const fn set_answered(&mut self) {
        self.is_answered = true;
    }

    /// Records whether a piece of the response waits for the client to make room for it.
    pub(super) fn set_waiting(&self, is_waiting: bool) {
        self.progress.set_waiting(is_waiting);
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        if !self.is_answered {
            self.streams.note_canceled();
        }
        if self.streams.count.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.streams.tracked.response_ended();
        }
    }
}

/// How far the response of one stream has got.
#[derive(Debug, Default)]
pub(super) struct StreamProgress {
    pieces: AtomicU32,
    is_waiting: AtomicBool,
}

impl StreamProgress {
    fn set_waiting(&self, is_waiting: bool) {
        self.is_waiting.store(is_waiting, Ordering::Relaxed);
        if is_waiting {
            self.pieces.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The number of the piece that waits for the client, if one does.
    pub(super) fn waiting_piece(&self) -> Option<u32> {
        let piece = self.pieces.load(Ordering::Relaxed);
        self.is_waiting.load(Ordering::Relaxed).then_some(piece)
    }
}
