use super::*;

#[test]
fn what_can_be_read_is_returned_even_if_other_keys_are_invalid() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("c.toml");
    let text = "listen = 7\nno_key = 1\n[upstream]\nurl = \"https://API.example.com:443\"\n";
    std::fs::write(&file, text).unwrap();
    let overrides = Overrides {
        file: Some(file.clone()),
        ..Overrides::default()
    };
    let own = fingerprint(&overrides, &Surroundings::default());
    assert_eq!(own.upstream.as_deref(), Some("https://api.example.com"));
    assert_eq!(own.named, file.display().to_string());
    assert_eq!(own.name.as_deref(), Some("cupbearer"));
    assert!(own.listen.is_none() && !own.is_unconfigured, "{own:?}");
    assert!(own.is_invalid, "{own:?}");
}

#[test]
fn a_value_that_is_not_set_is_not_invalid_and_one_that_no_proxy_can_have_is() {
    let with = |text: &str| {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("c.toml");
        std::fs::write(&file, text).unwrap();
        let overrides = Overrides {
            file: Some(file),
            ..Overrides::default()
        };
        fingerprint(&overrides, &Surroundings::default()).is_invalid
    };
    assert!(!with("[token]\nclient_id = \"i\""));
    assert!(!with("[upstream]\nurl = \"https://api.example.com\""));
    for url in [
        "https://api.example.com/path",
        "htps://api.example.com",
        "https://u:p@api.example.com",
        "https://a..b.example.com",
        "",
    ] {
        assert!(with(&format!("[upstream]\nurl = \"{url}\"")), "{url}");
    }
    assert!(with("[upstream]\nurl = 5"));
    assert!(with("listen = \"localhost\""));
    assert!(with("name = 5"));
}

#[test]
fn a_key_that_is_not_set_has_its_default_unless_nothing_is_configured() {
    let with = |variables: &[(&str, &str)]| {
        let variables = variables.iter();
        let surroundings = Surroundings {
            variables: variables
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            ignores_optional_files: true,
            ..Surroundings::default()
        };
        fingerprint(&Overrides::default(), &surroundings)
    };
    let admin = ("CUPBEARER_ADMIN__LISTEN", "localhost:6751");
    for variables in [&[][..], &[admin]] {
        let own = with(variables);
        assert!(own.is_unconfigured, "{own:?}");
        assert!(own.name.is_none() && own.listen.is_none(), "{own:?}");
    }
    let own = with(&[admin, ("CUPBEARER_TOKEN__CLIENT_ID", "i")]);
    assert!(!own.is_unconfigured, "{own:?}");
    assert_eq!(own.name.as_deref(), Some("cupbearer"));
    assert_eq!(own.listen, Some(Listen::Localhost(6749)));
}
