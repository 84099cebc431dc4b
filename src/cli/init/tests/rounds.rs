//! What a second round may overwrite.

use super::*;

#[tokio::test]
async fn another_round_asks_about_a_file_that_the_first_had_no_use_for() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("c.toml");
    let foreign = directory.path().join("c.client_secret");
    std::fs::write(&foreign, "kept").unwrap();
    let wanted = Init {
        out: Some(out.clone()),
        ..Init::default()
    };
    // Nobody listens on port 1 of loopback.
    let addresses = ["http://127.0.0.1:1/docs", "http://127.0.0.1:1/token", "yes"];
    let command = if keyring::find("id").await.is_some() {
        "3"
    } else {
        "2"
    };
    let first = ["id", "", "", command, "false", "yes"];
    let other = directory.path().join("other.toml").display().to_string();
    // The answers of a script live as long as the program.
    let other: &'static str = other.leak();
    let second = ["", "", "yes", "", "", "", "1", SECRET, "no", other, "yes"];
    // Enter keeps the secret; what this run has written is not asked about.
    let third = ["", "", "yes", "", "", "", "", "", "no"];
    let (done, seen) = talk(
        &wanted,
        directory.path(),
        &[&addresses[..], &first, &second, &third].concat(),
    )
    .await;

    assert!(matches!(done, Ok(Exit::Unreachable)), "{seen}");
    let asked = format!("\n{} exists. Overwrite it?", foreign.display());
    assert_eq!(seen.matches("Overwrite it?").count(), 1, "{seen}");
    assert!(seen.contains(&asked), "{seen}");
    assert_eq!(std::fs::read_to_string(&foreign).unwrap(), "kept");
    let own = directory.path().join("other.client_secret");
    assert_eq!(std::fs::read_to_string(own).unwrap(), SECRET);
}

#[test]
fn an_entry_of_the_keyring_is_own_only_once_it_was_written() {
    let entry = |text| credentials::KeyringEntry::parse(text).unwrap();
    let plan = |entry, secret| Plan {
        credential: Credential::Keyring(entry, secret),
        ..Answers::of_flags(&flags("https://api.example.com"))
            .ok()
            .and_then(|answers| answers.complete().ok())
            .unwrap()
    };
    let path = Path::new("c.toml");
    let mut own = Own::of_flag(true);

    // After "Replace it? no" it was only read.
    own.add_written(&plan(entry("cupbearer/a"), None), path);
    assert!(!own.has_entry(&entry("cupbearer/a")));

    own.add_written(&plan(entry("cupbearer/a"), Some(Secret::new(SECRET))), path);
    assert!(own.has_entry(&entry("cupbearer/a")));
    // Another client id's.
    assert!(!own.has_entry(&entry("cupbearer/b")));
}

#[tokio::test]
async fn a_secret_that_is_too_long_is_refused_and_not_shortened() {
    let directory = tempfile::tempdir().unwrap();
    let wanted = with_secret_by_stdin(directory.path());
    let long: &'static [u8] = vec![b'x'; (64 << 10) + 1].leak();
    let here = surroundings(directory.path());

    let done = alone(&wanted, &here, &mut Input(long)).await;
    assert!(matches!(done, Err(Stop::Usage(words)) if words.contains("64 KiB")));
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);

    assert!(is_fine(
        &alone(&wanted, &here, &mut Input(&long[1..])).await
    ));
}
