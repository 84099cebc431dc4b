use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use super::*;
use crate::config::{Overrides, Surroundings, load};

const ME: (u32, u32) = (1000, 100);

#[test]
fn a_found_file_is_trusted_if_only_this_user_and_root_can_change_it() {
    for (owners, group, mode, reason) in [
        ([1000, 1000], 100, 0o644, None),
        ([0, 0], 0, 0o664, None),
        ([0, 1000], 7, 0o640, None),
        ([1000, 1000], 100, 0o664, None),
        (
            [1000, 1000],
            7,
            0o664,
            Some("can be changed by the group 7"),
        ),
        ([1000, 1000], 100, 0o646, Some("every user")),
        ([1001, 1000], 100, 0o600, Some("belongs to user id 1001")),
        ([1000, 1001], 100, 0o600, Some("belongs to user id 1001")),
    ] {
        let found = other_writers(owners, group, mode, ME);
        assert_eq!(found.is_some(), reason.is_some(), "{owners:?} {mode:o}");
        let found = found.unwrap_or_default();
        assert!(found.contains(reason.unwrap_or_default()), "{found}");
    }
}

/// What is wrong with the `cupbearer.toml` of a directory that was started in.
fn problems(directory: &Path) -> String {
    let surroundings = Surroundings {
        working_directory: directory.to_owned(),
        ..Surroundings::default()
    };
    match load(&Overrides::default(), &surroundings) {
        Ok(_) => String::new(),
        Err(problems) => problems.to_string(),
    }
}

#[test]
fn a_file_that_others_can_change_is_rejected_unless_it_is_named() {
    const VALID: &str = "upstream.url = 'https://api.example.com'\ntoken.url = 'https://as.example.com'\n\
                         token.client_id = 'c'\ntoken.client_secret = { env = 'ANY' }\n";
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("cupbearer.toml");
    std::fs::write(&file, VALID).unwrap();
    let set_mode = |mode| {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    set_mode(0o644);
    assert_eq!(problems(directory.path()), "");
    set_mode(0o666);
    let found = problems(directory.path());
    let remedy = format!("--config {}", file.display());
    for part in ["only found in the working directory", "every user", &remedy] {
        assert!(found.contains(part), "{found}");
    }
    // A part of an untrusted file is not used either.
    assert!(!found.contains("token."), "{found}");
    let named = Overrides {
        file: Some(file.clone()),
        ..Overrides::default()
    };
    assert!(load(&named, &Surroundings::default()).is_ok());
    let reloaded = Overrides {
        is_found_here: true,
        ..named
    };
    assert!(load(&reloaded, &Surroundings::default()).is_err());

    // A link, as in a Kubernetes volume, is judged by what it leads to.
    let volume = tempfile::tempdir().unwrap();
    symlink(&file, volume.path().join("cupbearer.toml")).unwrap();
    assert!(problems(volume.path()).contains("every user"));
    set_mode(0o644);
    assert_eq!(problems(volume.path()), "");
}

#[test]
fn a_file_of_another_user_is_rejected() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("cupbearer.toml");
    std::fs::write(&file, "").unwrap();
    if std::os::unix::fs::chown(&file, Some(4711), None).is_err() {
        return; // only root can give a file away
    }
    assert_eq!(std::fs::metadata(&file).unwrap().uid(), 4711);
    let found = problems(directory.path());
    assert!(found.contains("belongs to user id 4711"), "{found}");
}
