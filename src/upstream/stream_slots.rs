//! How many requests are in flight on one HTTP/2 connection, and whether it accepts another one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// The most streams of one connection, whatever the API allows. The connection's window has room for all of them, so
/// that clients that read slowly do not hold up the others.
pub(super) const MOST_STREAMS: u32 = 100;

/// How many streams of one connection may end before their responses. Servers count the streams that their clients
/// cancel (CVE-2023-44487), and end the others too when there are too many: Node by default after 1,000 at once.
const MOST_CANCELLED: u32 = 100;

/// The streams of one connection.
#[derive(Debug)]
pub(super) struct StreamSlots {
    state: Mutex<SlotState>,
    /// Notified when the API's first SETTINGS have arrived, or the connection has ended.
    decided: Notify,
}

#[derive(Debug)]
struct SlotState {
    /// The API's `SETTINGS_MAX_CONCURRENT_STREAMS`; 0 until it has sent its SETTINGS.
    limit: usize,
    open: usize,
    cancelled: u32,
    is_retired: bool,
    idle_since: Instant,
}

/// Whether a connection that has been without requests for a while was retired.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum IdleCheck {
    Retired,
    /// It is in use, or was until recently. It is to be checked again then.
    Until(Instant),
}

impl SlotState {
    fn most(&self) -> usize {
        self.limit.min(MOST_STREAMS as usize)
    }
}

impl StreamSlots {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(SlotState {
                limit: 0,
                open: 0,
                cancelled: 0,
                is_retired: false,
                idle_since: Instant::now(),
            }),
            decided: Notify::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, SlotState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A slot for one request, if the API accepts one now.
    pub(super) fn reserve(self: &Arc<Self>) -> Option<StreamSlot> {
        let mut state = self.lock();
        let is_free = !state.is_retired && state.open < state.most();
        is_free.then(|| {
            state.open += 1;
            StreamSlot(Arc::clone(self))
        })
    }

    /// The API allows this many streams.
    pub(super) fn set_limit(&self, limit: usize) {
        let before = std::mem::replace(&mut self.lock().limit, limit);
        if before == 0 && limit > 0 {
            self.decided.notify_one();
        }
    }

    /// No further request gets a slot.
    pub(super) fn retire(&self) {
        self.lock().is_retired = true;
        self.decided.notify_one();
    }

    pub(super) fn is_retired(&self) -> bool {
        self.lock().is_retired
    }

    pub(super) fn is_unused(&self) -> bool {
        self.lock().open == 0
    }

    /// Waits until the API has said how many requests the connection takes at a time. False if it has ended before.
    pub(super) async fn is_decided(&self) -> bool {
        loop {
            {
                let state = self.lock();
                if state.is_retired || state.limit > 0 {
                    return state.limit > 0;
                }
            }
            self.decided.notified().await;
        }
    }

    /// Retires a connection that has been without requests for `max_idle`.
    pub(super) fn retire_idle(&self, max_idle: Duration) -> IdleCheck {
        let mut state = self.lock();
        let now = Instant::now();
        if state.open > 0 {
            return IdleCheck::Until(now + max_idle / 2);
        }
        let due = state.idle_since + max_idle;
        if due > now {
            return IdleCheck::Until(due);
        }
        state.is_retired = true;
        IdleCheck::Retired
    }
}

/// One stream of a connection, held until request and response have ended.
#[derive(Debug)]
pub(super) struct StreamSlot(Arc<StreamSlots>);

impl StreamSlot {
    /// The stream ends before its response.
    pub(super) fn note_cancelled(&self) {
        let mut state = self.0.lock();
        state.cancelled += 1;
        if state.cancelled >= MOST_CANCELLED {
            state.is_retired = true;
        }
    }

    /// The connection of this stream gets no further request.
    pub(super) fn retire_connection(&self) {
        self.0.retire();
    }

    /// Whether the API still accepts as many requests as hold a slot.
    pub(super) fn is_within_limit(&self) -> bool {
        let state = self.0.lock();
        state.open <= state.most()
    }
}

impl Drop for StreamSlot {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.open -= 1;
        if state.open == 0 {
            state.idle_since = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests;
