use std::path::Path;

use super::super::several::{load_all, load_one_of};
use super::super::{ConfigProblems, Overrides, Surroundings};

/// A configuration for a person, with these lines of `token` and others before them.
fn written(directory: &Path, name: &str, before: &str, token: &str) -> Overrides {
    let file = directory.join(name);
    let auth = if token.contains("client_secret") {
        ""
    } else {
        "auth = \"none\""
    };
    let text = format!(
        "name = \"{name}\"\nlisten = \"127.0.0.1:0\"\nupstream.url = \"http://localhost:1\"\n{before}\n[token]\n\
         grant = \"device_code\"\nissuer = \"http://localhost:2\"\nclient_id = \"i\"\n{auth}\n{token}\n"
    );
    std::fs::write(&file, text).unwrap();
    Overrides {
        file: Some(file),
        ..Overrides::default()
    }
}

fn said(problems: &ConfigProblems) -> String {
    let lines = problems
        .iter()
        .map(|one| format!("{}: {}", one.key, one.problem));
    lines.collect::<Vec<_>>().join("\n")
}

fn complaint(all: &[Overrides]) -> String {
    match load_all(all, &Surroundings::default()) {
        Ok(_) => String::new(),
        Err(invalid) => said(&invalid.problems),
    }
}

#[test]
fn the_store_is_no_file_that_the_configuration_names_otherwise() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).display().to_string();
    let (certificate, key, secret) = (at("tls.crt"), at("tls.key"), at("secret"));
    let tls = format!("tls.cert_file = \"{certificate}\"\ntls.key_file = \"{key}\"");
    let token = |store: &str| {
        format!(
            "client_secret = {{ file = \"{secret}\" }}\nstore = {{ file = \"{}\" }}",
            at(store)
        )
    };
    let mut cases = vec![
        ("login.json", ""),
        ("c.toml", "is also the configuration itself"),
        ("secret", "is also named by token.client_secret"),
        ("tls.crt", "is also named by tls.cert_file"),
        ("tls.key", "is also named by tls.key_file"),
        ("ca.pem", "is also named by network.ca_file"),
        ("keys", "is also named by guard.callers.ci.key"),
        ("admin.sock", "is also named by admin.listen"),
    ];
    if cfg!(unix) {
        std::fs::write(at("secret"), "s").unwrap();
        std::os::unix::fs::symlink(at("secret"), at("link")).unwrap();
        cases.push(("link", "is also named by token.client_secret"));
    }
    let more = format!(
        "{tls}\nadmin.listen = [\"unix:{}\"]\nnetwork.ca_file = \"{}\"\nguard.callers.ci.key = {{ file = \"{}\" }}",
        at("admin.sock"),
        at("ca.pem"),
        at("keys")
    );
    for (store, expected) in cases {
        let one = written(directory.path(), "c.toml", &more, &token(store));
        let said = complaint(&[one]);
        assert!(
            said.contains(expected) && said.is_empty() == expected.is_empty(),
            "{store}: {said}"
        );
    }
    let locks = format!(
        "{}\nclient_secret = {{ file = \"{}\" }}",
        store_line(&at("x")),
        at("x.lock")
    );
    let one = written(directory.path(), "c.toml", "", &locks);
    assert!(complaint(&[one]).contains("its lock"));
}

fn store_line(path: &str) -> String {
    format!("store = {{ file = \"{path}\" }}")
}

#[test]
fn the_store_is_no_file_of_another_proxy_but_two_may_share_one() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).display().to_string();
    let secret = |name: &str| format!("client_secret = {{ file = \"{}\" }}", at(name));
    let a = |token: &str| written(directory.path(), "a.toml", "", token);
    let b = |token: &str| written(directory.path(), "b.toml", "", token);
    let shared = store_line(&at("login.json"));
    assert_eq!(complaint(&[a(&shared), b(&shared)]), "");
    let said_of_secret = complaint(&[a(&store_line(&at("s"))), b(&secret("s"))]);
    assert!(
        said_of_secret.contains("token.client_secret in"),
        "{said_of_secret}"
    );
    let said_of_file = complaint(&[a(&secret("s")), b(&store_line(&at("a.toml")))]);
    assert!(
        said_of_file.contains("the configuration in"),
        "{said_of_file}"
    );
    assert!(complaint(&[a(&shared), b(&store_line(&at("login.json.lock")))]).contains("its lock"));

    // At a reload, whichever file has changed must give way.
    let all = [a(&store_line(&at("s"))), b(&secret("other"))];
    let before = load_all(&all, &Surroundings::default()).ok().unwrap();
    b(&secret("s"));
    let again = |place: usize| {
        load_one_of(
            &all,
            place,
            &Surroundings::default(),
            &before[place].digests,
            &before[place].digests,
        )
    };
    assert!(again(0).is_ok());
    let problems = again(1).err().unwrap();
    assert!(
        said(&problems).contains("token.client_secret: "),
        "{}",
        said(&problems)
    );
    b(&secret("other"));
    a(&store_line(&at("other")));
    let problems = again(0).err().unwrap();
    assert!(
        said(&problems).contains("token.store: "),
        "{}",
        said(&problems)
    );
}

#[test]
fn the_store_is_no_directory_and_no_device_and_its_name_is_written_out() {
    let directory = tempfile::tempdir().unwrap();
    for (path, expected) in [
        (directory.path().display().to_string(), "is a directory"),
        (
            format!("{}/new/", directory.path().display()),
            "is the name of a directory",
        ),
        ("~/login.json".to_owned(), "begins with ~"),
        ("/dev/null".to_owned(), "is not a regular file"),
    ] {
        if path == "/dev/null" && cfg!(not(unix)) {
            continue;
        }
        let one = written(directory.path(), "c.toml", "", &store_line(&path));
        let said = complaint(&[one]);
        assert!(said.contains(expected), "{path}: {said}");
    }
}
