use super::*;

#[test]
fn variables_of_the_configuration_and_of_the_service_manager_are_private() {
    assert!(is_private("CUPBEARER_TOKEN__CLIENT_SECRET".as_ref()));
    assert!(is_private("NOTIFY_SOCKET".as_ref()));
    assert!(is_private("WATCHDOG_USEC".as_ref()));
    assert!(!is_private("PATH".as_ref()));
    assert!(!is_private("CUPBEARER".as_ref()));
}
