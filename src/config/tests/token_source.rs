//! `token.source`, which takes the place of a grant, and commands of a file that nobody has named.

use super::{environment, from_bytes, row, said, with};
use crate::config::{Loaded, Overrides, Surroundings, TokenOrigin, TokenPlace, load};

const API: &str = "upstream.url = \"https://api.example.com\"\n";

fn read(lines: &str) -> Result<Loaded, Vec<(String, String)>> {
    let loaded = from_bytes(format!("{API}{lines}\n").as_bytes(), &environment(&[]));
    loaded.map_err(|problems| {
        let said = |one: &crate::config::ConfigProblem| (one.key.clone(), one.problem.clone());
        problems.iter().map(said).collect()
    })
}

fn place(source: &str) -> TokenPlace {
    let loaded = read(&format!("token.source = {source}"));
    match loaded
        .unwrap_or_else(|problems| panic!("{problems:?}"))
        .config
        .token
        .origin
    {
        TokenOrigin::Source(source) => source.place,
        TokenOrigin::Grant(_) | TokenOrigin::SignIn(_) => panic!("not a source"),
    }
}

#[test]
fn a_source_is_a_command_a_file_or_a_server() {
    assert!(
        matches!(place("{ command = [\"az\", \"x\"] }"), TokenPlace::Command(words) if words == ["az", "x"])
    );
    assert!(
        matches!(place("{ file = \"/run/token\" }"), TokenPlace::File(path) if path.as_os_str() == "/run/token")
    );
    let server =
        place("{ http = \"http://169.254.169.254/t?x=1\", headers = { Metadata = \"true\" } }");
    assert_eq!(server.to_string(), "http://169.254.169.254/t");
    match server {
        TokenPlace::Http { url, headers } => {
            assert_eq!(url.as_str(), "http://169.254.169.254/t?x=1");
            assert_eq!(headers["metadata"], "true");
        }
        other => panic!("{other}"),
    }
}

#[test]
fn plain_http_is_only_for_loopback_and_link_local_addresses() {
    for url in [
        "http://127.0.0.1:50342/t",
        "http://localhost/t",
        "http://[::1]/t",
        "http://169.254.169.254/t",
        "http://[fe80::1]/t",
        "https://vault.example.com/t",
    ] {
        let _ = place(&format!("{{ http = {url:?} }}"));
    }
    for url in [
        "http://vault.example.com/t",
        "http://10.0.0.1/t",
        "http://metadata.google.internal/t",
        "http://169.253.0.1/t",
        "http://[fd00:ec2::254]/t",
    ] {
        let problems = read(&format!("token.source = {{ http = {url:?} }}"))
            .err()
            .unwrap();
        assert_eq!(problems[0].0, "token.source", "{url}");
        assert!(problems[0].1.contains("unencrypted"), "{url}: {problems:?}");
    }
}

#[test]
fn a_source_that_makes_no_sense_is_rejected_and_nothing_of_it_is_quoted() {
    for source in [
        "\"hunter2\"",
        "{}",
        "{ command = [] }",
        "{ command = [\"\"] }",
        "{ command = \"hunter2 x\" }",
        "{ command = [\"az\"], file = \"/hunter2\" }",
        "{ file = \"/hunter2\", headers = { a = \"b\" } }",
        "{ file = \"\" }",
        "{ http = 1 }",
        "{ http = \"http://127.0.0.1/\", headers = { a = 1 } }",
        "{ http = \"http://127.0.0.1/\", headers = { \"a b\" = \"hunter2\" } }",
        "{ http = \"http://127.0.0.1/\", headers = { Host = \"hunter2\" } }",
        "{ http = \"http://127.0.0.1/\", headers = { a = \"hunter2\\r\\n\" } }",
        "{ keyring = \"hunter2/x\" }",
    ] {
        let problems = read(&format!("token.source = {source}")).err();
        let problems = problems.unwrap_or_else(|| panic!("{source} is accepted"));
        assert_eq!(problems.len(), 1, "{source}: {problems:?}");
        assert_eq!(problems[0].0, "token.source", "{source}");
        assert!(!problems[0].1.contains("hunter2"), "{source}: {problems:?}");
    }
}

#[test]
fn every_key_of_a_grant_beside_a_source_is_rejected() {
    let source = "token.source = { file = \"/run/token\" }\ntoken.wait = \"1s\"\ntoken.default_lifetime = \"1m\"";
    assert!(read(source).is_ok());
    for line in [
        "token.url = \"https://as.example.com/token\"",
        "token.issuer = \"https://as.example.com\"",
        "token.pingone.region = \"eu\"",
        "token.client_id = \"app\"",
        "token.client_secret = { file = \"/s\" }",
        "token.grant = \"jwt_bearer\"",
        "token.scope = \"a\"",
        "token.params = { a = \"b\" }",
        "token.allow_plaintext = true",
        "token.accept_type = \"x\"",
    ] {
        let problems = read(&format!("{source}\n{line}")).err().unwrap();
        assert_eq!(problems.len(), 1, "{line}: {problems:?}");
        let key = line.split(" =").next().unwrap();
        assert_eq!(problems[0].0, key);
        assert!(problems[0].1.contains("token.source"), "{problems:?}");
    }
}

#[test]
fn check_shows_neither_the_arguments_of_a_command_nor_the_fields_of_a_request() {
    for (source, place) in [
        ("{ command = [\"az\", \"hunter2\"] }", "command az"),
        (
            "{ http = \"http://127.0.0.1/t?hunter2\", headers = { a = \"hunter2\" } }",
            "http://127.0.0.1/t",
        ),
    ] {
        let loaded = read(&format!("token.source = {source}")).ok().unwrap();
        let row = row(&loaded, "token.source");
        assert_eq!(
            (row.value.as_str(), row.place.as_deref()),
            ("(set)", Some(place))
        );
        assert_eq!(loaded.config.token.to_string(), place);
    }
}

/// Each of these lines runs a program.
const COMMANDS: [&str; 3] = [
    "token.source = { command = [\"az\"] }",
    "token.client_id = \"app\"\ntoken.url = \"https://as.example.com/t\"\ntoken.client_secret = { command = [\"op\"] }",
    "token.source = { file = \"/t\" }\nguard.callers.ci.key = { command = [\"op\"] }",
];

#[test]
fn a_command_of_a_file_that_was_only_found_in_the_working_directory_does_not_run() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("cupbearer.toml");
    let found = Surroundings {
        working_directory: directory.path().to_owned(),
        ..Surroundings::default()
    };
    for lines in COMMANDS {
        std::fs::write(&file, format!("{API}{lines}\n")).unwrap();
        let problems = load(&Overrides::default(), &found).err().unwrap();
        let one = problems.iter().next().unwrap();
        assert!(
            one.problem.contains("only found in the working directory"),
            "{one:?}"
        );
        assert!(one.remedy.contains("--config"), "{one:?}");
        assert!(one.source.contains("cupbearer.toml:"), "{one:?}");
        assert_eq!(problems.iter().count(), 1, "{problems}");

        let named = Overrides {
            file: Some(file.clone()),
            ..Overrides::default()
        };
        assert!(load(&named, &found).is_ok());
        let variable = Surroundings {
            variables: vec![("CUPBEARER_CONFIG".into(), file.clone().into())],
            ..found.clone()
        };
        assert!(load(&Overrides::default(), &variable).is_ok());
    }
}

#[test]
fn a_command_of_the_users_own_file_or_of_the_environment_runs() {
    let directory = tempfile::tempdir().unwrap();
    let user = directory.path().join("cupbearer");
    std::fs::create_dir(&user).unwrap();
    std::fs::write(user.join("config.toml"), format!("{API}{}\n", COMMANDS[0])).unwrap();
    let of_user = Surroundings {
        working_directory: directory.path().to_owned(),
        user_configuration: Some(directory.path().to_owned()),
        ..Surroundings::default()
    };
    assert!(load(&Overrides::default(), &of_user).is_ok());

    let here = tempfile::tempdir().unwrap();
    std::fs::write(here.path().join("cupbearer.toml"), API).unwrap();
    let variable = (
        "CUPBEARER_TOKEN__SOURCE".into(),
        "{ command = [\"az\"] }".into(),
    );
    let of_environment = Surroundings {
        working_directory: here.path().to_owned(),
        variables: vec![variable],
        ..Surroundings::default()
    };
    assert!(load(&Overrides::default(), &of_environment).is_ok());
}

fn url_line(url: &str) -> String {
    format!("token.source = {{ http = \"{url}\" }}")
}

fn said_of(lines: &str) -> String {
    said(from_bytes(
        format!("{API}{lines}\n").as_bytes(),
        &environment(&[]),
    ))
}

#[test]
fn no_problem_quotes_what_may_be_a_credential() {
    for url in [
        "https://as.example.com/t?code=hunter2#f",
        "http://as.example.com/t?code=hunter2",
        "as.example.com/t?code=hunter2",
        "https:as.example.com/t?code=hunter2",
        "ftp://as.example.com/t?code=hunter2",
        "https://as.example.com:0/t?code=hunter2",
        "https://a..b/t?code=hunter2",
        "https:///t?code=hunter2",
        "https://as.example.com/t?code=hunter2 x",
        "https://u:hunter2@as.example.com/t",
        "u:hunter2@as.example.com/t",
        "https://as.example.com/t#hunter2",
    ] {
        let found = said_of(&url_line(url));
        assert!(
            found.contains("token.source") && !found.contains("hunter"),
            "{url}: {found}"
        );
    }
    for name in [
        "TOKEN__SOURCE",
        "UPSTREAM__HEADERS",
        "TOKEN__PARAMS",
        "TOKEN__CLAIMS",
        "TOKEN__CLIENT_SECRET__COMMAND",
    ] {
        for text in ["https://as/t?code=hunter2", "{ a = hunter2 }", "{ hunter2"] {
            let variable = format!("CUPBEARER_{name}");
            let found = said(load(&Overrides::default(), &with(&[(&*variable, text)])));
            assert!(
                !found.is_empty() && !found.contains("hunter"),
                "{name}: {found}"
            );
        }
    }
}

#[test]
fn the_address_of_a_metadata_server_is_proposed_with_http() {
    let found = said_of(&url_line("169.254.169.254/t"));
    assert!(found.contains("\"http://169.254.169.254/t\""), "{found}");
    let found = said_of(&url_line("as.example.com/t"));
    assert!(found.contains("\"https://as.example.com/t\""), "{found}");
}
