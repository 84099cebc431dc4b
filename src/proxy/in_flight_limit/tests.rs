use super::*;

#[test]
fn requests_are_rejected_at_the_limit_until_a_slot_is_released() {
    let limit = InFlightLimit::new(ActiveCount::default(), 1);
    let first = limit.acquire().unwrap();
    assert!(matches!(limit.acquire(), Err(TooManyInFlight { limit: 1 })));
    drop(first);
    assert!(limit.acquire().is_ok());
}
