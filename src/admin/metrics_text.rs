//! The text of `/metrics`, which everyone may request, so that building it is limited.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

/// How often the text is built within [`PERIOD`]. Building it takes about a millisecond of the thread that serves
/// requests, and more if many files are open.
const BUILDS: u32 = 20;

const PERIOD: Duration = Duration::from_secs(1);

/// The last text, for requests beyond that number.
#[derive(Debug, Default)]
pub(super) struct MetricsText(Mutex<Option<BuiltText>>);

#[derive(Debug)]
struct BuiltText {
    text: Bytes,
    period_start: Instant,
    /// Since `period_start`.
    builds: u32,
}

impl MetricsText {
    /// The current text, or one that is at most a second old.
    pub(super) fn get(&self, build: impl FnOnce() -> String) -> Bytes {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let (period_start, builds) = match &*last {
            Some(known) if now < known.period_start + PERIOD => {
                if known.builds >= BUILDS {
                    return known.text.clone();
                }
                (known.period_start, known.builds)
            }
            Some(_) | None => (now, 0),
        };
        let text = Bytes::from(build());
        *last = Some(BuiltText {
            text: text.clone(),
            period_start,
            builds: builds + 1,
        });
        text
    }
}

#[cfg(test)]
mod tests;
