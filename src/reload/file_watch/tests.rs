use super::*;
use crate::credentials::HangingFile;

fn watch_file(file: &Path) -> (FileWatch, watch::Sender<u64>) {
    let (request, requests) = watch::channel(0);
    let mut watch = FileWatch::new(requests);
    watch.follow(vec![file.to_owned()]);
    (watch, request)
}

#[tokio::test(start_paused = true)]
async fn a_file_counts_once_two_reads_half_a_second_apart_are_equal() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("f");
    std::fs::write(&file, "one").unwrap();
    let (mut watch, _request) = watch_file(&file);
    assert_eq!(watch.next(false).await, ReloadTrigger::Start);

    std::fs::write(&file, "half").unwrap();
    let start = tokio::time::Instant::now();
    {
        let next = watch.next(false);
        tokio::pin!(next);
        // It has read the first half, and waits until it is stable.
        for _ in 0..3 {
            let early = tokio::time::timeout(Duration::from_millis(400), &mut next).await;
            assert!(early.is_err());
        }
        std::fs::write(&file, "half and half").unwrap();
        assert_eq!(next.await, ReloadTrigger::Changed);
    }
    assert_eq!(start.elapsed(), Duration::from_secs(2));
    assert_eq!(watch.known, Some(vec![digest(&file)]));
}

#[tokio::test(start_paused = true)]
async fn a_named_file_that_is_never_stable_does_not_delay_the_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let (own, named) = (directory.path().join("own"), directory.path().join("named"));
    std::fs::write(&own, "one").unwrap();
    std::fs::write(&named, "").unwrap();
    let (mut watch, _request) = watch_file(&own);
    watch.follow(vec![own.clone(), named.clone()]);
    assert_eq!(watch.next(false).await, ReloadTrigger::Start);

    std::fs::write(&own, "stricter").unwrap();
    let rewritten = async {
        // Not at the time of a read, because a write begins by emptying the file.
        sleep(Duration::from_millis(50)).await;
        for content in 0_u64.. {
            std::fs::write(&named, content.to_string()).unwrap();
            sleep(Duration::from_millis(100)).await;
        }
    };
    let bound = Duration::from_secs(10);
    tokio::select! {
        trigger = tokio::time::timeout(bound, watch.next(false)) => {
            assert_eq!(trigger, Ok(ReloadTrigger::Changed));
        }
        () = rewritten => {}
    }
    assert_eq!(watch.known.as_ref().unwrap()[0], digest(&own));
}

#[tokio::test(start_paused = true)]
async fn a_configuration_written_again_while_it_is_loaded_must_become_stable_again() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("f");
    std::fs::write(&file, "one").unwrap();
    let (mut watch, _request) = watch_file(&file);
    watch.next(false).await;
    assert!(watch.is_unchanged().await);
    std::fs::write(&file, "half").unwrap();
    assert!(!watch.is_unchanged().await);
    watch.settle().await;
    assert!(watch.is_unchanged().await);
}

#[tokio::test(start_paused = true)]
async fn a_request_needs_no_change_and_a_rejected_configuration_is_tried_again() {
    let directory = tempfile::tempdir().unwrap();
    let (mut watch, request) = watch_file(&directory.path().join("none"));
    assert_eq!(watch.next(false).await, ReloadTrigger::Start);
    let start = tokio::time::Instant::now();
    request.send_replace(1);
    assert_eq!(watch.next(false).await, ReloadTrigger::Requested);
    assert_eq!(start.elapsed(), SETTLE_TIME);
    assert_eq!(watch.next(true).await, ReloadTrigger::Retry);
    assert!(start.elapsed() > Duration::from_secs(5));
    std::fs::write(directory.path().join("none"), "").unwrap();
    assert_eq!(watch.next(true).await, ReloadTrigger::Changed);
}

#[tokio::test]
async fn a_named_file_that_cannot_be_read_is_unchanged_and_does_not_delay_a_change_of_the_configuration()
 {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    for name in ["configuration", "ca", "certificate"] {
        std::fs::write(path(name), "one").unwrap();
    }
    let (_request, requests) = watch::channel(0);
    let mut watch = FileWatch::new(requests);
    watch.follow(["configuration", "ca", "certificate"].map(path).to_vec());
    assert_eq!(watch.next(false).await, ReloadTrigger::Start);

    let _hanging = ["ca", "certificate"].map(|name| HangingFile::new(&path(name)));
    std::fs::write(path("configuration"), "two").unwrap();
    let changed = tokio::time::timeout(Duration::from_secs(4), watch.next(false)).await;
    assert_eq!(changed.unwrap(), ReloadTrigger::Changed);
    watch.settle().await;
    let unchanged = tokio::time::timeout(Duration::from_secs(3), watch.next(false)).await;
    assert!(unchanged.is_err(), "{unchanged:?}");
}
