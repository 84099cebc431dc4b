//! What another round of questions takes over from the one before it, and what it may overwrite.

use std::path::Path;

use super::people::{ADVANCED_SERVICES, API, browser};
use super::*;
use crate::credentials::KeyringEntry;

/// Answers to the questions about a machine's secret, in a session without a keyring or with one.
const MISSING_SECRET: [&str; 2] = [
    "a command prints it, such as: op read op://vault/item/field",
    "false",
];
const ID_OF_MACHINE: &str = "22222222-4567-89ab-cdef-0123456789ab";

#[tokio::test]
async fn another_round_asks_about_a_file_that_the_first_one_did_not_write() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("c.toml");
    let foreign = directory.path().join("c.client_secret");
    std::fs::write(&foreign, "kept").unwrap();
    let args = InitArgs {
        out: Some(out.clone()),
        ..InitArgs::default()
    };
    // Nothing listens on port 1 of loopback.
    let addresses = [
        "",
        "http://127.0.0.1:1/docs",
        "http://127.0.0.1:1/token",
        "yes",
    ];
    let command = if keyring::find("id").await.is_some() {
        "3"
    } else {
        "2"
    };
    let first = ["id", "", "", command, "false", "yes"];
    let other = directory.path().join("other.toml").display().to_string();
    // The answers of a script are static.
    let other: &'static str = other.leak();
    let second = [
        "", "", "", "yes", "", "", "", "1", SECRET, "no", other, "yes",
    ];
    // Enter keeps the secret. Files that this run has written are overwritten without asking.
    let third = ["", "", "", "yes", "", "", "", "", "", "no"];
    let (done, seen) = talk(
        &args,
        directory.path(),
        &[&addresses[..], &first, &second, &third].concat(),
    )
    .await;

    assert!(matches!(done, Ok(Exit::Unreachable)), "{seen}");
    let asked = format!("\n{} already exists. Overwrite it?", foreign.display());
    assert_eq!(seen.matches("Overwrite it?").count(), 1, "{seen}");
    assert!(seen.contains(&asked), "{seen}");
    assert_eq!(std::fs::read_to_string(&foreign).unwrap(), "kept");
    let own = directory.path().join("other.client_secret");
    assert_eq!(std::fs::read_to_string(own).unwrap(), SECRET);

    // Who ends the second round learns what the first one has written.
    let (ended, _) = talk(
        &InitArgs {
            out: Some(directory.path().join("ended.toml")),
            ..args
        },
        directory.path(),
        &[&addresses[..], &first].concat(),
    )
    .await;
    let written = directory.path().join("ended.toml");
    assert!(matches!(ended, Err(InitError::AbandonedAfter(path)) if path == written));
    assert!(written.exists());
}

#[tokio::test]
async fn a_secret_from_standard_input_is_not_overwritten_with_the_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("secret");
    std::fs::write(&file, SECRET).unwrap();
    let args = InitArgs {
        out: Some(file.clone()),
        force: true,
        ..with_secret_by_stdin(directory.path())
    };
    let here = surroundings(directory.path());
    let refused = from_flags(&args, &here, &mut Input(SECRET.as_bytes())).await;
    assert!(matches!(refused, Err(InitError::Usage(said)) if said.contains("contains the secret")));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), SECRET);

    // The same secret replaces itself in the file of an earlier run.
    let args = InitArgs {
        force: true,
        ..with_secret_by_stdin(directory.path())
    };
    for _ in 0..2 {
        assert!(is_fine(
            &from_flags(&args, &here, &mut Input(SECRET.as_bytes())).await
        ));
    }
}

#[test]
fn an_entry_of_the_keyring_may_be_replaced_only_after_this_run_has_written_it() {
    let entry = |text| KeyringEntry::parse(text).unwrap();
    let config = |entry, secret| {
        let flags = flags("https://api.example.com");
        let mut answers = parse::answers_in_flags(&flags).ok().unwrap();
        answers.secret = AnswerSlot::Known(SecretLocation::Keyring(entry, secret));
        answers.complete().unwrap()
    };
    let path = Path::new("c.toml");
    let mut overwritable = Overwritable::new(true);

    // It was only read, since the answer to "Replace it?" was no.
    overwritable.add_written(&config(entry("cupbearer/a"), None), path);
    assert!(!overwritable.has_entry(&entry("cupbearer/a")));

    overwritable.add_written(
        &config(entry("cupbearer/a"), Some(Secret::new(SECRET))),
        path,
    );
    assert!(overwritable.has_entry(&entry("cupbearer/a")));
    // The entry of another client id.
    assert!(!overwritable.has_entry(&entry("cupbearer/b")));
}

#[tokio::test]
async fn a_secret_that_is_too_long_is_refused_rather_than_cut() {
    let directory = tempfile::tempdir().unwrap();
    let args = with_secret_by_stdin(directory.path());
    let long: &'static [u8] = vec![b'x'; (64 << 10) + 1].leak();
    let here = surroundings(directory.path());

    let done = from_flags(&args, &here, &mut Input(long)).await;
    assert!(matches!(done, Err(InitError::Usage(message)) if message.contains("64 KiB")));
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);

    assert!(is_fine(
        &from_flags(&args, &here, &mut Input(&long[1..])).await
    ));
}

/// Asks again, after a round whose configuration was written but did not work.
async fn second_round(
    args: &InitArgs,
    first: &[&'static str],
    second: &[&'static str],
) -> (String, String) {
    let mut answers = parse::answers_in_flags(args).ok().unwrap();
    let overwritable = Overwritable::default();
    let mut text = String::new();
    let mut seen = String::new();
    for round in [first, second] {
        let mut script = Script::new(round);
        let config = questions::interview(&mut script, &mut answers, &overwritable, None).await;
        seen = script.seen;
        assert!(script.answers.is_empty(), "{:?}: {seen}", script.answers);
        let Ok(config) = config else {
            panic!("{seen}");
        };
        text = document::text(&config, Path::new("c.toml"));
        answers = answers.into_defaults();
    }
    (text, seen)
}

const PINGONE: &str = "https://auth.pingone.eu/0123abcd-4567-89ab-cdef-0123456789ab/as/token";
const AS_PERSON: [&str; 6] = ["2", API, CLIENT, "", PINGONE, ""];

#[tokio::test]
async fn a_machine_takes_over_nothing_that_only_a_person_has_answered() {
    let as_machine = [&["1", "", "", ID_OF_MACHINE, ""], &MISSING_SECRET[..]].concat();
    let (text, seen) = second_round(&InitArgs::default(), &AS_PERSON, &as_machine).await;
    assert!(
        !text.contains("openid") && !text.contains("grant"),
        "{text}"
    );
    assert!(
        text.contains(&format!("client_id = \"{ID_OF_MACHINE}\"")),
        "{text}"
    );
    // The client id is the person's, so it is no default, unlike the addresses.
    assert!(
        !seen.contains(CLIENT) && seen.contains(&format!("[{PINGONE}]")),
        "{seen}"
    );

    let issuer = "https://as.example.com";
    let as_person = ["2", API, CLIENT, "", issuer, "openid mine"];
    let as_machine = [&["1", "", "", ID_OF_MACHINE, "", ""], &MISSING_SECRET[..]].concat();
    let (text, seen) = second_round(&InitArgs::default(), &as_person, &as_machine).await;
    assert!(
        !text.contains("openid") && !seen.contains("openid"),
        "{text}{seen}"
    );
}

#[tokio::test]
async fn a_person_takes_over_nothing_that_only_a_machine_has_answered() {
    let as_machine = [
        "1",
        API,
        "https://as.example.com",
        ID_OF_MACHINE,
        "2",
        "of-machine",
    ];
    let as_machine = [&as_machine, &MISSING_SECRET[..]].concat();
    let as_person = ["2", "", "native", "", "", ""];
    let (text, seen) = second_round(&InitArgs::default(), &as_machine, &as_person).await;
    assert!(text.contains("scope = \"openid profile\""), "{text}");
    assert!(
        !text.contains("of-machine") && !seen.contains("of-machine"),
        "{text}{seen}"
    );
    assert!(
        !text.contains("client_secret =") && text.contains("auth = \"none\""),
        "{text}"
    );
    assert!(!seen.contains(ID_OF_MACHINE), "{seen}");

    // One that copies tokens needs no server.
    let (text, _) = second_round(&InitArgs::default(), &as_machine, &["2", "", "", ""]).await;
    assert!(
        !text.contains("as.example.com") && !text.contains("client_id ="),
        "{text}"
    );
}

#[tokio::test]
async fn an_answer_about_one_server_or_api_is_none_about_another() {
    let server = "https://as.example.com";
    let first = ["1", API, server, ID_OF_MACHINE, "", "of-that-server"];
    let first = [&first, &MISSING_SECRET[..]].concat();
    let second = [&["1", "", PINGONE, "", ""], &MISSING_SECRET[..]].concat();
    let (text, _) = second_round(&InitArgs::default(), &first, &second).await;
    assert!(!text.contains("of-that-server"), "{text}");
    // What a flag says counts for each of them.
    let flag = InitArgs {
        scope: Some("of-all".to_owned()),
        ..InitArgs::default()
    };
    let first = [&["1", API, server, ID_OF_MACHINE, ""], &MISSING_SECRET[..]].concat();
    let (text, _) = second_round(&flag, &first, &second).await;
    assert!(text.contains("scope = \"of-all\""), "{text}");

    let production = "https://self-service-api.prod-example.us1.ping.cloud";
    let first = ["2", production, "", "", "yes"];
    let second = ["2", ADVANCED_SERVICES, "", ""];
    let (text, _) = second_round(&InitArgs::default(), &first, &second).await;
    assert!(!text.contains("\nread_only"), "{text}");
    let (text, seen) = second_round(&InitArgs::default(), &second, &first).await;
    assert!(text.contains("\nread_only = true"), "{text}");
    assert!(seen.contains("(guard.read_only)?\n  [yes] "), "{seen}");
}

#[tokio::test]
async fn answers_of_a_person_are_defaults_of_the_next_round() {
    let first = ["2", ADVANCED_SERVICES, "", "argocd"];
    let (text, _) = second_round(&InitArgs::default(), &first, &["", "", "", ""]).await;
    assert!(text.contains("/api/v1/auth/login/argocd"), "{text}");
    let token = "https://as.example.com/token";
    let first = [
        "2",
        API,
        "native",
        "2",
        token,
        "https://as.example.com/d",
        "-",
    ];
    let again = ["", "", "", "", "", "", ""];
    let (text, _) = second_round(&InitArgs::default(), &first, &again).await;
    assert!(
        text.contains("device_url = \"https://as.example.com/d\""),
        "{text}"
    );
    assert!(!text.contains("\nscope ="), "{text}");
    // Without a client id after all.
    let (text, _) = second_round(&InitArgs::default(), &first, &["", "", "-", ""]).await;
    assert!(text.contains("grant = \"paste\""), "{text}");
    // With the grant in a flag, the endpoint is asked for again too.
    let mut args = browser(token, None);
    args.no_doctor = true;
    let (one, other) = ("https://as.example.com/one", "https://as.example.com/other");
    let again = ["", "", other, "", "", ""];
    let (text, seen) = second_round(&args, &[one, ""], &again).await;
    assert!(
        text.contains(&format!("authorization_url = \"{other}\"")),
        "{text}"
    );
    assert!(seen.contains(&format!("[{one}]")), "{seen}");
}
