//! What the access records of a proxy share: where they are counted, and how many log lines rejected requests have had.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::metrics::Metrics;
use crate::problem::Reason;

/// How many rejected requests get a log line of their own within [`PERIOD`], for each reason.
const LINES: u64 = 10;

const PERIOD: Duration = Duration::from_mins(1);

/// Shared by all access records of a proxy.
pub(super) struct AccessSink {
    pub(super) metrics: Arc<Metrics>,
    pub(super) rejections: RejectionLines,
    /// The time to drain is over.
    pub(super) is_cutting: AtomicBool,
}

/// The log lines of requests that were rejected before their caller was admitted. Anyone can send these, so that their
/// number is limited: otherwise they could fill the disk.
pub(super) struct RejectionLines([AtomicU64; Reason::ALL.len()]);

impl AccessSink {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            metrics,
            rejections: RejectionLines([const { AtomicU64::new(0) }; _]),
            is_cutting: AtomicBool::new(false),
        }
    }

    /// Logs once in each period how many rejections had no line of their own. Never returns.
    pub(super) async fn report_omitted(&self) {
        let mut periods = interval(PERIOD);
        periods.set_missed_tick_behavior(MissedTickBehavior::Delay);
        periods.tick().await; // the first is immediate
        loop {
            periods.tick().await;
            for (reason, omitted) in self.rejections.next_period() {
                tracing::warn!(
                    proxy = self.metrics.proxy(),
                    reason = reason.name(),
                    omitted,
                    "more requests were rejected, of which each minute only the first {LINES} are logged"
                );
            }
        }
    }
}

impl RejectionLines {
    /// Whether a request that was rejected for this reason gets a line. Otherwise it is counted.
    pub(super) fn admit(&self, reason: Reason) -> bool {
        self.0[reason as usize].fetch_add(1, Ordering::Relaxed) < LINES
    }

    /// Begins the next period, and returns how many lines were omitted in the last one.
    fn next_period(&self) -> impl Iterator<Item = (Reason, u64)> {
        let counts = Reason::ALL.into_iter().zip(&self.0);
        counts.filter_map(|(reason, rejected)| {
            let omitted = rejected.swap(0, Ordering::Relaxed).saturating_sub(LINES);
            (omitted > 0).then_some((reason, omitted))
        })
    }
}

#[cfg(test)]
mod tests;
