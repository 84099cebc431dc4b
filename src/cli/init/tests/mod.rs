//! Tests of `init`, with a script in place of a terminal.

mod identities;
mod next_steps;
mod paths;
mod people;
mod refused_flags;
mod replaced;
mod rounds;
mod validity;
mod without_terminal;

use std::collections::VecDeque;
use std::io;

use super::answers::Answers;
use super::*;
use crate::credentials::Secret;

const ID: &str = "0123abcd-4567-89ab-cdef-0123456789ab";
const CLIENT: &str = "11111111-4567-89ab-cdef-0123456789ab";
const SECRET: &str = "s3cret-that-was-typed";

/// Gives these answers in order, whether they are hidden or not, and then ends the input.
struct Script {
    answers: VecDeque<&'static str>,
    seen: String,
}

impl Script {
    fn new(answers: &[&'static str]) -> Self {
        Self {
            answers: answers.iter().copied().collect(),
            seen: String::new(),
        }
    }
}

impl Dialogue for Script {
    fn show(&mut self, text: &str) {
        self.seen.push_str(text);
        self.seen.push('\n');
    }

    fn read_line(&mut self, prompt: &str) -> io::Result<Option<String>> {
        self.seen.push_str(prompt);
        let answer = self.answers.pop_front();
        self.seen.push_str(answer.unwrap_or("(end)"));
        self.seen.push('\n');
        Ok(answer.map(str::to_owned))
    }

    fn read_hidden(&mut self, prompt: &str) -> io::Result<Option<Secret>> {
        self.show(prompt);
        Ok(self.answers.pop_front().map(Secret::new))
    }
}

fn surroundings(directory: &Path) -> Surroundings {
    Surroundings {
        working_directory: directory.join("elsewhere"),
        user_configuration: Some(directory.to_owned()),
        ..Surroundings::default()
    }
}

async fn talk(
    args: &InitArgs,
    directory: &Path,
    answers: &[&'static str],
) -> (Result<Exit, InitError>, String) {
    let mut script = Script::new(answers);
    let done = interactive(args, &surroundings(directory), &mut script).await;
    assert!(
        script.answers.is_empty(),
        "not asked for: {:?}\n{}",
        script.answers,
        script.seen
    );
    (done, script.seen)
}

fn is_fine(done: &Result<Exit, InitError>) -> bool {
    matches!(done, Ok(Exit::Fine))
}

fn flags(upstream: &str) -> InitArgs {
    InitArgs {
        upstream: Some(upstream.to_owned()),
        token_endpoint: Some(format!("https://auth.pingone.eu/{ID}/as/token")),
        client_id: Some(CLIENT.to_owned()),
        secret_command: Some("printf %s 'a b'".to_owned()),
        no_doctor: true,
        ..InitArgs::default()
    }
}

fn with_secret_by_stdin(directory: &Path) -> InitArgs {
    InitArgs {
        secret_command: None,
        secret_stdin: true,
        out: Some(directory.join("c.toml")),
        ..flags("https://api.example.com")
    }
}

fn usage(flags: &InitArgs) -> String {
    let config = parse::answers_in_flags(flags)
        .and_then(|answers| answers.complete().map_err(InitError::Usage));
    match config {
        Err(InitError::Usage(message)) => message,
        Err(InitError::Failed(_) | InitError::Abandoned | InitError::AbandonedAfter(_)) | Ok(_) => {
            panic!("not a usage error")
        }
    }
}

fn text_of(flags: &InitArgs) -> String {
    let Ok(config) = parse::answers_in_flags(flags)
        .and_then(|answers| answers.complete().map_err(InitError::Usage))
    else {
        panic!("not complete: {}", usage(flags));
    };
    document::text(&config, Path::new("c.toml"))
}

#[tokio::test]
async fn pastes_become_a_configuration_and_a_secret_file() {
    let directory = tempfile::tempdir().unwrap();
    let args = InitArgs {
        no_doctor: true,
        ..InitArgs::default()
    };
    let (done, seen) = talk(
        &args,
        directory.path(),
        &[
            "",
            "docs",
            "https://self-service-api.dev-example.us1.ping.cloud/docs#/certificates",
            "Token Endpoint https://auth.pingone.eu/0123abcd-4567-89ab-cdef-0123456789ab/as/token",
            ID,
            CLIENT,
            "",
            "1",
            CLIENT,
            SECRET,
            "",
        ],
    )
    .await;

    assert!(is_fine(&done), "{seen}");
    let file = directory.path().join("cupbearer").join("config.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let secret = directory
        .path()
        .join("cupbearer")
        .join("config.client_secret");
    assert_eq!(std::fs::read_to_string(&secret).unwrap(), SECRET);
    for line in [
        "url = \"https://self-service-api.dev-example.us1.ping.cloud\"".to_owned(),
        "pingone.region = \"eu\"".to_owned(),
        format!("pingone.environment_id = \"{ID}\""),
        format!("client_id = \"{CLIENT}\""),
        format!(
            "client_secret = {{ file = {:?} }}",
            secret.display().to_string()
        ),
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    for message in [
        "is not an address",
        "environment's id",
        "this is the client id",
        "region eu",
    ] {
        assert!(seen.contains(message), "{message}\n{seen}");
    }
    assert!(!seen.contains(SECRET) && !text.contains(SECRET));
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_can_read_the_secret_file_even_if_a_link_was_in_its_place() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("c.toml");
    let secret = directory.path().join("c.client_secret");
    let elsewhere = directory.path().join("elsewhere-file");
    std::fs::write(&elsewhere, "kept").unwrap();
    std::os::unix::fs::symlink(&elsewhere, &secret).unwrap();
    let args = InitArgs {
        secret_command: None,
        out: Some(out),
        force: true,
        ..flags("https://api.example.com")
    };

    let (done, seen) = talk(&args, directory.path(), &["", "", SECRET]).await;

    assert!(is_fine(&done), "{seen}");
    assert_eq!(std::fs::read_to_string(&elsewhere).unwrap(), "kept");
    let metadata = std::fs::symlink_metadata(&secret).unwrap();
    assert!(metadata.is_file());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().collect();
    assert_eq!(left.len(), 3, "{left:?}");
}

#[tokio::test]
async fn an_existing_file_is_overwritten_only_after_a_yes() {
    let directory = tempfile::tempdir().unwrap();
    let (old, new) = (directory.path().join("old.toml"), "new.toml");
    std::fs::write(&old, "kept").unwrap();
    let args = InitArgs {
        out: Some(old.clone()),
        ..flags("https://api.example.com")
    };

    let (abandoned, _) = talk(&args, directory.path(), &["", "no"]).await;
    assert!(matches!(abandoned, Err(InitError::Abandoned)));
    assert_eq!(std::fs::read_to_string(&old).unwrap(), "kept");
    assert!(!directory.path().join(new).exists());

    let (done, seen) = talk(&args, directory.path(), &["", "yes"]).await;
    assert!(is_fine(&done), "{seen}");
    assert!(
        std::fs::read_to_string(&old)
            .unwrap()
            .contains("api.example.com")
    );
}

#[tokio::test]
async fn without_a_terminal_an_existing_file_is_kept_unless_forced() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("c.toml");
    std::fs::write(&out, "kept").unwrap();
    let mut args = InitArgs {
        out: Some(out.clone()),
        ..flags("https://api.example.com")
    };

    let refused = from_flags(&args, &surroundings(directory.path()), &mut Input(b"")).await;
    assert!(matches!(refused, Err(InitError::Failed(message)) if message.contains("--force")));
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "kept");

    args.force = true;
    assert!(is_fine(
        &from_flags(&args, &surroundings(directory.path()), &mut Input(b"")).await
    ));
    assert!(
        std::fs::read_to_string(&out)
            .unwrap()
            .contains("command = [\"printf\", \"%s\", \"a b\"]")
    );
}

#[tokio::test]
async fn after_a_failed_check_the_questions_are_asked_again_with_the_answers_as_defaults() {
    let directory = tempfile::tempdir().unwrap();
    let args = InitArgs {
        out: Some(directory.path().join("c.toml")),
        ..InitArgs::default()
    };
    // Nothing listens on port 1 of loopback.
    let first = [
        "",
        "http://127.0.0.1:1/docs",
        "http://127.0.0.1:1/token",
        "no",
        "",
        "",
        "yes",
        "id",
        "",
        "",
        "not a choice",
    ];
    let command = if keyring::find("id").await.is_some() {
        "3"
    } else {
        "2"
    };
    let again = [
        command, "false", "yes", "", "", "", "yes", "other", "", "", "", "printf x", "",
    ];
    let (done, seen) = talk(
        &args,
        directory.path(),
        &[first.as_slice(), &again].concat(),
    )
    .await;

    assert!(matches!(done, Ok(Exit::Unreachable)), "{seen}");
    assert!(seen.contains("[http://127.0.0.1:1/token]"), "{seen}");
    assert!(seen.contains("The configuration has been kept."), "{seen}");
    let text = std::fs::read_to_string(directory.path().join("c.toml")).unwrap();
    assert!(
        text.contains("client_id = \"other\"") && text.contains("[\"printf\", \"x\"]"),
        "{text}"
    );
}

#[tokio::test]
async fn a_typed_secret_need_not_be_typed_again() {
    let mut answers = Answers {
        secret: AnswerSlot::Default(SecretLocation::NewFile(Secret::new(SECRET))),
        ..parse::answers_in_flags(&flags("https://api.example.com"))
            .ok()
            .unwrap()
    };
    let mut script = Script::new(&["", "", ""]);
    let config = questions::interview(&mut script, &mut answers, &Overwritable::default(), None)
        .await
        .ok()
        .unwrap();
    assert!(
        matches!(config.identity.secret(), Some(SecretLocation::NewFile(secret)) if secret.expose() == SECRET.as_bytes())
    );
}

/// Standard input that is not a terminal.
struct Input(&'static [u8]);

impl io::Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl StandardInput for Input {
    fn is_terminal(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn a_secret_from_standard_input_is_stored_in_a_file_but_a_typical_mistake_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let args = with_secret_by_stdin(directory.path());
    let here = surroundings(directory.path());

    let mistake = from_flags(&args, &here, &mut Input(CLIENT.as_bytes())).await;
    assert!(
        matches!(mistake, Err(InitError::Usage(message)) if message.contains("this is the client id"))
    );
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);

    let done = from_flags(&args, &here, &mut Input(b"s3cret-that-was-typed\n")).await;
    assert!(is_fine(&done));
    let secret = std::fs::read(directory.path().join("c.client_secret")).unwrap();
    assert_eq!(secret, SECRET.as_bytes());
}

#[tokio::test]
async fn ending_the_input_early_leaves_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let (abandoned, _) = talk(
        &InitArgs::default(),
        directory.path(),
        &["https://api.example.com"],
    )
    .await;
    assert!(matches!(abandoned, Err(InitError::Abandoned)));
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}
