//! How much has happened in each of the last few hundred intervals, for the plots of the live page. It is read off the
//! counters at regular times, so that requests do not pay for it.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// The first digit of the status; `none` if the client disconnected before there was one.
pub(super) const CLASSES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];

/// The time between two samples.
pub const SAMPLE_INTERVAL: Duration = Duration::from_secs(2);

/// Fifteen minutes.
const KEPT: usize = 450;

/// What one proxy has counted since its start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrafficTotals {
    /// Finished requests, by the first digit of the status; those without a status come first.
    pub by_class: [u64; CLASSES.len()],
    /// Those of them that the API answered, in the same order.
    pub of_api_by_class: [u64; CLASSES.len()],
    /// Finished requests, by how long they took: one number for each bucket of `cupbearer_request_seconds`, and one for
    /// those beyond the last.
    pub by_time: Vec<u64>,
    /// Bytes read from clients.
    pub bytes_in: u64,
    /// Bytes written to clients.
    pub bytes_out: u64,
}

/// What was counted in one interval.
#[derive(Debug, Clone)]
pub struct TrafficSample {
    /// The end of the interval.
    pub at: SystemTime,
    /// What was added to the totals.
    pub added: TrafficTotals,
}

/// The samples that were taken after a certain one.
#[derive(Debug, Default)]
pub struct NewerSamples {
    /// The oldest first.
    pub samples: Vec<TrafficSample>,
    /// How many have been taken so far.
    pub taken: u64,
}

/// The samples of one proxy.
#[derive(Debug, Default)]
pub(super) struct History(Mutex<HistoryContents>);

#[derive(Debug, Default)]
struct HistoryContents {
    last: TrafficTotals,
    samples: VecDeque<TrafficSample>,
    taken: u64,
}

impl History {
    /// Adds a sample, and returns what was added to the totals.
    pub(super) fn add(&self, totals: TrafficTotals) -> TrafficTotals {
        let mut contents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if contents.samples.len() == KEPT {
            contents.samples.pop_front();
        }
        let added = totals.since(&contents.last);
        contents.samples.push_back(TrafficSample {
            at: SystemTime::now(),
            added: added.clone(),
        });
        contents.last = totals;
        contents.taken += 1;
        added
    }

    pub(super) fn newer_than(&self, after: u64) -> NewerSamples {
        let contents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = usize::try_from(contents.taken.saturating_sub(after)).unwrap_or(usize::MAX);
        let known = contents.samples.len().saturating_sub(new);
        NewerSamples {
            samples: contents.samples.iter().skip(known).cloned().collect(),
            taken: contents.taken,
        }
    }
}

impl TrafficTotals {
    /// What was added to `before`.
    fn since(&self, before: &Self) -> Self {
        let earlier = |index: usize| before.by_time.get(index).copied().unwrap_or(0);
        let by_time = self.by_time.iter().enumerate();
        Self {
            by_class: difference(self.by_class, before.by_class),
            of_api_by_class: difference(self.of_api_by_class, before.of_api_by_class),
            by_time: by_time
                .map(|(index, count)| count.saturating_sub(earlier(index)))
                .collect(),
            bytes_in: self.bytes_in.saturating_sub(before.bytes_in),
            bytes_out: self.bytes_out.saturating_sub(before.bytes_out),
        }
    }
}

fn difference<const N: usize>(now: [u64; N], before: [u64; N]) -> [u64; N] {
    std::array::from_fn(|index| now[index].saturating_sub(before[index]))
}

#[cfg(test)]
mod tests;
