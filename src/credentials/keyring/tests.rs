use super::*;

#[test]
fn what_windows_cannot_keep_is_an_error_before_it_is_stored() {
    let limit = Some(1280);
    assert!(check_length(&Secret::new("x".repeat(1280)), limit).is_ok());
    assert!(check_length(&Secret::new("x".repeat(5000)), None).is_ok());
    for long in ["x".repeat(1281), "𝕩".repeat(641)] {
        let error = check_length(&Secret::new(long), limit).unwrap_err();
        assert!(matches!(error, KeyringError::TooLong { limit: 1280 }));
        assert!(error.to_string().contains("1280 characters"), "{error}");
    }
}

#[tokio::test]
async fn a_call_that_has_timed_out_holds_the_lock_until_it_ends() {
    let lock = std::sync::Arc::new(());
    let held = std::sync::Arc::downgrade(&lock);
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let call = move || {
        ended
            .recv()
            .map_err(|error| KeyringError::Failed(error.into()))
    };
    let outcome = holding(lock, Duration::from_millis(20), call).await;
    assert!(matches!(outcome, Err(KeyringError::TimedOut { .. })));
    assert!(held.upgrade().is_some(), "another process could write now");
    end.send(()).unwrap();
    while held.upgrade().is_some() {
        tokio::task::yield_now().await;
    }
}
