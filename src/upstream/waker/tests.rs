use std::sync::atomic::AtomicUsize;

use super::*;

#[derive(Default)]
struct CountingTask(AtomicUsize);

impl Wake for CountingTask {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A connection's waker, a task, and how often that task has been woken.
fn connection_waker() -> (ConnectionWaker, Waker, impl Fn() -> usize) {
    let task = Arc::new(CountingTask::default());
    let waker = Waker::from(Arc::clone(&task));
    let wake_ups = move || task.0.load(Ordering::Relaxed);
    (ConnectionWaker::new(WakerState::new()), waker, wake_ups)
}

#[test]
fn a_registered_task_is_woken_once() {
    let (connection, task, wake_ups) = connection_waker();
    let waker = connection.begin_poll().waker().clone();
    connection.register(&task);
    assert_eq!(wake_ups(), 0);
    waker.wake_by_ref();
    waker.wake_by_ref();
    assert_eq!(wake_ups(), 1);
}

#[test]
fn an_event_during_a_poll_wakes_the_task_when_the_poll_ends_and_an_earlier_event_does_not() {
    let (connection, task, wake_ups) = connection_waker();
    let waker = connection.begin_poll().waker().clone();
    waker.wake_by_ref();
    let _ = connection.begin_poll();
    connection.register(&task);
    assert_eq!(wake_ups(), 0, "the second poll has seen the event");
    let _ = connection.begin_poll();
    waker.wake_by_ref();
    assert_eq!(wake_ups(), 0, "the poll has not ended");
    connection.register(&task);
    assert_eq!(wake_ups(), 1);
    waker.wake_by_ref();
    assert_eq!(wake_ups(), 2, "the task is still registered");
}

#[test]
fn an_idle_connection_wakes_no_task() {
    let (connection, task, wake_ups) = connection_waker();
    let waker = connection.begin_poll().waker().clone();
    connection.register(&task);
    let _ = connection.begin_poll(); // the exchange ended with this poll
    waker.wake();
    assert_eq!(wake_ups(), 0);
}
