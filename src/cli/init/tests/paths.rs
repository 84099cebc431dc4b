//! Which files may be written: never the one that has the secret, and all of them or none.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::cli::init::files::PreviousFile;

/// The names in a directory, and what they contain.
pub(super) fn snapshot(directory: &Path) -> BTreeMap<PathBuf, Option<String>> {
    let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
    entries
        .map(|entry| (entry.path(), fs::read_to_string(entry.path()).ok()))
        .collect()
}

/// Runs `init --force` and requires that it refuses the paths and changes nothing.
pub(super) async fn assert_refused(directory: &Path, args: InitArgs, words: &str) {
    let args = InitArgs {
        secret_command: None,
        force: true,
        ..args
    };
    let before = snapshot(directory);
    let input = &mut Input(b"s3cret-that-was-typed\n");
    let refused = from_flags(&args, &surroundings(directory), input).await;
    match refused {
        Err(InitError::Usage(message)) => assert!(message.contains(words), "{words}: {message}"),
        _ => panic!("{words}: not refused"),
    }
    assert_eq!(snapshot(directory), before, "{words}");
}

pub(super) fn api() -> InitArgs {
    flags("https://api.example.com")
}

#[tokio::test]
async fn the_configuration_is_never_written_over_the_secret_that_this_run_stores() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::write(at("x.client_secret"), "old secret").unwrap();
    fs::create_dir(at("sub")).unwrap();
    let mut names = vec![
        at("x.client_secret"),
        at("sub/../x.client_secret"),
        at("new.client_secret"),
    ];
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(at("y.client_secret"), at("y.toml")).unwrap(); // dangling
        std::os::unix::fs::symlink("x.client_secret", at("x.toml")).unwrap();
        names.extend([at("y.toml"), at("x.toml")]);
    }
    for name in names {
        let args = InitArgs {
            out: Some(name),
            secret_stdin: true,
            ..api()
        };
        assert_refused(directory.path(), args, "is where a secret would be stored").await;
    }
}

#[tokio::test]
async fn the_configuration_is_never_written_over_the_file_that_has_the_secret() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::write(at("f"), "the secret").unwrap();
    fs::create_dir(at("sub")).unwrap();
    let mut names = vec![at("f"), at("./f"), at("sub/../f"), at("missing/../f")];
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("f", at("link")).unwrap();
        std::os::unix::fs::symlink("link", at("link-to-link")).unwrap();
        std::os::unix::fs::symlink("..", at("sub/up")).unwrap();
        fs::hard_link(at("f"), at("hard")).unwrap();
        names.extend([at("link"), at("link-to-link"), at("sub/up/f"), at("hard")]);
    }
    for no_doctor in [true, false] {
        for name in &names {
            let args = InitArgs {
                out: Some(name.clone()),
                secret_file: Some(at("f")),
                no_doctor,
                ..api()
            };
            assert_refused(directory.path(), args, "contains the secret").await;
        }
    }
    // Both are missing: the secret is to be put there later.
    let args = InitArgs {
        out: Some(at("sub/../later")),
        secret_file: Some(at("later")),
        ..api()
    };
    assert_refused(directory.path(), args, "contains the secret").await;
}

#[tokio::test]
async fn the_configuration_is_never_written_over_a_file_that_the_secrets_command_names() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("f");
    fs::write(&file, "the secret").unwrap();
    let before = snapshot(directory.path());
    for command in [
        format!("cat {}", file.display()),
        format!("sh -c 'cat {}'", file.display()),
        format!("sh -c 'tr -d x <{}'", file.display()),
        format!("dd if={}", file.display()),
        format!("sh -c 'echo $(cat {})'", file.display()),
        format!("sh -c 'cd {} && cat f'", directory.path().display()),
    ] {
        let args = InitArgs {
            out: Some(directory.path().join(".").join("f")),
            secret_command: Some(command.clone()),
            force: true,
            no_doctor: true,
            ..api()
        };
        let refused = from_flags(&args, &surroundings(directory.path()), &mut Input(b"")).await;
        let Err(InitError::Usage(message)) = refused else {
            panic!("{command}: not refused");
        };
        assert!(message.contains("is named by the command"), "{message}");
        assert_eq!(snapshot(directory.path()), before, "{command}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn the_configuration_is_never_written_over_a_file_that_contains_what_the_command_prints() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("f");
    let script = directory.path().join("print");
    fs::write(&file, "# mine\nthe secret\n").unwrap();
    fs::write(&script, format!("tail -1 {}", file.display())).unwrap();
    let before = snapshot(directory.path());
    for (command, is_refused) in [
        (format!("sh {}", script.display()), true),
        (format!("sed -n -e 2p -e '' -- {}:", file.display()), false),
        ("echo 'another secret'".to_owned(), false),
    ] {
        let args = InitArgs {
            out: Some(file.clone()),
            secret_command: Some(command.clone()),
            force: true,
            no_doctor: true,
            ..api()
        };
        let done = from_flags(&args, &surroundings(directory.path()), &mut Input(b"")).await;
        match done {
            Err(InitError::Usage(message)) => {
                assert!(message.contains("contains the secret"), "{message}");
                assert_eq!(snapshot(directory.path()), before, "{command}");
                assert!(is_refused, "{command}");
            }
            _ => assert!(!is_refused, "{command}"),
        }
    }
}

#[tokio::test]
async fn two_configurations_never_share_the_file_of_their_secret() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    for (name, secret) in [("prod.eu", "A"), ("prod.us", "B"), ("prod.toml", "C")] {
        let args = InitArgs {
            out: Some(at(name)),
            secret_command: None,
            secret_stdin: true,
            no_doctor: true,
            ..api()
        };
        let input = &mut Input(secret.as_bytes());
        let done = from_flags(&args, &surroundings(directory.path()), input).await;
        assert!(matches!(done, Ok(Exit::Fine)), "{name}");
    }
    let read = |name: &str| fs::read_to_string(at(name)).unwrap();
    assert_eq!(read("prod.eu.client_secret"), "A");
    assert_eq!(read("prod.us.client_secret"), "B");
    assert!(read("prod.us").contains("prod.us.client_secret"));
}

#[tokio::test]
async fn a_destination_that_is_no_file_leaves_no_secret_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::create_dir(at("dir")).unwrap();
    fs::create_dir(at("taken.client_secret")).unwrap();
    #[cfg(unix)]
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    for (name, words) in [
        ("dir", "is a directory"),
        #[cfg(unix)]
        ("socket", "is not a regular file"),
        ("dir/", "is not the name of a file"),
        ("new/", "is not the name of a file"),
        ("dir/..", "is not the name of a file"),
        ("taken.toml", "which is a directory"),
    ] {
        let args = InitArgs {
            out: Some(at(name)),
            secret_stdin: true,
            ..api()
        };
        assert_refused(directory.path(), args, words).await;
    }
}

#[tokio::test]
async fn a_file_in_place_of_the_directory_is_named_as_what_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "x").unwrap();
    let args = InitArgs {
        out: Some(file.join("c.toml")),
        force: true,
        ..api()
    };
    let refused = from_flags(&args, &surroundings(directory.path()), &mut Input(b"")).await;
    let Err(InitError::Failed(message)) = refused else {
        panic!("not refused");
    };
    assert!(
        message.contains("cannot be written: not a directory"),
        "{message}"
    );
}

#[tokio::test]
async fn on_a_terminal_another_destination_is_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| -> &'static str {
        let path = directory.path().join(name).display().to_string();
        // The answers of a script are static.
        path.leak()
    };
    let args = InitArgs {
        secret_command: None,
        ..api()
    };
    let answers = ["", "1", SECRET, at("c.client_secret"), at(""), at("c.toml")];
    let (done, seen) = talk(&args, directory.path(), &answers).await;

    assert!(is_fine(&done), "{seen}");
    assert!(seen.contains("is where a secret would be stored"), "{seen}");
    assert!(seen.contains("is not the name of a file"), "{seen}");
    let names: Vec<_> = snapshot(directory.path()).into_keys().collect();
    let expected = ["c.client_secret", "c.toml"].map(|name| directory.path().join(name));
    assert_eq!(names, expected);
}

#[test]
fn the_previous_file_is_put_back_and_a_new_one_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("secret");

    let previous = PreviousFile::of(&file, files::Existing::Replace).unwrap();
    fs::write(&file, "new").unwrap();
    previous.restore();
    assert!(!file.exists());

    fs::write(&file, "old").unwrap();
    let previous = PreviousFile::of(&file, files::Existing::Replace).unwrap();
    let aside = directory.path().join("aside");
    fs::write(&aside, "new").unwrap();
    fs::rename(&aside, &file).unwrap();
    previous.restore();
    assert_eq!(fs::read_to_string(&file).unwrap(), "old");

    drop(PreviousFile::of(&file, files::Existing::Replace).unwrap());
    assert_eq!(snapshot(directory.path()).len(), 1);
}

#[test]
fn a_tilde_is_the_home_directory() {
    let Some(home) = std::env::home_dir() else {
        return;
    };
    assert_eq!(parse::typed_path(" ~/c.toml "), home.join("c.toml"));
    assert_eq!(parse::typed_path("/x/~/c.toml"), Path::new("/x/~/c.toml"));
    assert!(parse::typed_path("~x").ends_with("~x"));
}

#[cfg(unix)]
#[tokio::test]
async fn with_force_a_link_is_written_through_even_if_nothing_is_there_yet() {
    use std::os::unix::fs::symlink;
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::write(at("old.toml"), "old").unwrap();
    symlink("old.toml", at("to-old")).unwrap();
    symlink("repository/new.toml", at("dangling")).unwrap();
    symlink("dangling", at("twice")).unwrap();
    for (link, file) in [
        ("to-old", "old.toml"),
        ("dangling", "repository/new.toml"),
        ("twice", "repository/new.toml"),
    ] {
        let args = InitArgs {
            out: Some(at(link)),
            force: true,
            no_doctor: true,
            ..api()
        };
        let done = from_flags(&args, &surroundings(directory.path()), &mut Input(b"")).await;
        assert!(matches!(done, Ok(Exit::Fine)), "{link}");
        assert!(
            fs::symlink_metadata(at(link)).unwrap().is_symlink(),
            "{link}"
        );
        let text = fs::read_to_string(at(file)).unwrap();
        assert!(text.contains("https://api.example.com"), "{link}: {text}");
        fs::remove_file(at(file)).unwrap();
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_to_itself_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let link = directory.path().join("loop.toml");
    std::os::unix::fs::symlink("loop.toml", &link).unwrap();
    let args = InitArgs {
        out: Some(link.clone()),
        force: true,
        no_doctor: true,
        ..api()
    };
    let refused = from_flags(&args, &surroundings(directory.path()), &mut Input(b"")).await;
    let Err(InitError::Failed(message)) = refused else {
        panic!("not refused");
    };
    assert!(message.contains("symbolic links"), "{message}");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
}

#[cfg(unix)]
#[tokio::test]
async fn a_replaced_configuration_keeps_its_permissions() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("c.toml");
    for mode in [0o600, 0o640] {
        fs::write(&out, "old").unwrap();
        fs::set_permissions(&out, fs::Permissions::from_mode(mode)).unwrap();
        let args = InitArgs {
            out: Some(out.clone()),
            force: true,
            no_doctor: true,
            ..api()
        };
        let done = from_flags(&args, &surroundings(directory.path()), &mut Input(b"")).await;
        assert!(matches!(done, Ok(Exit::Fine)));
        let now = fs::metadata(&out).unwrap().permissions().mode() & 0o777;
        assert_eq!(now, mode, "{now:o}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn missing_and_invalid_flags_and_the_destination_are_reported_together() {
    use std::os::unix::ffi::OsStringExt as _;
    let directory = tempfile::tempdir().unwrap();
    let args = InitArgs {
        upstream: Some("ftp://x".to_owned()),
        scope: Some("\"".to_owned()),
        out: Some("/nonexist-dir/".into()),
        secret_file: Some(std::ffi::OsString::from_vec(b"/s\xff".to_vec()).into()),
        no_doctor: true,
        ..InitArgs::default()
    };
    let done = from_flags(&args, &surroundings(directory.path()), &mut Input(b"")).await;
    let Err(InitError::Usage(message)) = done else {
        panic!("not refused");
    };
    for words in [
        "--upstream: ",
        "--scope: ",
        "--secret-file: /s\u{fffd} is not UTF-8",
        "these are missing: --token-endpoint, --client-id;",
        "--out: /nonexist-dir/ is not the name of a file",
    ] {
        assert!(message.contains(words), "{words}: {message}");
    }
}

#[tokio::test]
async fn the_secret_is_never_stored_over_a_token_that_the_flags_name() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::write(at("x.client_secret"), "the only copy of a token").unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("x.client_secret", at("link")).unwrap();
    for name in [
        "x.client_secret",
        #[cfg(unix)]
        "link",
    ] {
        for flag in ["--subject-token-file", "--assertion-file"] {
            let named = format!("{flag}={}", at(name).display());
            let kind = "--subject-token-type=urn:ietf:params:oauth:token-type:jwt";
            let mut words = vec![identities::SERVER, "--client-id=id", "--yes", &named];
            words.extend((flag == "--subject-token-file").then_some(kind));
            let args = InitArgs {
                out: Some(at("x.toml")),
                secret_stdin: true,
                ..identities::command_line(&words).unwrap()
            };
            assert_refused(directory.path(), args, "which is the file with another one").await;
        }
    }
}

/// A file of another user: Linux allows no second name for it, and some file systems allow none for any file.
#[test]
fn a_file_that_can_have_no_second_name_is_moved_aside_and_put_back() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("c.client_secret");
    fs::write(&file, "old").unwrap();
    let previous = PreviousFile::of_unlinkable(&file).unwrap();
    assert!(!file.exists());
    fs::write(&file, "new").unwrap();
    previous.restore();
    assert_eq!(fs::read_to_string(&file).unwrap(), "old");
    let previous = PreviousFile::of_unlinkable(&file).unwrap();
    previous.restore_if_moved();
    assert_eq!(fs::read_to_string(&file).unwrap(), "old");
    assert_eq!(snapshot(directory.path()).len(), 1);
}
