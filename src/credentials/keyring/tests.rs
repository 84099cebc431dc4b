use super::*;

#[test]
fn what_windows_cannot_keep_is_an_error_before_it_is_stored() {
    let limit = Some(1280);
    assert!(check_length(&Secret::new("x".repeat(1280)), limit).is_ok());
    assert!(check_length(&Secret::new("x".repeat(5000)), None).is_ok());
    for long in ["x".repeat(1281), "𝕩".repeat(641)] {
        let error = check_length(&Secret::new(long), limit).unwrap_err();
        assert!(matches!(error, KeyringError::TooLong { limit: 1280 }));
        assert!(error.to_string().contains("1280 characters"), "{error}");
    }
}
