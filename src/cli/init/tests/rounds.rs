//! What another round of questions may overwrite.

use std::path::Path;

use super::*;
use crate::credentials::KeyringEntry;

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
