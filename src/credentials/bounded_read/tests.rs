use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use super::*;

const SHORT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_file_system_that_does_not_respond_holds_up_one_thread_and_nobody_for_longer_than_the_limit()
 {
    let path = Path::new("/does/not/respond");
    let (respond, response) = mpsc::channel::<()>();
    let error = read_within(SHORT, path, move || response.recv()).await;
    assert_eq!(error.unwrap_err().kind(), io::ErrorKind::TimedOut);

    let started = Arc::new(AtomicUsize::new(0));
    let count = |started: &Arc<AtomicUsize>| {
        let started = Arc::clone(started);
        move || started.fetch_add(1, Ordering::SeqCst)
    };
    // With this limit the test would hang if it waited.
    let error = read_within(LONG, path, count(&started)).await;
    assert_eq!(error.unwrap_err().kind(), io::ErrorKind::TimedOut);
    assert_eq!(started.load(Ordering::SeqCst), 0);
    let other = Path::new("/responds");
    read_within(LONG, other, count(&started)).await.unwrap();
    assert_eq!(started.load(Ordering::SeqCst), 1, "other files are read");

    respond.send(()).unwrap();
    while read_within(LONG, path, count(&started)).await.is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(started.load(Ordering::SeqCst), 2, "it is read again");
}

#[tokio::test]
async fn a_read_that_is_no_longer_wanted_counts_as_hanging_too() {
    let path = Path::new("/nobody/waits");
    let (respond, response) = mpsc::channel::<()>();
    let read = read_within(LONG, path, move || response.recv());
    assert!(timeout(SHORT, read).await.is_err());
    assert!(read_within(LONG, path, || ()).await.is_err());
    drop(respond);
}

#[tokio::test]
async fn of_two_threads_that_read_the_same_file_the_first_to_end_does_not_hide_the_other() {
    for (path, ended) in [("/the/first/ends", 0), ("/the/second/ends", 1)] {
        let path = Path::new(path);
        let (respond_first, first) = mpsc::channel::<()>();
        let (respond_second, second) = mpsc::channel::<()>();
        let (one, other) = tokio::join!(
            read_within(SHORT, path, move || first.recv()),
            read_within(SHORT, path, move || second.recv())
        );
        assert!(one.is_err() && other.is_err());
        let mut hanging = vec![respond_first, respond_second];
        drop(hanging.remove(ended));
        // Time for that thread to end: the other one hangs whatever happens, so this cannot fail by chance.
        for _ in 0..10 {
            assert!(read_within(LONG, path, || ()).await.is_err());
            tokio::time::sleep(SHORT / 10).await;
        }
    }
}
