use std::time::SystemTime;

use super::*;

#[tokio::test]
async fn a_task_that_ends_or_panics_is_named_and_one_that_is_stopped_is_not() {
    let tasks = StoppedTasks::default();
    let stopped = tokio::spawn(tasks.clone().watch("stopped", std::future::pending::<()>()));
    tokio::task::yield_now().await;
    stopped.abort();
    assert!(stopped.await.is_err());
    assert_eq!(tasks.names(), [""; 0]);

    tokio::spawn(tasks.clone().watch("ended", async {}))
        .await
        .unwrap();
    let panicked = tokio::spawn(tasks.clone().watch("panicked", async { panic!("a bug") }));
    assert!(panicked.await.is_err());
    assert_eq!(tasks.names(), ["ended", "panicked"]);
    let [ended, panicked] = tasks.all()[..] else {
        panic!("{tasks:?}");
    };
    assert!(ended.at <= panicked.at && panicked.at <= SystemTime::now());
}

#[tokio::test]
async fn a_task_that_may_end_is_named_only_if_it_panics() {
    let tasks = StoppedTasks::default();
    tasks.clone().watch_for_panic("ended", async {}).await;
    assert_eq!(tasks.names(), [""; 0]);

    let panicking = async { panic!("a bug") };
    let panicked = tokio::spawn(tasks.clone().watch_for_panic("panicked", panicking));
    assert!(panicked.await.is_err());
    assert_eq!(tasks.names(), ["panicked"]);
}
