//! What every request adds to, behind one lock: a counter and two histograms that each count by themselves would
//! take four times as many locked instructions. Written through when somebody reads.

use std::sync::{Mutex, MutexGuard, PoisonError};

use prometheus::local::{LocalHistogram, LocalIntCounter};
use prometheus::{Histogram, IntCounter};

use super::Exchange;
use super::journal::Journal;

/// The figures of all workers, as far as nobody has read them, and the journal.
pub(super) struct Tally(Mutex<Figures>);

pub(super) struct Figures {
    plain: Vec<LocalIntCounter>,
    request_seconds: LocalHistogram,
    upstream_head_seconds: LocalHistogram,
    pub(super) journal: Journal,
}

impl Tally {
    /// In front of these: `plain` are the counters of requests by their place.
    pub(super) fn new(
        plain: &[IntCounter],
        request_seconds: &Histogram,
        upstream_head_seconds: &Histogram,
    ) -> Self {
        Self(Mutex::new(Figures {
            plain: plain.iter().map(IntCounter::local).collect(),
            request_seconds: request_seconds.local(),
            upstream_head_seconds: upstream_head_seconds.local(),
            journal: Journal::default(),
        }))
    }

    /// One request; `plain` is the place of its counter, if it has one here.
    pub(super) fn add(&self, exchange: &Exchange<'_>, plain: Option<usize>) {
        let mut figures = self.figures();
        if let Some(plain) = plain {
            figures.plain[plain].inc();
        }
        figures
            .request_seconds
            .observe(exchange.total.as_secs_f64());
        if let Some(head) = exchange.upstream_head {
            figures.upstream_head_seconds.observe(head.as_secs_f64());
        }
        figures.journal.enter(exchange);
    }

    /// Adds what has been counted so far to what is read.
    pub(super) fn write_through(&self) {
        let figures = self.figures();
        figures.plain.iter().for_each(LocalIntCounter::flush);
        figures.request_seconds.flush();
        figures.upstream_head_seconds.flush();
    }

    pub(super) fn figures(&self) -> MutexGuard<'_, Figures> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
