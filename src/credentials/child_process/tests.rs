use super::*;

#[test]
fn variables_of_the_configuration_and_of_the_service_manager_are_private() {
    assert!(is_private("CUPBEARER_TOKEN__CLIENT_SECRET".as_ref()));
    assert!(is_private("NOTIFY_SOCKET".as_ref()));
    assert!(is_private("WATCHDOG_USEC".as_ref()));
    assert!(is_private("LISTEN_FDS".as_ref()));
    assert!(!is_private("PATH".as_ref()));
    assert!(!is_private("CUPBEARER".as_ref()));
}

#[test]
fn a_variable_that_is_named_as_the_source_of_a_secret_is_withheld_from_every_program() {
    let name = "CARGO_PKG_DESCRIPTION"; // cargo sets it
    let is_removed = |command: &Command| {
        let changed = command.get_envs();
        changed
            .filter(|(_, value)| value.is_none())
            .any(|(removed, _)| removed == name)
    };
    let mut before = Command::new("program");
    withhold_private_variables(&mut before);
    assert!(!is_removed(&before));
    withhold_variable(name);
    let mut after = Command::new("program");
    withhold_private_variables(&mut after);
    assert!(is_removed(&after));
}

#[test]
fn a_variable_is_withheld_while_any_configuration_in_use_names_it() {
    let name = "CARGO_PKG_AUTHORS"; // cargo sets it
    let is_withheld = || is_private(name.as_ref());
    assert!(!is_withheld());
    let one = WithheldVariables::new(vec![name.to_owned()]);
    let other = WithheldVariables::new(vec![name.to_owned(), name.to_owned()]);
    assert!(is_withheld());
    drop(one);
    assert!(is_withheld());
    drop(other);
    assert!(!is_withheld());
}
