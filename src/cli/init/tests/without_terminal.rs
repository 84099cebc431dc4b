//! What flags say without a terminal.

use super::*;
use crate::cli::init::identity::ClientAuthMethod;
use crate::config::keys;

#[test]
fn without_a_terminal_all_missing_or_invalid_flags_are_reported_at_once() {
    let missing = usage(&InitArgs::default());
    for flag in [
        "--upstream",
        "--token-endpoint",
        "--client-id",
        "--secret-file",
        "--secret-command",
    ] {
        assert!(missing.contains(flag), "{flag}: {missing}");
    }
    let wrong = usage(&InitArgs {
        upstream: Some("docs".to_owned()),
        listen: Some("nowhere".to_owned()),
        client_id: Some("x".to_owned()),
        ..flags("")
    });
    let nowhere = usage(&InitArgs {
        secret_command: None,
        secret_file: Some("/nonexist".into()),
        no_doctor: false,
        ..flags("https://api.example.com")
    });
    assert!(
        nowhere.contains("--secret-file: the secret's file /nonexist cannot be read"),
        "{nowhere}"
    );
    assert!(
        missing.contains(
            "these are missing: --upstream, --token-endpoint, --client-id, one of --secret-file"
        ),
        "{missing}"
    );
    for flag in ["--upstream", "--client-id", "--listen"] {
        assert!(wrong.contains(flag), "{flag}: {wrong}");
    }
}

#[test]
fn a_production_api_is_read_only_unless_a_flag_says_otherwise() {
    let production = "https://self-service-api.prod-example.us1.ping.cloud/docs";
    let is_read_only = |flags: &InitArgs| text_of(flags).contains("\nread_only = true");
    assert!(is_read_only(&flags(production)));
    assert!(!is_read_only(&flags(
        "https://self-service-api.dev-example.us1.ping.cloud"
    )));
    assert!(!is_read_only(&InitArgs {
        read_only: Some(false),
        ..flags(production)
    }));
}

#[test]
fn a_pingaccess_api_gets_its_fixed_header_and_every_flag_sets_its_key() {
    let text = text_of(&InitArgs {
        auth: Some(ClientAuthMethod::Post),
        scope: Some("a b".to_owned()),
        listen: Some("localhost:9000".to_owned()),
        ..flags("https://pingaccess-admin-api.dev-example.us1.ping.cloud/pa-admin-api/v3")
    });
    for line in [
        "listen = \"localhost:9000\"",
        "url = \"https://pingaccess-admin-api.dev-example.us1.ping.cloud\"",
        "headers = { X-XSRF-Header = \"PingAccess\" }",
        "auth = \"client_secret_post\"",
        "scope = \"a b\"",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    // Each value has the description of its key above it.
    let help = keys::find("token.auth").unwrap().help;
    assert!(text.contains(&format!("# {help}\nauth = ")), "{text}");
}

#[test]
fn a_command_is_read_as_in_a_shell_or_as_a_toml_list() {
    let words = |text: &str| flag_values::command(text).ok();
    let expected = Some(["op", "read", "a b"].map(str::to_owned).to_vec());
    assert_eq!(words(" op read 'a b' "), expected);
    assert_eq!(words("[\"op\", \"read\", \"a b\"]"), expected);
    for wrong in ["", "'", "[", "[1]", "[]"] {
        assert_eq!(words(wrong), None, "{wrong}");
    }
}
