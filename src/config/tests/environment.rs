//! Variables and flags.

use super::*;
use crate::credentials::SecretSource;

#[test]
fn a_secret_comes_from_exactly_one_variable_and_never_from_a_flag() {
    let bare = ("CUPBEARER_TOKEN__CLIENT_SECRET", "hunter2");
    let command = (
        "CUPBEARER_TOKEN__CLIENT_SECRET__COMMAND",
        "[\"op\", \"read\"]",
    );
    let source = |variable: (&str, &str)| {
        let variables = [&ENOUGH[..3], &[variable]].concat();
        load(&Overrides::default(), &environment(&variables))
            .unwrap()
            .config
            .token
            .requests()
            .remove(0)
            .source
    };
    assert!(matches!(source(bare), SecretSource::Value(secret) if secret.expose() == b"hunter2"));
    assert!(matches!(source(command), SecretSource::Command(words) if words == ["op", "read"]));
    assert!(
        matches!(source(ENOUGH[3]), SecretSource::File(path) if path == Path::new("/run/secrets/x"))
    );

    let both = said(load(&Overrides::default(), &with(&[bare])));
    assert!(
        both.contains(
            "CLIENT_SECRET and CUPBEARER_TOKEN__CLIENT_SECRET__FILE are set: set only one"
        ),
        "{both}"
    );
    for key in ["token.client_secret", "token.client_secret.file"] {
        let refused = said(load(
            &flags(&[(key, "hunter2")]),
            &environment(&ENOUGH[..3]),
        ));
        assert!(
            refused.contains("every user of this machine can read") && refused.lines().count() == 1,
            "{refused}"
        );
        assert!(!refused.contains("hunter2"));
    }
}

#[test]
fn a_source_in_the_variable_of_the_secret_itself_is_refused_with_the_variable_to_set() {
    const SECRET: &str = "CUPBEARER_TOKEN__CLIENT_SECRET";
    const KEY: &str = "CUPBEARER_GUARD__CALLERS__CI__KEY";
    let given = |name: &str, text: &str| {
        let variables = [&ENOUGH[..3], &[("CUPBEARER_NAME", "x")]].concat();
        let secret = (SECRET, "hunter2hunter2");
        let others = if name == SECRET { None } else { Some(secret) };
        let all: Vec<_> = variables
            .into_iter()
            .chain(others)
            .chain([(name, text)])
            .collect();
        load(&Overrides::default(), &environment(&all))
    };
    for text in [
        "{file=\"/run/secrets/ci.key\"}",
        "{ file = \"/run/secrets/client_secret\" }",
        "{ file = /run/secrets/client_secret }",
        " {'env' = 'MY_SECRET'}",
        "{\"command\": [\"op\", \"read\"]}",
        "{ keyring = \"cupbearer/ci\" }",
        "[\"op\", \"read\", \"op://vault/item/field\"]",
    ] {
        for name in [SECRET, KEY] {
            let said = said(given(name, text));
            let remedy = format!("set {name}__FILE to the name of a file, {name}__COMMAND");
            assert!(said.contains(&remedy), "{name} {text}: {said}");
            assert!(!said.contains("run/secrets"), "{said}");
        }
    }
    for text in [
        "/run/secrets/ci.key",
        "/run/secrets/key",
        "./ci_callers.key",
        "~/keys/ci.key",
        "$CREDENTIALS_DIRECTORY/ci.key",
        "C:\\keys\\ci.key",
    ] {
        let said = said(given(KEY, text));
        let remedy = format!("set {KEY}__FILE to it instead");
        assert!(said.contains(&remedy), "{text}: {said}");
        let loaded = given(SECRET, text).unwrap_or_else(|problems| panic!("{problems}"));
        let [warning] = &loaded.warnings[..] else {
            panic!("{:?}", loaded.warnings)
        };
        assert!(
            warning.contains(&format!("set {SECRET}__FILE instead")),
            "{warning}"
        );
        assert!(!warning.contains(text), "{warning}");
    }
    for text in [
        "/3dTqkq0u5pRj8Wm+Zx1h/4c2v6bE9yKfLs7aNgUoXQ=",
        "{kty}aB3dE5fG7h-k",
        "{fileserver}aB3d=E5fG7hk",
        "[aB3dE5fG7h-k9mN]",
        "filE=aB3dE5fG7h-k9mN",
    ] {
        for name in [SECRET, KEY] {
            let loaded = given(name, text).unwrap_or_else(|problems| panic!("{text}: {problems}"));
            assert_eq!(loaded.warnings, [""; 0], "{name} {text}");
        }
    }
}

#[test]
fn a_token_endpoint_that_is_set_several_times_is_a_problem_that_names_each_source() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("c.toml");
    std::fs::write(
        &file,
        "drain = \"1s\"\ntoken.issuer = \"https://as.example.com\"\n",
    )
    .unwrap();
    let overrides = Overrides {
        file: Some(file.clone()),
        ..flags(&[("token.pingone.region", "eu")])
    };
    let Err(problems) = load(&overrides, &with(&[])) else {
        panic!("it is accepted")
    };
    let all: Vec<_> = problems.iter().collect();
    assert_eq!(all.len(), 1, "{problems}");
    assert_eq!(all[0].source, "CUPBEARER_TOKEN__URL");
    assert_eq!(
        all[0].problem,
        format!(
            "names a token endpoint, and so do token.issuer ({}:2) and token.pingone.region (--set)",
            file.display()
        )
    );
}

#[test]
fn an_unknown_variable_is_a_warning_except_what_kubernetes_injects() {
    let loaded = load(
        &Overrides::default(),
        &with(&[
            ("CUPBEARER_UPSTREAM_URL", "x"),
            ("CUPBEARER_PORT", "tcp://10.0.0.1:80"),
            ("CUPBEARER_PORT_80_TCP_ADDR", "10.0.0.1"),
            ("CUPBEARER_SERVICE_HOST", "10.0.0.1"),
        ]),
    )
    .unwrap();
    assert_eq!(loaded.warnings.len(), 1);
    assert!(loaded.warnings[0].contains("did you mean CUPBEARER_UPSTREAM__URL?"));
}

#[test]
fn a_variable_that_a_secret_source_names_is_not_unknown() {
    let text = b"token.client_secret = { env = \"CUPBEARER_MINE\" }";
    let variables = [&ENOUGH[..3], &[("CUPBEARER_MINE", "x")]].concat();
    assert_eq!(
        from_bytes(text, &environment(&variables)).unwrap().warnings,
        [""; 0]
    );
}

#[test]
fn an_empty_variable_is_a_problem() {
    let said = said(load(
        &Overrides::default(),
        &with(&[("CUPBEARER_NAME", "")]),
    ));
    assert!(said.contains("CUPBEARER_NAME: is set but empty"), "{said}");
}

#[test]
fn a_list_in_the_environment_is_toml() {
    let good = with(&[("CUPBEARER_GUARD__HOSTS", "[\"a.example\"]")]);
    assert_eq!(
        load(&Overrides::default(), &good)
            .unwrap()
            .config
            .guard
            .hosts,
        ["a.example"]
    );
    for text in ["a.example", "[\"a\"]\nname = \"x\""] {
        let said = said(load(
            &Overrides::default(),
            &with(&[("CUPBEARER_GUARD__HOSTS", text)]),
        ));
        assert!(
            said.contains("is not TOML: write it as in guard.hosts = []"),
            "{said}"
        );
    }
}

#[test]
fn a_listener_beyond_loopback_is_allowed_on_an_open_network() {
    let open = with(&[
        ("CUPBEARER_LISTEN", "0.0.0.0:1"),
        ("CUPBEARER_GUARD__NETWORK", "open"),
    ]);
    assert!(load(&Overrides::default(), &open).is_ok());
}

#[cfg(unix)]
#[test]
fn a_unix_socket_has_the_mode_that_is_set_and_by_default_only_its_owners() {
    for (set, expected) in [(None, 0o600), (Some("0660"), 0o660), (Some("666"), 0o666)] {
        let mut variables = vec![("CUPBEARER_LISTEN", "unix:/run/cupbearer/api.sock")];
        variables.extend(set.map(|mode| ("CUPBEARER_LISTEN_MODE", mode)));
        let loaded = load(&Overrides::default(), &with(&variables)).unwrap();
        let path = PathBuf::from("/run/cupbearer/api.sock");
        let listen = loaded.config.listen;
        assert_eq!(listen.to_string(), "unix:/run/cupbearer/api.sock");
        let mode = expected;
        assert_eq!(listen, Listen::Unix { path, mode });
    }
}

#[test]
fn local_users_are_a_word_or_a_list_of_ids() {
    for (text, expected) in [
        ("same", LocalUsers::Same),
        ("any", LocalUsers::Any),
        ("[0, 65534]", LocalUsers::Only(vec![0, 65534])),
        ("[4294967295]", LocalUsers::Only(vec![u32::MAX])),
    ] {
        let variables = with(&[("CUPBEARER_GUARD__LOCAL_USERS", text)]);
        let loaded = load(&Overrides::default(), &variables).unwrap();
        assert_eq!(loaded.config.guard.local_users, expected, "{text}");
    }
    let broken = with(&[("CUPBEARER_GUARD__LOCAL_USERS", "[0")]);
    let problems = said(load(&Overrides::default(), &broken));
    assert!(problems.contains("is not TOML"), "{problems}");
}

#[test]
fn a_systemd_credential_is_read_from_the_credentials_directory_which_must_be_set() {
    let directory = [("CREDENTIALS_DIRECTORY", "/run/credentials/x.service")];
    let expected = Path::new("/run/credentials/x.service/a/secret");
    for name in [
        "$CREDENTIALS_DIRECTORY/a/secret",
        "${CREDENTIALS_DIRECTORY}/a/secret",
    ] {
        let text = format!("token.client_secret = {{ file = '{name}' }}");
        let variable = ("CUPBEARER_TOKEN__CLIENT_SECRET__FILE", name);
        let given = |variables: &[(&str, &str)]| environment(&[&ENOUGH[..3], variables].concat());
        for (text, variables) in [(text.as_bytes(), &[][..]), (b"", &[variable])] {
            let loaded = from_bytes(text, &given(&[variables, &directory].concat())).unwrap();
            let credential = &loaded.config.token.grant().unwrap().sources[0].source;
            assert!(matches!(credential, SecretSource::File(path) if path == expected));
            let missing = said(from_bytes(text, &given(variables)));
            assert!(
                missing.contains("LoadCredential=a/secret:PATH"),
                "{missing}"
            );
        }
    }
    for name in [
        "$HOME/secret",
        "x/$CREDENTIALS_DIRECTORY/s",
        "$CREDENTIALS_DIRECTORY",
    ] {
        let variables = [
            &ENOUGH[..3],
            &directory,
            &[("CUPBEARER_TOKEN__CLIENT_SECRET__FILE", name)],
        ];
        let loaded = load(&Overrides::default(), &environment(&variables.concat())).unwrap();
        let credential = &loaded.config.token.grant().unwrap().sources[0].source;
        assert!(matches!(credential, SecretSource::File(path) if path == Path::new(name)));
    }
}

#[test]
fn a_misspelt_variable_of_the_guard_is_an_error_because_ignoring_it_admits_more() {
    for (name, remedy) in [
        (
            "CUPBEARER_GUARD__CALLERS__CI",
            "CUPBEARER_GUARD__CALLERS__CI__UID",
        ),
        (
            "CUPBEARER_GUARD__CALLERS",
            "CUPBEARER_GUARD__CALLERS__CI__UID",
        ),
        (
            "CUPBEARER_GUARD__CALLERS__CI__KEY__ENV",
            "did you mean CUPBEARER_GUARD__CALLERS__CI__KEY",
        ),
        (
            "CUPBEARER_GUARD_READ_ONLY",
            "did you mean CUPBEARER_GUARD__READ_ONLY?",
        ),
        (
            "CUPBEARER_GUARD__READONLY",
            "did you mean CUPBEARER_GUARD__READ_ONLY?",
        ),
        (
            "CUPBEARER__GUARD__READ_ONLY",
            "did you mean CUPBEARER_GUARD__READ_ONLY?",
        ),
        (
            "CUPBEARER_READ_ONLY",
            "did you mean CUPBEARER_GUARD__READ_ONLY?",
        ),
        (
            "CUPBEARER_GAURD_READ_ONLY",
            "did you mean CUPBEARER_GUARD__READ_ONLY?",
        ),
        (
            "cupbearer_guard__deny",
            "did you mean CUPBEARER_GUARD__DENY?",
        ),
        (
            "CUPBEARER_TLS_REQUIRE_CLIENT",
            "CUPBEARER_TLS__REQUIRE_CLIENT",
        ),
    ] {
        let said = said(load(&Overrides::default(), &with(&[(name, "true")])));
        let expected = format!("{name}: is not the variable of a key: ");
        assert!(
            said.contains(&expected) && said.contains(remedy),
            "{name}: {said}"
        );
    }
    // What Kubernetes sets for a service named cupbearer-guard.
    for name in [
        "CUPBEARER_GUARD_PORT_80_TCP",
        "CUPBEARER_GUARD_SERVICE_HOST",
        "CUPBEARER_GUARDIAN_SERVICE_HOST",
        "CUPBEARER_GUARD_API_PORT_6749_TCP_ADDR",
    ] {
        assert_eq!(
            said(load(&Overrides::default(), &with(&[(name, "x")]))),
            "",
            "{name}"
        );
    }
}

#[test]
fn a_variable_that_seems_to_mean_a_caller_with_a_hyphen_is_a_warning() {
    let file = "[guard.callers.my-ci]\nkey = { file = \"/k\" }\nread_only = true\n";
    let warnings = |variable: &str| {
        let loaded = from_bytes(file.as_bytes(), &with(&[(variable, "7")]));
        loaded
            .unwrap_or_else(|problems| panic!("{problems}"))
            .warnings
    };
    let [warning] = &warnings("CUPBEARER_GUARD__CALLERS__MY_CI__UID")[..] else {
        panic!("not one warning");
    };
    assert!(
        warning.contains("my_ci, which is another one than my-ci"),
        "{warning}"
    );
    assert_eq!(warnings("CUPBEARER_GUARD__CALLERS__OTHER__UID"), [""; 0]);
}
