use super::*;

#[test]
fn a_full_house_refuses_until_somebody_leaves() {
    let admission = Admission::new(ActiveCount::default(), 1);
    let first = admission.enter().unwrap();
    assert!(matches!(
        admission.enter(),
        Err(ForwardError::Saturated { limit: 1 })
    ));
    drop(first);
    assert!(admission.enter().is_ok());
}
