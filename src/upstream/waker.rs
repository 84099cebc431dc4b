//! The waker that a connection is polled with: it wakes the task that waits for the exchange, and only while one waits.
//!
//! A request, its connection and its response share one task, and notify each other of every step through wakers.
//! Without this indirection, each notification would make the task wake itself and be polled once more for nothing,
//! and a request on an idle connection would wake the task that used the connection last.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::task::{Context, Wake, Waker};

use atomic_waker::AtomicWaker;

/// The waker was woken since the poll began.
const NOTIFIED: u8 = 1;
/// A task is registered to be woken. Otherwise the connection is being polled, or it is idle.
const REGISTERED: u8 = 2;
/// The waker was woken since the socket was last read, so there may be something to read.
const READABLE: u8 = 4;

/// The waker of one connection, created once and used until the connection closes.
pub(super) struct ConnectionWaker {
    state: Arc<WakerState>,
    waker: Waker,
}

/// The state behind the waker, shared with the socket.
#[derive(Debug)]
pub(super) struct WakerState {
    /// All flags share one word, so that a wake-up from another thread is never lost between two of them.
    flags: AtomicU8,
    task: AtomicWaker,
    /// The next write begins a new request. Set and read by the same task.
    expects_response: AtomicBool,
}

impl ConnectionWaker {
    pub(super) fn new(state: Arc<WakerState>) -> Self {
        let waker = Waker::from(Arc::clone(&state));
        Self { state, waker }
    }

    /// Begins a poll: until [`Self::register`], nothing that happens on the connection wakes a task. Everything that
    /// belongs to the connection is polled with the returned context.
    pub(super) fn begin_poll(&self) -> Context<'_> {
        self.state.clear(NOTIFIED | REGISTERED);
        Context::from_waker(&self.waker)
    }

    /// Tells the socket that a request is about to be sent.
    pub(super) fn expect_response(&self) {
        self.state.expect_response();
    }

    /// Ends the poll: the next event wakes `task`. If an event occurred since the poll began, it is woken at once.
    pub(super) fn register(&self, task: &Waker) {
        self.state.task.register(task);
        if self.state.set(REGISTERED) & NOTIFIED != 0 {
            task.wake_by_ref();
        }
    }
}

impl WakerState {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            flags: AtomicU8::new(0),
            task: AtomicWaker::new(),
            expects_response: AtomicBool::new(false),
        })
    }

    /// The next write begins a new request.
    pub(super) fn expect_response(&self) {
        self.expects_response.store(true, Ordering::Relaxed);
    }

    /// Whether [`Self::expect_response`] was called since the last time.
    pub(super) fn take_expects_response(&self) -> bool {
        let expects = self.expects_response.load(Ordering::Relaxed);
        if expects {
            self.expects_response.store(false, Ordering::Relaxed);
        }
        expects
    }

    /// Resets [`Self::is_readable`] before the socket is read.
    pub(super) fn clear_readable(&self) {
        self.clear(READABLE);
    }

    /// Whether the waker was woken since the last [`Self::clear_readable`].
    pub(super) fn is_readable(&self) -> bool {
        self.flags.load(Ordering::Acquire) & READABLE != 0
    }

    /// Sets flags, and returns those that were set before.
    fn set(&self, flags: u8) -> u8 {
        self.flags.fetch_or(flags, Ordering::AcqRel)
    }

    fn clear(&self, flags: u8) {
        // A load is cheaper than a write. A flag that is set right after it is seen when the poll ends.
        if self.flags.load(Ordering::Acquire) & flags != 0 {
            self.flags.fetch_and(!flags, Ordering::AcqRel);
        }
    }
}

impl Wake for WakerState {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.set(NOTIFIED | READABLE) & REGISTERED != 0 {
            self.task.wake();
        }
    }
}

#[cfg(test)]
mod tests;
