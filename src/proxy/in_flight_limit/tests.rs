use super::*;

#[test]
fn requests_are_rejected_at_the_limit_until_a_slot_is_released() {
    let limit = InFlightLimit::new(ActiveCount::default(), 1);
    let first = limit.acquire().unwrap();
    let refused = limit.acquire().err().unwrap();
    assert_eq!(
        refused.to_string(),
        "1 request in flight (limits.in_flight)"
    );
    drop(first);
    assert!(limit.acquire().is_ok());
}
