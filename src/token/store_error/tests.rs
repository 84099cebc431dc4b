use super::*;

#[test]
fn a_refresh_token_that_is_too_long_for_the_keyring_names_the_file_instead() {
    let error = StoreError::Keyring {
        entry: KeyringEntry::parse("cupbearer/login-1").unwrap(),
        source: KeyringError::TooLong { limit: 1280 },
    };
    let text = error.chain();
    assert!(text.contains("at most 1280 characters"), "{text}");
    assert!(text.contains("set token.store to { file = "), "{text}");
}
