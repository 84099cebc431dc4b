use super::*;

#[test]
fn a_certificate_in_use_is_deleted_only_by_force_and_together_with_its_hostnames() {
    let mut inventory = Inventory::seeded();
    assert!(matches!(
        inventory.delete_certificate("login", false),
        Err(InventoryError::Conflict(_))
    ));
    assert_eq!(inventory.delete_certificate("login", true), Ok(()));
    assert!(inventory.hostnames().is_empty());
    assert!(matches!(
        inventory.delete_certificate("login", true),
        Err(InventoryError::NotFound(_))
    ));
}
