use super::*;

#[test]
fn requests_are_rejected_at_the_limit_until_a_slot_is_released() {
    let admission = Admission::new(ActiveCount::default(), 1);
    let first = admission.enter().unwrap();
    assert!(matches!(
        admission.enter(),
        Err(TooManyInFlight { limit: 1 })
    ));
    drop(first);
    assert!(admission.enter().is_ok());
}
