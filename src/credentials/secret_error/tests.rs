use super::*;

#[test]
fn every_error_of_a_keyring_names_the_entry_and_has_a_remedy() {
    let entry = KeyringEntry::parse("cupbearer/a/b c").unwrap();
    let limit = Duration::from_secs(5);
    for (source, words) in [
        (KeyringError::NotBuilt, "{ file = "),
        (KeyringError::Absent, "{ command = ["),
        (KeyringError::Locked, "unlock it"),
        (KeyringError::TimedOut { limit }, "{ env = "),
        (KeyringError::NoEntry, "store it: "),
    ] {
        let entry = entry.clone();
        let error = SecretError::Keyring { entry, source };
        assert!(error.remedy().contains(words), "{}", error.remedy());
        let start = "the keyring's entry cupbearer/a/b c cannot be read: ";
        let message = error.in_full();
        assert!(message.starts_with(start), "{message}");
    }
}
