//! What every request is accounted with: the counters, and which requests get a line in the log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use super::AccessLines;
use crate::metrics::Metrics;

/// Shared by all connections of a proxy.
pub struct Account {
    metrics: Arc<Metrics>,
    lines: AtomicU8,
}

impl Account {
    /// Counts in `metrics`.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>, lines: AccessLines) -> Arc<Self> {
        Arc::new(Self {
            metrics,
            lines: AtomicU8::new(lines as u8),
        })
    }

    /// From here on these requests get a line, on connections that are open too.
    pub fn set_lines(&self, lines: AccessLines) {
        self.lines.store(lines as u8, Ordering::Relaxed);
    }

    pub(super) fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    pub(super) fn lines(&self) -> AccessLines {
        const ALL: u8 = AccessLines::All as u8;
        const NONE: u8 = AccessLines::None as u8;
        match self.lines.load(Ordering::Relaxed) {
            ALL => AccessLines::All,
            NONE => AccessLines::None,
            _ => AccessLines::WritesAndFailures,
        }
    }
}

#[cfg(test)]
mod tests;
