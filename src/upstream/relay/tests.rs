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
