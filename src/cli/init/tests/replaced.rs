//! What `--force` may replace, and where the proxy may then listen.

use std::fs;

use super::paths::{api, assert_refused, snapshot};
use super::*;

#[cfg(unix)]
#[tokio::test]
async fn no_new_secret_replaces_a_file_that_the_command_of_the_secret_or_the_token_reads() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let script = at("print");
    fs::write(at("x.caller_key"), "the only copy").unwrap();
    fs::write(&script, format!("cat {}*", at("x.caller").display())).unwrap();
    let before = snapshot(directory.path());
    for command in [
        format!("cat {}", at("x.caller_key").display()),
        format!(
            "sh -c 'cd {} && cat x.caller_key'",
            directory.path().display()
        ),
        format!("sh {}", script.display()),
    ] {
        let usual = InitArgs {
            out: Some(at("x.toml")),
            caller_key: true,
            force: true,
            no_doctor: true,
            ..api()
        };
        let of_secret = InitArgs {
            secret_command: Some(command.clone()),
            ..usual.clone()
        };
        let mut of_token = InitArgs {
            token_endpoint: None,
            client_id: None,
            secret_command: None,
            ..usual
        };
        of_token.identity.token_command = Some(command.clone());
        for args in [of_secret, of_token] {
            let here = surroundings(directory.path());
            let done = from_flags(&args, &here, &mut Input(b"")).await;
            let Err(InitError::Usage(message)) = done else {
                panic!("{command}: not refused");
            };
            assert!(message.contains("x.caller_key"), "{command}: {message}");
            assert_eq!(snapshot(directory.path()), before, "{command}");
        }
    }
}

#[cfg(unix)]
#[tokio::test]
async fn the_proxy_cannot_listen_where_or_below_where_a_file_of_the_configuration_is() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::write(at("secret"), "s3cret").unwrap();
    for socket in [
        "c.toml",
        "c.toml/s",
        "c.client_secret",
        "c.client_secret/s",
        "c.caller_key",
        "./c.caller_key/s",
    ] {
        let args = InitArgs {
            out: Some(at("c.toml")),
            listen: Some(format!("unix:{}", at(socket).display())),
            secret_stdin: true,
            caller_key: true,
            no_doctor: true,
            ..api()
        };
        assert_refused(directory.path(), args, "is a file of the configuration").await;
    }
}
