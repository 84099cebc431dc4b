use super::*;

#[test]
fn a_certificate_in_use_goes_only_by_force_and_takes_its_hostnames_along() {
    let mut inventory = Inventory::seeded();
    assert!(matches!(
        inventory.delete_certificate("login", false),
        Err(Refused::Taken(_))
    ));
    assert_eq!(inventory.delete_certificate("login", true), Ok(()));
    assert!(inventory.hostnames().is_empty());
    assert!(matches!(
        inventory.delete_certificate("login", true),
        Err(Refused::Unknown(_))
    ));
}
