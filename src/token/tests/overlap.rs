//! How many requests run at once while the endpoint does not respond.

use tokio::time::sleep;

use super::scene::{Scene, grant, ms, s, timed_out};

#[tokio::test(start_paused = true)]
async fn while_a_token_is_usable_a_slow_endpoint_gets_one_request_at_a_time() {
    let scene = Scene::with_source(false, |number, _| {
        let latency = if number == 1 { ms(10) } else { s(9) };
        (latency, grant(s(60)))
    });
    while scene.attempts() < 2 {
        sleep(ms(100)).await;
    }
    sleep(s(8)).await;
    assert!(scene.tokens.usable().is_some());
    assert_eq!(scene.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn without_a_token_at_most_three_requests_run_at_once() {
    let scene = Scene::with_source(false, |_, _| (s(30), timed_out()));
    sleep(s(29)).await;
    assert_eq!(scene.attempt_times(), [s(0), s(4), s(8)]);
}
