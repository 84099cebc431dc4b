//! What every request adds to, behind one lock.
//!
//! A shared counter and two shared histograms would take four times as many locked instructions per request. Requests
//! are added to local copies instead, which are flushed into the shared ones whenever the metrics are read.

use std::sync::{Mutex, MutexGuard, PoisonError};

use prometheus::local::{LocalHistogram, LocalIntCounter};
use prometheus::{Histogram, IntCounter};

use super::recent::Journal;
use super::request::FinishedRequest;

/// What all workers have counted since the metrics were last read, and the journal.
pub(super) struct RequestBatch(Mutex<PendingCounts>);

pub(super) struct PendingCounts {
    plain: Vec<LocalIntCounter>,
    request_seconds: LocalHistogram,
    upstream_head_seconds: LocalHistogram,
    pub(super) journal: Journal,
}

impl PendingCounts {
    /// How many requests the API has responded to since the metrics were last read.
    pub(super) fn upstream_heads(&self) -> u64 {
        self.upstream_head_seconds.get_sample_count()
    }
}

impl RequestBatch {
    /// In front of these metrics; `plain` are the counters of plain requests, by index.
    pub(super) fn new(
        plain: &[IntCounter],
        request_seconds: &Histogram,
        upstream_head_seconds: &Histogram,
    ) -> Self {
        Self(Mutex::new(PendingCounts {
            plain: plain.iter().map(IntCounter::local).collect(),
            request_seconds: request_seconds.local(),
            upstream_head_seconds: upstream_head_seconds.local(),
            journal: Journal::default(),
        }))
    }

    /// Adds one request; `plain` is the index of its counter, if it is a plain one.
    pub(super) fn add(&self, request: &FinishedRequest<'_>, plain: Option<usize>) {
        let mut pending = self.lock();
        if let Some(plain) = plain {
            pending.plain[plain].inc();
        }
        pending.request_seconds.observe(request.total.as_secs_f64());
        if let Some(head) = request.upstream_head {
            pending.upstream_head_seconds.observe(head.as_secs_f64());
        }
        pending.journal.record(request);
    }

    /// Flushes everything into the shared metrics.
    pub(super) fn flush(&self) {
        let pending = self.lock();
        pending.plain.iter().for_each(LocalIntCounter::flush);
        pending.request_seconds.flush();
        pending.upstream_head_seconds.flush();
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, PendingCounts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
