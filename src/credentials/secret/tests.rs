use super::*;

#[test]
fn a_secret_does_not_print_its_bytes() {
    let secret = Secret::new("hunter2");
    assert_eq!(format!("{secret:?}"), "Secret(..)");
    assert_eq!(format!("{:?}", Some(secret)), "Some(Secret(..))");
}
