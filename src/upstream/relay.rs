//! The waker that a connection is driven with: it wakes whoever waits for the exchange, and only while somebody does.
//!
//! A request, its connection and its answer live in one task and tell each other of every step through
//! wakers. Without the relay each of these would be that task waking itself, to be polled once more for nothing, and
//! a request given to an idle connection would wake the client that used it last.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::task::{Context, Wake, Waker};

use atomic_waker::AtomicWaker;

/// The connection is being polled, or idle: who polls it sees for himself what has happened.
const ATTENDED: u8 = 0;
/// As before, and something has happened.
const STIRRED: u8 = 1;
/// A task waits to be woken.
const AWAITED: u8 = 2;

/// One connection's waker. Made once for the life of the connection.
pub(super) struct Relay {
    bell: Arc<Bell>,
    waker: Waker,
}

/// What the connection's waker rings.
#[derive(Debug)]
pub(super) struct Bell {
    state: AtomicU8,
    task: AtomicWaker,
    /// Whether it has rung since its socket was last asked.
    rung: AtomicBool,
}

impl Relay {
    pub(super) fn new(bell: Arc<Bell>) -> Self {
        let waker = Waker::from(Arc::clone(&bell));
        Self { bell, waker }
    }

    /// Begins a look at the connection: until [`Self::wait`], what happens on it wakes nobody. All that belongs to the
    /// connection is polled with the returned context.
    pub(super) fn attend(&self) -> Context<'_> {
        self.bell.state.store(ATTENDED, Ordering::Release);
        Context::from_waker(&self.waker)
    }

    /// Ends the look: `task` is woken by the next thing that happens, at once if something has since it began.
    pub(super) fn wait(&self, task: &Waker) {
        self.bell.task.register(task);
        if self.bell.turn(ATTENDED, AWAITED).is_err() {
            self.bell.state.store(AWAITED, Ordering::Release);
            task.wake_by_ref();
        }
    }
}

impl Bell {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            state: AtomicU8::new(ATTENDED),
            task: AtomicWaker::new(),
            rung: AtomicBool::new(false),
        })
    }

    /// From here on, [`Self::has_rung`] is about what comes.
    pub(super) fn quiet(&self) {
        self.rung.store(false, Ordering::Release);
    }

    pub(super) fn has_rung(&self) -> bool {
        self.rung.load(Ordering::Acquire)
    }

    fn turn(&self, from: u8, to: u8) -> Result<u8, u8> {
        self.state
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        if self.turn(ATTENDED, STIRRED) == Err(AWAITED) {
            self.task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Task(AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A relay, its task, and how often that has been woken.
    fn relay() -> (Relay, Waker, impl Fn() -> usize) {
        let task = Arc::new(Task::default());
        let waker = Waker::from(Arc::clone(&task));
        let woken = move || task.0.load(Ordering::Relaxed);
        (Relay::new(Bell::new()), waker, woken)
    }

    #[test]
    fn who_waits_is_woken_once_by_what_happens() {
        let (relay, task, woken) = relay();
        let own = relay.attend().waker().clone();
        relay.wait(&task);
        assert_eq!(woken(), 0);
        own.wake_by_ref();
        own.wake_by_ref();
        assert_eq!(woken(), 1);
    }

    #[test]
    fn what_happens_during_a_look_wakes_at_its_end_and_what_happened_before_does_not() {
        let (relay, task, woken) = relay();
        let own = relay.attend().waker().clone();
        own.wake_by_ref();
        let _ = relay.attend();
        relay.wait(&task);
        assert_eq!(woken(), 0, "it was seen by the look that followed");
        let _ = relay.attend();
        own.wake_by_ref();
        assert_eq!(woken(), 0, "the look goes on");
        relay.wait(&task);
        assert_eq!(woken(), 1);
        own.wake_by_ref();
        assert_eq!(woken(), 2, "and it is awaited all the same");
    }

    #[test]
    fn an_idle_connection_wakes_nobody() {
        let (relay, task, woken) = relay();
        let own = relay.attend().waker().clone();
        relay.wait(&task);
        let _ = relay.attend(); // the exchange ended with this look
        own.wake();
        assert_eq!(woken(), 0);
    }
}
