use super::*;

#[tokio::test]
async fn one_at_a_time_holds_it_and_a_file_that_is_left_over_locks_nobody_out() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.lock");
    let limit = Duration::from_millis(100);
    let held = LockFile::acquire(&path, limit).await.unwrap();
    let second = LockFile::acquire(&path, limit).await;
    assert!(matches!(second, Err(PrivateFileError::Busy { .. })));
    let waiting = tokio::spawn({
        let path = path.clone();
        async move {
            LockFile::acquire(&path, Duration::from_secs(10))
                .await
                .map(drop)
        }
    });
    drop(held);
    waiting.await.unwrap().unwrap();
    assert!(path.exists());
    drop(LockFile::acquire(&path, limit).await.unwrap());
}
