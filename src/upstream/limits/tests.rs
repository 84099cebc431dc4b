use std::future::poll_fn;

use super::*;

const HEAD: Duration = Duration::from_secs(4);
const STALL: Duration = Duration::from_secs(1);

/// One exchange without an answer, on a connection with this alarm: when it is given up, and why.
async fn waited(alarm: &mut Alarm, pace: Option<&Pace>) -> (Duration, SendError) {
    let start = Instant::now();
    let limit = HeadLimit {
        start,
        head: HEAD,
        stall: STALL,
        pace,
    };
    limit.arm(alarm);
    let error = poll_fn(|cx| limit.poll(alarm, cx)).await;
    (start.elapsed(), error)
}

#[tokio::test(start_paused = true)]
async fn an_alarm_that_an_earlier_exchange_has_set_neither_shortens_nor_lengthens_the_next_wait() {
    for left in [Duration::ZERO, HEAD / 4, HEAD] {
        let mut alarm = Some(Box::pin(sleep_until(Instant::now() + left)));
        let (after, error) = waited(&mut alarm, None).await;
        assert_eq!(after, HEAD, "{left:?} left");
        assert!(matches!(error, SendError::HeadTimeout { .. }));
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_stalls_is_seen_although_the_alarm_was_set_for_longer() {
    let mut alarm = Some(Box::pin(sleep_until(Instant::now() + HEAD)));
    let pace = Pace::starved();
    let (after, error) = waited(&mut alarm, Some(&pace)).await;
    assert_eq!(after, STALL);
    assert!(matches!(error, SendError::CallerStalled { .. }));
}
