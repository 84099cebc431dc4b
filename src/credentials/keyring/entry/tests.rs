use super::*;

#[test]
fn an_entry_is_a_service_and_an_account_that_may_contain_slashes() {
    let entry = KeyringEntry::parse("cupbearer/a/b c").unwrap();
    assert_eq!(entry.to_string(), "cupbearer/a/b c");
    for text in ["cupbearer", "/name", "cupbearer/", "/", ""] {
        assert_eq!(KeyringEntry::parse(text), None, "{text}");
    }
}
