//! What `init` says to type next.

use std::fs;

use super::paths::api;
use super::people::browser;
use super::*;
use crate::cli::free_port::free_port_above;
use crate::cli::init::answers::NewConfig;

/// The secret in a file: a command in the configuration would have to be named in any case.
fn without_command() -> InitArgs {
    InitArgs {
        secret_command: None,
        secret_file: Some("/run/secrets/client_secret".into()),
        ..api()
    }
}

fn answered(flags: &InitArgs) -> NewConfig {
    let answers = parse::answers_in_flags(flags).ok().unwrap();
    answers.complete().unwrap()
}

#[test]
fn the_commands_to_type_next_are_quoted_for_the_shell() {
    let config = answered(&without_command());
    let path = Path::new("/my files/it's \"c\".toml");
    let nowhere = surroundings(Path::new("/nowhere"));
    let free = PortStates::FREE;
    for text in [
        writing::next_steps(&config, path, &nowhere, &free),
        writing::after_failure(path),
    ] {
        let line = text
            .lines()
            .find(|line| line.starts_with("  cupbearer"))
            .unwrap();
        let words = shlex::split(line).unwrap();
        assert_eq!(words.last().map(String::as_str), path.to_str(), "{text}");
    }
}

#[test]
fn a_taken_port_is_named_and_another_one_proposed() {
    let config = answered(&api());
    let path = Path::new("/c.toml");
    let nowhere = surroundings(Path::new("/nowhere"));
    let beside = |listen| PortStates {
        listen,
        free_admin: None,
    };
    let taken = beside(PortState::Taken {
        by: "127.0.0.1:6749 is used by another cupbearer (process 7)".to_owned(),
        free: 6753,
    });
    let text = writing::next_steps(&config, path, &nowhere, &taken);
    assert!(text.contains("another cupbearer (process 7)."), "{text}");
    assert!(
        text.contains("\n  cupbearer --config /c.toml --listen localhost:6753\n"),
        "{text}"
    );
    assert!(text.contains("to http://localhost:6753;"), "{text}");
    let runs = beside(PortState::RunsThis { free: 6753 });
    let text = writing::next_steps(&config, path, &nowhere, &runs);
    assert!(
        text.contains("already running: send the requests"),
        "{text}"
    );
    assert!(
        text.ends_with("\n  cupbearer --config /c.toml --listen localhost:6753"),
        "{text}"
    );
}

#[test]
fn beside_another_cupbearer_the_commands_name_a_port_of_the_admin_listener_too() {
    let config = answered(&browser("https://as.example.com/token", None));
    let path = Path::new("/c.toml");
    let nowhere = surroundings(Path::new("/nowhere"));
    let ports = PortStates {
        listen: PortState::Taken {
            by: "127.0.0.1:6749 is used by another cupbearer (process 7)".to_owned(),
            free: 6754,
        },
        free_admin: Some(6755),
    };
    let text = writing::next_steps(&config, path, &nowhere, &ports);
    let flags = "--config /c.toml --listen localhost:6754 --admin localhost:6755";
    for command in ["cupbearer", "cupbearer login"] {
        let line = format!("\n  {command} {flags}");
        assert!(text.contains(&line), "{text}");
    }
}

#[tokio::test]
async fn no_port_is_proposed_twice_nor_that_to_which_a_browser_returns() {
    let first = free_port_above(6749, &[]).unwrap();
    let second = free_port_above(6749, &[first]).unwrap();
    assert_ne!(first, second);
}

#[test]
fn the_command_to_type_next_names_the_file_where_a_variable_names_another() {
    let config = answered(&without_command());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cupbearer.toml");
    fs::write(&path, "").unwrap();
    let mut here = surroundings(directory.path());
    here.working_directory = directory.path().to_owned();
    let text = |here: &Surroundings| writing::next_steps(&config, &path, here, &PortStates::FREE);
    assert!(text(&here).contains("\n  cupbearer\n"), "{}", text(&here));
    here.variables = vec![("CUPBEARER_CONFIG".into(), "/elsewhere.toml".into())];
    assert!(
        text(&here).contains("\n  cupbearer --config "),
        "{}",
        text(&here)
    );
    here.variables = vec![("CUPBEARER_CONFIG".into(), path.clone().into())];
    assert!(text(&here).contains("\n  cupbearer\n"), "{}", text(&here));
}
