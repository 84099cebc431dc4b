//! The waker that a connection is driven with: it wakes whoever waits for the exchange, and only while somebody does.
//!
//! A request, its connection and its answer live in one task and tell each other of every step through
//! wakers. Without the relay each of these would be that task waking itself, to be polled once more for nothing, and
//! a request given to an idle connection would wake the client that used it last.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Wake, Waker};

use atomic_waker::AtomicWaker;

/// Something has happened since the look began.
const STIRRED: u8 = 1;
/// A task waits to be woken. Else the connection is being looked at, or idle: who looks sees for himself what happens.
const AWAITED: u8 = 2;
/// Something has happened since the socket was last asked.
const RUNG: u8 = 4;

/// One connection's waker. Made once for the life of the connection.
pub(super) struct Relay {
    bell: Arc<Bell>,
    waker: Waker,
}

/// What the connection's waker rings.
#[derive(Debug)]
pub(super) struct Bell {
    /// All of it in one word, so that what another thread rings is lost in no order of events.
    state: AtomicU8,
    task: AtomicWaker,
}

impl Relay {
    pub(super) fn new(bell: Arc<Bell>) -> Self {
        let waker = Waker::from(Arc::clone(&bell));
        Self { bell, waker }
    }

    /// Begins a look at the connection: until [`Self::wait`], what happens on it wakes nobody. All that belongs to the
    /// connection is polled with the returned context.
    pub(super) fn attend(&self) -> Context<'_> {
        self.bell.clear(STIRRED | AWAITED);
        Context::from_waker(&self.waker)
    }

    /// Ends the look: `task` is woken by the next thing that happens, at once if something has since it began.
    pub(super) fn wait(&self, task: &Waker) {
        self.bell.task.register(task);
        if self.bell.add(AWAITED) & STIRRED != 0 {
            task.wake_by_ref();
        }
    }
}

impl Bell {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            state: AtomicU8::new(0),
            task: AtomicWaker::new(),
        })
    }

    /// From here on, [`Self::has_rung`] is about what comes.
    pub(super) fn quiet(&self) {
        self.clear(RUNG);
    }

    pub(super) fn has_rung(&self) -> bool {
        self.state.load(Ordering::Acquire) & RUNG != 0
    }

    /// What was there before.
    fn add(&self, marks: u8) -> u8 {
        self.state.fetch_or(marks, Ordering::AcqRel)
    }

    fn clear(&self, marks: u8) {
        // What is not there need not go; what comes at this moment is seen when the look ends.
        if self.state.load(Ordering::Acquire) & marks != 0 {
            self.state.fetch_and(!marks, Ordering::AcqRel);
        }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.add(STIRRED | RUNG) & AWAITED != 0 {
            self.task.wake();
        }
    }
}

#[cfg(test)]
mod tests;
