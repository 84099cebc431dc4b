//! Where requests are recorded: the metrics, and which requests get a line in the access log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use http::Request;

use super::access_record::{AccessLines, AccessRecord};
use super::access_sink::AccessSink;
use crate::metrics::Metrics;
use crate::problem::{Reason, RequestId};

/// Shared by all connections of a proxy.
pub struct AccessLogger {
    sink: Arc<AccessSink>,
    lines: AtomicU8,
}

impl AccessLogger {
    /// An access log with these lines, which counts every request in `metrics`.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>, lines: AccessLines) -> Arc<Self> {
        metrics.begin_reasons_at_zero(Reason::ALL.map(Reason::name));
        Arc::new(Self {
            sink: Arc::new(AccessSink::new(metrics)),
            lines: AtomicU8::new(lines as u8),
        })
    }

    /// Changes which requests get a line, on open connections too.
    pub fn set_lines(&self, lines: AccessLines) {
        self.lines.store(lines as u8, Ordering::Relaxed);
    }

    /// Logs once a minute how many rejected requests had no line of their own. Never returns.
    pub async fn report_omitted(self: Arc<Self>) {
        self.sink.report_omitted().await;
    }

    /// Records requests that end without a response as cut by the end of the proxy from now on.
    pub(super) fn begin_cut(&self) {
        self.sink.is_cutting.store(true, Ordering::Relaxed);
    }

    /// Begins the record of a request.
    pub(super) fn begin<B>(
        &self,
        uid: Option<u32>,
        request_id: RequestId,
        request: &Request<B>,
    ) -> AccessRecord {
        AccessRecord::begin(self.lines(), &self.sink, uid, request_id, request)
    }

    fn lines(&self) -> AccessLines {
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
