//! Configurations without a secret: a command that prints tokens, and an assertion that something else issues.

use super::{flags, talk, text_of, usage};
use crate::cli::exit::Exit;
use crate::cli::init::args::InitArgs;
use crate::cli::init::port::PortState;
use crate::cli::init::{parse, writing};
use crate::config::{Overrides, Surroundings, TokenOrigin, TokenPlace, load_text};

fn with_token_command() -> InitArgs {
    InitArgs {
        upstream: Some("https://api.example.com/docs".to_owned()),
        token_command: Some("gcloud config config-helper --format json".to_owned()),
        no_doctor: true,
        ..InitArgs::default()
    }
}

fn load(text: &str) -> crate::config::Config {
    let loaded = load_text(text, &Overrides::default(), &Surroundings::default());
    loaded
        .unwrap_or_else(|problems| panic!("{problems}"))
        .config
}

#[test]
fn a_token_command_takes_the_place_of_the_authorization_server_and_the_client() {
    let text = text_of(&with_token_command());
    let config = load(&text);
    let words = ["gcloud", "config", "config-helper", "--format", "json"];
    assert!(matches!(
        &config.token.origin,
        TokenOrigin::Source(source) if matches!(&source.place, TokenPlace::Command(named) if *named == words)
    ));
    assert!(
        !text.contains("client_id") && !text.contains("scope ="),
        "{text}"
    );

    let missing = usage(&InitArgs {
        upstream: None,
        ..with_token_command()
    });
    assert!(
        missing.contains("--upstream") && !missing.contains("--client-id"),
        "{missing}"
    );
}

#[test]
fn the_next_step_names_a_file_in_the_working_directory_if_it_has_a_command() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cupbearer.toml");
    let next = |args: &InitArgs| {
        let answers = parse::answers_in_flags(args).ok().unwrap();
        let config = answers.complete().unwrap();
        std::fs::write(&path, "").unwrap();
        let here = Surroundings {
            working_directory: directory.path().to_owned(),
            ..Surroundings::default()
        };
        writing::next_steps(&config, &path, &here, &PortState::Free)
    };
    assert!(next(&with_token_command()).contains("cupbearer --config "));
    let with_file = InitArgs {
        secret_command: None,
        secret_file: Some(path.clone()),
        ..flags("https://api.example.com")
    };
    assert!(!next(&with_file).contains("--config"));
}

#[test]
fn an_assertion_that_something_else_renews_takes_the_place_of_the_secret() {
    let text = text_of(&InitArgs {
        secret_command: None,
        client_assertion_file: Some("/var/run/secrets/tokens/cupbearer".into()),
        ..flags("https://api.example.com")
    });
    let config = load(&text);
    let grant = config.token.grant().unwrap();
    assert_eq!(grant.credential_key(), "token.client_assertion");
    assert!(text.contains("auth = \"client_assertion\""), "{text}");
    assert!(!text.contains("client_secret ="), "{text}");
}

#[tokio::test]
async fn on_a_terminal_only_what_the_flags_leave_open_is_asked() {
    let directory = tempfile::tempdir().unwrap();
    let args = InitArgs {
        upstream: None,
        out: Some(directory.path().join("c.toml")),
        ..with_token_command()
    };
    let (done, seen) = talk(&args, directory.path(), &["https://api.example.com"]).await;
    assert!(matches!(done, Ok(Exit::Fine)), "{seen}");
    assert!(!seen.contains("authorization server"), "{seen}");
    let written = std::fs::read_to_string(directory.path().join("c.toml")).unwrap();
    assert!(written.contains("[\"gcloud\""), "{written}");

    let args = InitArgs {
        secret_command: None,
        client_assertion_file: Some("/var/run/secrets/tokens/cupbearer".into()),
        out: Some(directory.path().join("d.toml")),
        ..flags("https://api.example.com")
    };
    let (done, seen) = talk(&args, directory.path(), &[]).await;
    assert!(matches!(done, Ok(Exit::Fine)), "{seen}");
    assert!(!seen.contains("Authentication Method"), "{seen}");
}
