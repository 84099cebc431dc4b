use super::*;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn no_idle_time_is_avoided_before_an_idle_connection_was_closed() {
    let estimate = IdleTimeoutEstimate::unknown();
    estimate.observe_open(SECOND);
    assert!(estimate.expects_open(50 * SECOND));
}

#[test]
fn after_a_close_the_last_tenth_before_it_is_avoided() {
    let estimate = IdleTimeoutEstimate::unknown();
    estimate.observe_closed(5 * SECOND);
    assert!(estimate.expects_open(SECOND * 44 / 10));
    assert!(!estimate.expects_open(SECOND * 46 / 10));
}

#[test]
fn a_connection_that_survives_longer_than_the_estimate_raises_it() {
    let estimate = IdleTimeoutEstimate::unknown();
    estimate.observe_closed(SECOND); // a restart of the upstream
    estimate.observe_open(20 * SECOND);
    assert!(estimate.expects_open(15 * SECOND));
}

#[test]
fn a_close_right_after_a_response_does_not_change_the_estimate() {
    let estimate = IdleTimeoutEstimate::unknown();
    estimate.observe_closed(Duration::from_millis(1));
    assert!(estimate.expects_open(SECOND));
}
