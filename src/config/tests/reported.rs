//! How problems are reported: each key once, empty values as such, and all of them together.

use super::*;

#[test]
fn a_key_that_is_given_twice_is_a_problem_however_it_is_written() {
    let text = "guard.read_only = true\n\"guard.read_only\" = false";
    assert!(complaints(text).starts_with("guard.read_only: is one name with a dot in it"));
    let text = "[guard.\"callers.ci\"]\nuid = 1";
    assert!(complaints(text).contains("guard.callers.ci: is one name with a dot in it"));
    let twice = flags(&[("guard.deny", "[\"* /a\"]"), ("guard.deny", "[\"* /b\"]")]);
    let said = said(load(&twice, &with(&[])));
    assert!(
        said.starts_with("guard.deny: is set twice on the command line: keep one"),
        "{said}"
    );
}

#[test]
fn an_empty_value_is_called_empty_and_names_the_flag_that_set_it() {
    for key in ["listen", "admin.listen", "upstream.url", "name"] {
        for flag in ["--set", "--admin"] {
            let mut overrides = flags(&[(key, "")]);
            overrides.settings[0].flag = flag;
            let problems = load(&overrides, &with(&[])).err().unwrap();
            let one = problems.iter().next().unwrap();
            assert_eq!((&*one.key, &*one.source), (key, flag));
            assert!(one.problem.contains("empty"), "{key}: {}", one.problem);
        }
    }
}

#[test]
fn a_key_is_no_reason_to_leave_out_the_problems_of_another_one() {
    let problems = |token: &str| {
        let text = format!(
            "upstream.url = \"https://api.example.com\"\n[token]\nclient_id = \"i\"\n{token}"
        );
        said(from_bytes(text.as_bytes(), &environment(&[])))
    };
    let url = "url = \"https://as.example.com/t\"\nclient_secret = { file = \"/s\" }\n";
    let claims = format!("{url}grant = \"jwt_bearer\"\nclaims = {{ exp = \"1\", iat = \"2\" }}\n");
    let found = problems(&claims);
    for words in ["exp is new", "iat is new", "token.private_key"] {
        assert!(found.contains(words), "{words}: {found}");
    }
    let found = problems(
        "url = \"ftp://x\"\nissuer = \"https://a?b\"\nclient_secret = { file = \"/s\" }\n",
    );
    for words in [
        "names a token endpoint",
        "neither http nor https",
        "has a query",
    ] {
        assert!(found.contains(words), "{words}: {found}");
    }
    let found = problems("url = \n");
    assert_eq!(found.matches("is not TOML").count(), 1, "{found}");
    let found = complaints("drain = \nname = \"a\"\nlisten = = 1\n");
    assert_eq!(found.matches("is not TOML").count(), 2, "{found}");
}

#[cfg(unix)]
#[test]
fn a_socket_cannot_take_the_place_of_another_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("f");
    std::fs::write(&file, "x").unwrap();
    for key in ["listen", "admin.listen"] {
        let found = complaints(&format!("{key} = \"unix:{}\"", file.display()));
        assert!(
            found.contains("exists and is not a socket"),
            "{key}: {found}"
        );
    }
    let below = complaints(&format!("listen = \"unix:{}/a/b\"", file.display()));
    assert!(
        below.contains("is below something that is not a folder"),
        "{below}"
    );
    std::fs::remove_file(&file).unwrap();
    // A start does not follow links either.
    std::os::unix::fs::symlink("missing", &file).unwrap();
    let link = complaints(&format!("listen = \"unix:{}\"", file.display()));
    assert!(link.contains("exists and is not a socket"), "{link}");
    let below = complaints(&format!("listen = \"unix:{}/a\"", file.display()));
    assert!(below.contains("not a folder"), "{below}");
    let missing = directory.path().join("new/folder/socket");
    let missing = complaints(&format!("listen = \"unix:{}\"", missing.display()));
    assert_eq!(missing, "");
    std::fs::remove_file(&file).unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(&file).unwrap();
    assert_eq!(
        complaints(&format!("listen = \"unix:{}\"", file.display())),
        ""
    );
}
