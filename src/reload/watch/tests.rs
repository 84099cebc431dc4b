use super::*;

fn watch_of(file: &Path) -> (Watch, watch::Sender<u64>) {
    let (ask, asked) = watch::channel(0);
    let mut watch = Watch::new(asked);
    watch.follow(vec![file.to_owned()]);
    (watch, ask)
}

#[tokio::test(start_paused = true)]
async fn a_file_counts_once_two_reads_half_a_second_apart_are_equal() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("f");
    std::fs::write(&file, "one").unwrap();
    let (mut watch, _ask) = watch_of(&file);
    assert_eq!(watch.next(false).await, Occasion::First);

    std::fs::write(&file, "half").unwrap();
    let start = tokio::time::Instant::now();
    {
        let next = watch.next(false);
        tokio::pin!(next);
        // It has seen the half, and is waiting for it to settle.
        for _ in 0..3 {
            let early = tokio::time::timeout(Duration::from_millis(400), &mut next).await;
            assert!(early.is_err());
        }
        std::fs::write(&file, "half and half").unwrap();
        assert_eq!(next.await, Occasion::Changed);
    }
    assert_eq!(start.elapsed(), Duration::from_secs(2));
    assert_eq!(watch.known, Some(vec![read(&file)]));
}

#[tokio::test(start_paused = true)]
async fn a_named_file_that_never_settles_does_not_hold_back_the_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let (own, named) = (directory.path().join("own"), directory.path().join("named"));
    std::fs::write(&own, "one").unwrap();
    std::fs::write(&named, "").unwrap();
    let (mut watch, _ask) = watch_of(&own);
    watch.follow(vec![own.clone(), named.clone()]);
    assert_eq!(watch.next(false).await, Occasion::First);

    std::fs::write(&own, "stricter").unwrap();
    let rewritten = async {
        // Never while it is being read: a write begins with an empty file.
        sleep(Duration::from_millis(50)).await;
        for content in 0_u64.. {
            std::fs::write(&named, content.to_string()).unwrap();
            sleep(Duration::from_millis(100)).await;
        }
    };
    let bound = Duration::from_secs(10);
    tokio::select! {
        occasion = tokio::time::timeout(bound, watch.next(false)) => {
            assert_eq!(occasion, Ok(Occasion::Changed));
        }
        () = rewritten => {}
    }
    assert_eq!(watch.known.as_ref().unwrap()[0], read(&own));
}

#[tokio::test(start_paused = true)]
async fn a_configuration_that_is_written_again_while_it_is_loaded_has_to_settle_again() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("f");
    std::fs::write(&file, "one").unwrap();
    let (mut watch, _ask) = watch_of(&file);
    watch.next(false).await;
    assert!(watch.is_still().await);
    std::fs::write(&file, "half").unwrap();
    assert!(!watch.is_still().await);
    watch.settle().await;
    assert!(watch.is_still().await);
}

#[tokio::test(start_paused = true)]
async fn who_asks_is_answered_without_a_change_and_what_was_refused_is_tried_again() {
    let directory = tempfile::tempdir().unwrap();
    let (mut watch, ask) = watch_of(&directory.path().join("none"));
    assert_eq!(watch.next(false).await, Occasion::First);
    let start = tokio::time::Instant::now();
    ask.send_replace(1);
    assert_eq!(watch.next(false).await, Occasion::Asked);
    assert_eq!(start.elapsed(), SETTLE);
    assert_eq!(watch.next(true).await, Occasion::Again);
    assert!(start.elapsed() > Duration::from_secs(5));
    std::fs::write(directory.path().join("none"), "").unwrap();
    assert_eq!(watch.next(true).await, Occasion::Changed);
}
