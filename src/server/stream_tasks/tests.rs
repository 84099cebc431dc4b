use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Wake;

use super::*;

#[derive(Default)]
struct CountingWaker(AtomicU32);

impl Wake for CountingWaker {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn what_another_task_begins_wakes_the_task_of_the_connection() {
    let mut tasks = StreamTasks::new(Duration::from_secs(20));
    let woken = Arc::<CountingWaker>::default();
    tasks.set_waker(&Waker::from(Arc::clone(&woken)));
    let other = tasks.executor();
    other.begin(async {});
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    assert!(tasks.take_new());
}
