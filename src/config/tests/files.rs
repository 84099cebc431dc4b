//! Files: which one is read, and what is not a configuration.

use super::*;

#[test]
fn the_first_file_that_exists_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    std::fs::create_dir_all(at("user/cupbearer")).unwrap();
    for (name, file) in [
        ("flag", "flag.toml"),
        ("variable", "var.toml"),
        ("here", "cupbearer.toml"),
        ("user", "user/cupbearer/config.toml"),
    ] {
        std::fs::write(at(file), format!("name = \"{name}\"")).unwrap();
    }
    let mut surroundings = with(&[("CUPBEARER_CONFIG", at("var.toml").to_str().unwrap())]);
    surroundings.working_directory = directory.path().to_owned();
    surroundings.user_configuration = Some(at("user"));
    let name = |overrides: &Overrides, surroundings: &Surroundings| {
        load(overrides, surroundings).unwrap().config.name
    };

    let flag = Overrides {
        file: Some(at("flag.toml")),
        ..Overrides::default()
    };
    assert_eq!(name(&flag, &surroundings), "flag");
    assert_eq!(name(&Overrides::default(), &surroundings), "variable");
    surroundings.variables.pop();
    assert_eq!(name(&Overrides::default(), &surroundings), "here");
    std::fs::remove_file(at("cupbearer.toml")).unwrap();
    assert_eq!(name(&Overrides::default(), &surroundings), "user");
    std::fs::remove_file(at("user/cupbearer/config.toml")).unwrap();
    assert_eq!(name(&Overrides::default(), &surroundings), "cupbearer");

    surroundings.variables.clear();
    let words = |overrides: &Overrides| load(overrides, &surroundings).err().unwrap().to_string();
    let nothing = words(&Overrides::default());
    assert!(
        nothing.starts_with("nothing is configured: `cupbearer init` writes"),
        "{nothing}"
    );
    let something = words(&flags(&[("drain", "5s")]));
    assert!(something.starts_with("configuration: "), "{something}");
}

#[test]
fn every_configuration_in_the_guides_is_valid() {
    let pages = [
        include_str!("../../../docs/authorization-servers.md"),
        include_str!("../../../docs/setup-pingone.md"),
    ];
    let blocks = pages
        .iter()
        .flat_map(|page| page.split("```toml\n").skip(1));
    let mut count = 0;
    for block in blocks {
        let block = block.split("```").next().unwrap();
        let mut text = block.to_owned();
        for (section, rest) in [
            ("[upstream]", "url = \"https://api.example.com\""),
            (
                "[token]",
                "url = \"https://as.example.com/token\"\nclient_id = \"x\"\nclient_secret = { file = \"x\" }",
            ),
        ] {
            let dotted = format!("{}.url", section.trim_matches(['[', ']']));
            let is_source = section == "[token]" && block.contains("[token.source]");
            if !block.contains(section) && !block.contains(&dotted) && !is_source {
                text = format!("{text}\n{section}\n{rest}\n");
            }
        }
        let loaded = from_bytes(text.as_bytes(), &Surroundings::default());
        assert!(loaded.is_ok(), "{text}\n{}", said(loaded));
        count += 1;
    }
    assert!(count > 10, "{count}");
}

#[test]
fn a_file_that_is_not_a_configuration_has_a_specific_error() {
    let long = vec![b'#'; (1 << 20) + 1];
    let cases: [(&[u8], &str); 6] = [
        (
            b"\xEF\xBB\xBFname = \"x\"",
            "starts with a byte order mark: save it as UTF-8",
        ),
        (b"\xFF\xFEn\0", "is not UTF-8"),
        (&long, "is longer than 1048576 bytes"),
        (b"name = \"x\"\nhunter2 = \"hunter2", "is not TOML"),
        (b"name = ", "is not TOML"),
        (b"[token", "is not TOML"),
    ];
    for (bytes, expected) in cases {
        let said = said(from_bytes(bytes, &with(&[])));
        assert!(said.contains(expected), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    let problems = from_bytes(b"name = \"x\"\nlisten = \"", &with(&[]))
        .err()
        .unwrap();
    assert_eq!(problems.iter().next().unwrap().source, "line 2");
}

#[test]
fn carriage_returns_before_newlines_are_toml() {
    let loaded = from_bytes(b"name = \"x\"\r\ndrain = \"1s\"\r\n", &with(&[])).unwrap();
    assert_eq!(loaded.config.name, "x");
    assert!(row(&loaded, "drain").source.ends_with(":2"));
}

#[test]
fn a_file_that_is_named_must_exist_and_be_a_regular_file() {
    let directory = tempfile::tempdir().unwrap();
    for (path, expected) in [
        (directory.path().join("no"), "does not exist"),
        (directory.path().to_owned(), "is a directory"),
    ] {
        assert!(said(from_file(&path, &with(&[]))).contains(expected));
        let named = with(&[("CUPBEARER_CONFIG", path.to_str().unwrap())]);
        assert!(said(load(&Overrides::default(), &named)).contains(expected));
    }
}

#[test]
fn an_unreadable_file_is_one_problem_without_one_for_each_missing_key() {
    for text in ["name = ", "\u{feff}name = \"x\""] {
        let problems = from_bytes(text.as_bytes(), &environment(&[]))
            .err()
            .unwrap();
        assert_eq!(problems.iter().count(), 1, "{problems}");
    }
    let problems = from_file(Path::new("/nonexistent"), &environment(&[]))
        .err()
        .unwrap();
    assert_eq!(problems.iter().count(), 1, "{problems}");
}

#[test]
fn the_admin_address_is_read_from_a_file_with_a_syntax_error() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("c.toml");
    let overrides = Overrides {
        file: Some(file.clone()),
        ..Overrides::default()
    };
    let set = with(&[("CUPBEARER_ADMIN__LISTEN", "127.0.0.1:3")]);
    let default = "localhost:6750";
    for (text, surroundings, expected, is_default) in [
        (
            "admin.listen = \"127.0.0.1:1\"\ndrain = \n",
            &with(&[]),
            "127.0.0.1:1",
            false,
        ),
        (
            "drain = \n[admin]\nlisten = [\"127.0.0.1:1\"]",
            &with(&[]),
            "127.0.0.1:1",
            false,
        ),
        (
            "admin = { listen = \"127.0.0.1:1\" }\n[token\n",
            &with(&[]),
            "127.0.0.1:1",
            false,
        ),
        (
            "admin.listen = \"127.0.0.1:1\"\ndrain = \n",
            &set,
            "127.0.0.1:3",
            false,
        ),
        ("drain = \n", &set, "127.0.0.1:3", false),
        ("drain = \n", &with(&[]), default, true),
        ("admin.listen = \n", &with(&[]), default, true),
        (
            "admin.listen = \"127.0.0.1:1\n",
            &with(&[]),
            "127.0.0.1:1",
            false,
        ),
        ("admin.listen = 7\ndrain = \n", &with(&[]), default, true),
        ("drain = \"1s\"\n", &with(&[]), default, false),
    ] {
        std::fs::write(&file, text).unwrap();
        let found =
            load_admin(&overrides, surroundings).unwrap_or_else(|problems| panic!("{problems}"));
        let listen: Vec<String> = found.listen.iter().map(ToString::to_string).collect();
        assert_eq!(listen, [expected], "{text}");
        assert_eq!(found.unreadable.is_some(), is_default, "{text}");
        if let Some(unreadable) = found.unreadable {
            let expected = format!("{} (line ", file.display());
            assert!(unreadable.starts_with(&expected), "{unreadable}");
            assert!(unreadable.contains(") is not TOML: "), "{unreadable}");
        }
    }
}
