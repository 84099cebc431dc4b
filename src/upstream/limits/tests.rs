use std::future::poll_fn;

use super::*;

const HEAD: Duration = Duration::from_secs(4);
const STALL: Duration = Duration::from_secs(1);

/// Waits for a response that never comes, on a connection with this timer: how long it took, and the error.
async fn wait(timer: &mut HeadTimer, upload: Option<&UploadProgress>) -> (Duration, SendError) {
    let start = Instant::now();
    let deadline = HeadDeadline {
        start,
        head_timeout: HEAD,
        stall_timeout: STALL,
        upload,
    };
    deadline.arm(timer);
    let error = poll_fn(|cx| deadline.poll(timer, cx)).await;
    (start.elapsed(), error)
}

#[tokio::test(start_paused = true)]
async fn a_timer_set_by_an_earlier_exchange_neither_shortens_nor_lengthens_the_next_wait() {
    for left in [Duration::ZERO, HEAD / 4, HEAD] {
        let mut timer = Some(Box::pin(sleep_until(Instant::now() + left)));
        let (after, error) = wait(&mut timer, None).await;
        assert_eq!(after, HEAD, "{left:?} left");
        assert!(matches!(error, SendError::HeadTimeout { .. }));
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stalls_is_noticed_although_the_timer_was_set_for_longer() {
    let mut timer = Some(Box::pin(sleep_until(Instant::now() + HEAD)));
    let upload = UploadProgress::waiting_for_client();
    let (after, error) = wait(&mut timer, Some(&upload)).await;
    assert_eq!(after, STALL);
    assert!(matches!(error, SendError::CallerStalled { .. }));
}
