//! Claims about whole configurations: what is accepted, what is refused, and in which words.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::keys::{Fallback, KEYS, Key, Kind, Scope};
use super::*;

/// Enough to load, so that a test only says what it is about.
const ENOUGH: [(&str, &str); 4] = [
    ("CUPBEARER_UPSTREAM__URL", "https://api.example.com"),
    ("CUPBEARER_TOKEN__URL", "https://as.example.com/token"),
    ("CUPBEARER_TOKEN__CLIENT_ID", "id"),
    ("CUPBEARER_TOKEN__CLIENT_SECRET__FILE", "/run/secrets/x"),
];

fn environment(variables: &[(&str, &str)]) -> Surroundings {
    Surroundings {
        variables: variables
            .iter()
            .map(|(name, value)| (OsString::from(name), OsString::from(value)))
            .collect(),
        working_directory: PathBuf::from("/nonexistent"),
        user_configuration: None,
    }
}

fn with(more: &[(&str, &str)]) -> Surroundings {
    environment(&[&ENOUGH[..], more].concat())
}

fn flags(settings: &[(&str, &str)]) -> Overrides {
    Overrides {
        file: None,
        settings: settings
            .iter()
            .map(|(key, text)| Setting {
                flag: "--set",
                key: (*key).to_owned(),
                text: (*text).to_owned(),
            })
            .collect(),
    }
}

fn from_bytes(bytes: &[u8], surroundings: &Surroundings) -> Result<Loaded, Problems> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("c.toml");
    std::fs::write(&path, bytes).unwrap();
    from_file(&path, surroundings)
}

fn from_file(path: &Path, surroundings: &Surroundings) -> Result<Loaded, Problems> {
    let overrides = Overrides {
        file: Some(path.to_owned()),
        settings: Vec::new(),
    };
    load(&overrides, surroundings)
}

/// The problems of `text` with everything else in order, as `key: problem: remedy`.
fn complaints(text: &str) -> String {
    said(from_bytes(text.as_bytes(), &with(&[])))
}

fn said(result: Result<Loaded, Problems>) -> String {
    match result {
        Ok(_) => String::new(),
        Err(problems) => problems
            .iter()
            .map(|one| format!("{}: {}: {}\n", one.key, one.problem, one.remedy))
            .collect(),
    }
}

fn row<'a>(loaded: &'a Loaded, key: &str) -> &'a Row {
    loaded.effective.iter().find(|row| row.key == key).unwrap()
}

#[test]
fn every_shipped_file_loads() {
    for name in ["minimal.toml", "pingone.toml"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("config")
            .join(name);
        assert_eq!(said(from_file(&path, &environment(&[]))), "", "{name}");
    }
}

#[test]
fn the_environment_alone_is_enough_and_the_rest_is_the_tables_default() {
    let loaded = load(&Overrides::default(), &with(&[])).unwrap();

    assert_eq!(loaded.config.listen, Listen::Localhost(6749));
    assert_eq!(loaded.config.upstream.url.port(), 443);
    assert_eq!(
        loaded.config.token.endpoint.as_str(),
        "https://as.example.com/token"
    );
    assert_eq!(loaded.config.limits.header_bytes, 65_536);
    assert_eq!(loaded.config.drain, Duration::from_secs(10));
    for key in &KEYS {
        if let Fallback::Default(text) = key.fallback {
            let row = row(&loaded, key.path);
            assert_eq!((row.value.as_str(), row.source.as_str()), (text, "default"));
        }
    }
}

/// A value other than the default, as TOML.
fn other_value(key: &Key) -> String {
    match (key.path, key.kind) {
        ("listen", _) => "\"localhost:1\"".into(),
        ("name" | "token.client_id", _) => "\"other\"".into(),
        ("log.level", _) => "\"debug\"".into(),
        ("upstream.url", _) => "\"https://other.example.com\"".into(),
        (_, Kind::Text) => key.fallback.text().into(),
        (_, Kind::Choice(words)) => format!("{:?}", words[words.len() - 1]),
        (_, Kind::Duration(_)) => "\"7s\"".into(),
        (_, Kind::Size(..)) => "\"32KiB\"".into(),
        (_, Kind::Count(..)) => "7".into(),
        (_, Kind::Switch) => "true".into(),
        ("guard.origins", Kind::Texts) => "[\"https://a.example\"]".into(),
        (_, Kind::Texts) => "[\"a.example\", \"b.example\"]".into(),
        (_, Kind::Map) => "{ a = \"b\" }".into(),
        (_, Kind::Secret) => key.fallback.text().into(),
    }
}

/// Everything required, but nothing that is or excludes `key`.
fn all_but(key: &Key) -> Vec<(&'static str, &'static str)> {
    let mut rest = ENOUGH.to_vec();
    match key.path {
        "token.pingone.domain" => rest.retain(|(name, _)| *name != "CUPBEARER_TOKEN__URL"),
        "token.pingone.region" => {
            rest[1] = (
                "CUPBEARER_TOKEN__PINGONE__ENVIRONMENT_ID",
                "00000000-0000-0000-0000-000000000000",
            );
        }
        "token.pingone.environment_id" => rest[1] = ("CUPBEARER_TOKEN__PINGONE__REGION", "eu"),
        _ => rest.retain(|(name, _)| *name != key.variable()),
    }
    rest
}

#[test]
fn file_environment_and_set_give_every_key_the_same_value() {
    for key in KEYS.iter().filter(|key| key.kind != Kind::Secret) {
        let toml = other_value(key);
        let text = if key.kind.is_text() {
            toml.trim_matches('"')
        } else {
            &toml
        };
        let rest = all_but(key);
        let line = format!("{} = {toml}", key.path);

        let by_file = from_bytes(line.as_bytes(), &environment(&rest));
        let variable = key.variable();
        let by_variable = load(
            &Overrides::default(),
            &environment(&[&rest[..], &[(variable.as_str(), text)]].concat()),
        );
        let by_flag = load(&flags(&[(key.path, text)]), &environment(&rest));

        let results: Vec<Loaded> = [by_file, by_variable, by_flag]
            .into_iter()
            .map(|result| result.unwrap_or_else(|problems| panic!("{}: {problems}", key.path)))
            .collect();
        let shown = results.iter().map(|loaded| &row(loaded, key.path).value);
        assert!(
            shown.clone().all(|value| *value == toml),
            "{}: {:?}",
            key.path,
            shown.collect::<Vec<_>>()
        );
        let typed: Vec<String> = results
            .iter()
            .map(|loaded| format!("{:?}", loaded.config))
            .collect();
        assert!(typed.iter().all(|one| *one == typed[0]), "{}", key.path);
    }
}

#[test]
fn flags_override_the_environment_which_overrides_the_file() {
    let file = b"name = \"file\"\ndrain = \"1s\"\ndrain_delay = \"1s\"\n";
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("c.toml");
    std::fs::write(&path, file).unwrap();
    let variables = with(&[("CUPBEARER_DRAIN", "2s"), ("CUPBEARER_DRAIN_DELAY", "2s")]);
    let overrides = Overrides {
        file: Some(path.clone()),
        ..flags(&[("drain_delay", "3s")])
    };

    let loaded = load(&overrides, &variables).unwrap();

    let sources =
        ["name", "drain", "drain_delay", "listen"].map(|key| row(&loaded, key).source.clone());
    assert_eq!(
        sources,
        [
            &format!("{}:1", path.display()),
            "CUPBEARER_DRAIN",
            "--set",
            "default"
        ]
    );
    assert_eq!(loaded.config.drain_delay, Duration::from_secs(3));
}

#[test]
fn the_first_file_that_is_there_is_read() {
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
}

#[test]
fn all_problems_come_at_once_with_key_source_and_remedy() {
    let text = "upstrem = 1\nlisten = \"nowhere\"\n[upstream]\nurl = \"api.example.com\"\nhead_timeout = 30\n";
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("c.toml");
    std::fs::write(&path, text).unwrap();

    let problems = from_file(&path, &environment(&[("CUPBEARER_DRAIN", "30")]))
        .err()
        .unwrap();

    let shown = problems.to_string();
    assert!(shown.starts_with("configuration: 8 problems\n"), "{shown}");
    for (key, source) in [
        ("upstrem", format!("{}:1", path.display())),
        ("listen", format!("{}:2", path.display())),
        ("upstream.url", format!("{}:4", path.display())),
        ("upstream.head_timeout", format!("{}:5", path.display())),
        ("drain", "CUPBEARER_DRAIN".to_owned()),
        ("token.url", "not set".to_owned()),
        ("token.client_id", "not set".to_owned()),
        ("token.client_secret", "not set".to_owned()),
    ] {
        let problem = problems.iter().find(|one| one.key == key).unwrap();
        assert_eq!(problem.source, source, "{shown}");
        assert!(!problem.remedy.is_empty());
    }
}

/// What is written, and what the complaint about it must say.
const REFUSED: &[(&str, &str)] = &[
    (
        "upstrem.url = \"x\"",
        "upstrem: is no key: did you mean [upstream]?",
    ),
    ("upstream.ulr = \"x\"", "did you mean upstream.url?"),
    ("client_id = \"x\"", "did you mean token.client_id?"),
    ("guard.read_only = true", "guard.read_only: is no key"),
    ("upstream = 1", "upstream: is a table of keys"),
    ("name = \"a b\"", "\"a b\" is no usable name"),
    ("name = \"\"", "name: is empty"),
    (
        "name = 1",
        "is a TOML integer, not a string: write it as in name = \"cupbearer\"",
    ),
    (
        "drain = 30",
        "\"30\" has no unit: write \"30s\" or \"30000ms\"",
    ),
    ("drain = \"soon\"", "\"soon\" is not a duration"),
    ("limits.header_bytes = 64", "write \"64B\" or \"64KiB\""),
    (
        "limits.header_bytes = \"1KiB\"",
        "write \"8KiB\" to \"16384KiB\"",
    ),
    (
        "limits.header_timeout = \"0s\"",
        "leaves no time at all: write at least \"1ms\"",
    ),
    (
        "upstream.connect_timeout = \"0ms\"",
        "leaves no time at all",
    ),
    (
        "limits.connections = 0",
        "0 is out of range: write 1 to 1000000",
    ),
    (
        "limits.in_flight = \"5\"",
        "is a TOML string, not a whole number",
    ),
    ("runtime.threads = -1", "-1 is out of range"),
    (
        "token.auth = \"basic\"",
        "write \"client_secret_basic\" or \"client_secret_post\"",
    ),
    ("log.level = \"inof\"", "\"inof\" is no level"),
    (
        "log.access = \"some\"",
        "write \"auto\" or \"all\" or \"none\"",
    ),
    ("token.scope = \"a  b\"", "is no scope"),
    (
        "token.params = { client_secret = \"hunter2\" }",
        "client_secret is written by the grant itself",
    ),
    (
        "listen = \"localhost\"",
        "\"localhost\" has no port: write \"localhost:6749\"",
    ),
    ("listen = \"8080\"", "has no host: write \"localhost:8080\""),
    (
        "listen = \":8080\"",
        "has no host: write \"localhost:8080\"",
    ),
    ("listen = \"::1\"", "write \"[::1]:6749\""),
    ("listen = \"localhost:66666\"", "has no usable port"),
    (
        "listen = \"box.example.com:80\"",
        "is neither localhost nor an IP address",
    ),
    ("listen = \"unix:/run/x\"", "cannot be listened on yet"),
    (
        "listen = \"0.0.0.0:6749\"",
        "guard.network is \"keyed\": write listen = \"localhost:6749\"; or",
    ),
    (
        "guard.hosts = [\"Box.Example.com:80\"]",
        "write \"box.example.com\"",
    ),
    ("guard.hosts = [\"*.example.com\"]", "is no host name"),
    ("guard.origins = [\"*\"]", "name each origin"),
    ("guard.origins = [\"null\"]", "name each origin"),
    (
        "guard.origins = [\"https://a.example/\"]",
        "write \"https://a.example\"",
    ),
    (
        "guard.origins = [\"HTTPS://A.example:443\"]",
        "write \"https://a.example\"",
    ),
    (
        "guard.origins = [\"a.example\"]",
        "write scheme, host and port",
    ),
    (
        "upstream.headers = { Authorization = \"x\" }",
        "Authorization is set by the proxy itself",
    ),
    (
        "upstream.headers = { Proxy-Anything = \"x\" }",
        "Proxy-Anything is set by the proxy itself",
    ),
    (
        "upstream.headers = { \"a b\" = \"x\" }",
        "\"a b\" is no header name",
    ),
    (
        "upstream.headers = { a = \"hunter2\\n\" }",
        "the value of a cannot stand in a header",
    ),
    (
        "upstream.headers = { a = \"x\", A = \"y\" }",
        "is there twice",
    ),
    ("upstream.headers = { a = 1 }", "not a table of strings"),
    (
        "token.client_secret = \"hunter2\"",
        "a file never holds a secret in the open: write token.client_secret = {",
    ),
    (
        "token.client_secret = { value = \"hunter2\" }",
        "\"value\" is no source of a secret",
    ),
    (
        "token.client_secret = { file = \"a\", env = \"b\" }",
        "names not exactly one of",
    ),
    (
        "token.client_secret = { command = \"op read\" }",
        "the command is not a list of texts",
    ),
    ("token.client_secret = {}", "names not exactly one of"),
    (
        "token.pingone.region = \"eu\"",
        "token.url: names a token endpoint, and so does token.pingone",
    ),
    ("name = \"a\"\nname = \"b\"", "is not TOML: duplicate key"),
    ("drain = 99999999999999999999", "drain: is a number beyond"),
];

#[test]
fn what_cannot_be_meant_is_refused_with_what_to_write() {
    for (text, expected) in REFUSED {
        let said = complaints(text);
        assert!(
            said.contains(expected),
            "{text}\n  said: {said}\n  not:  {expected}"
        );
        assert!(!said.contains("hunter2"), "{said}");
    }
}

/// `upstream.url`, and what the complaint about it must say; nothing if it is good.
const URLS: &[(&str, &str)] = &[
    ("https://api.example.com", ""),
    ("https://api.example.com/", ""),
    ("https://api.example.com:8443", ""),
    ("http://localhost:8000", ""),
    ("http://127.9.9.9", ""),
    ("http://[::1]:80", ""),
    (
        "api.example.com",
        "has no scheme: write \"https://api.example.com\"",
    ),
    (
        "localhost:8000",
        "has no scheme: write \"http://localhost:8000\"",
    ),
    ("ftp://api.example.com", "\"ftp\" is neither http nor https"),
    (
        "https://api.example.com/v1",
        "has more than scheme, host and port: write \"https://api.example.com\"",
    ),
    ("https://api.example.com?a", "has more than"),
    ("https://api.example.com#a", "has more than"),
    (
        "https://me:hunter2@api.example.com",
        "has a user name or password",
    ),
    ("me:hunter2@api.example.com", "has a user name or password"),
    ("https://", "is no URL"),
    ("https:///api.example.com", "is no URL"),
    ("https://api example.com", "is no URL"),
    (
        "https://api.example.com\\\\@evil.example",
        "has a user name",
    ),
    ("https://api.example.com:99999", "is no URL"),
    ("http://api.example.com", "upstream.allow_plaintext = true"),
    (
        "http://localhost.example.com",
        "upstream.allow_plaintext = true",
    ),
    ("http://10.0.0.1:80", "upstream.allow_plaintext = true"),
];

#[test]
fn an_upstream_is_scheme_host_and_port_and_encrypted_beyond_loopback() {
    for (url, expected) in URLS {
        let mut variables = with(&[]);
        variables.variables[0].1 = url.replace("\\\\", "\\").into();
        let said = said(load(&Overrides::default(), &variables));
        assert!(
            said.contains(expected) && said.is_empty() == expected.is_empty(),
            "{url}: {said}"
        );
        assert!(!said.contains("hunter2"), "{said}");
    }
    assert_eq!(
        said(load(
            &Overrides::default(),
            &with(&[
                ("CUPBEARER_UPSTREAM__URL", "http://10.0.0.1:80"),
                ("CUPBEARER_UPSTREAM__ALLOW_PLAINTEXT", "true"),
            ])
        )),
        ""
    );
}

#[test]
fn a_token_endpoint_is_encrypted_beyond_loopback() {
    for (url, allowed, good) in [
        ("http://as.example.com/t", "false", false),
        ("http://as.example.com/t", "true", true),
        ("http://127.0.0.1:1/t", "false", true),
        ("https://as.example.com/t?x=1", "false", true),
        ("https://as.example.com/t#x", "false", false),
    ] {
        let variables = with(&[
            ("CUPBEARER_TOKEN__URL", url),
            ("CUPBEARER_TOKEN__ALLOW_PLAINTEXT", allowed),
        ]);
        assert_eq!(
            load(&Overrides::default(), &variables).is_ok(),
            good,
            "{url} {allowed}"
        );
    }
}

#[test]
fn pingone_is_a_region_with_an_environment_or_a_domain() {
    let id = "0123abcd-4567-89ab-cdef-0123456789ab";
    let endpoint = |more: &[(&str, &str)]| {
        let mut variables = ENOUGH.to_vec();
        variables.remove(1);
        variables.extend(more);
        load(&Overrides::default(), &environment(&variables))
            .map(|loaded| loaded.config.token.endpoint.to_string())
    };
    let region = ("CUPBEARER_TOKEN__PINGONE__REGION", "AP");
    let environment_id = ("CUPBEARER_TOKEN__PINGONE__ENVIRONMENT_ID", id);
    let domain = ("CUPBEARER_TOKEN__PINGONE__DOMAIN", "auth.example.com");

    assert_eq!(
        endpoint(&[region, environment_id]).unwrap(),
        format!("https://auth.pingone.asia/{id}/as/token")
    );
    assert_eq!(
        endpoint(&[domain]).unwrap(),
        "https://auth.example.com/as/token"
    );
    for (more, key) in [
        (&[region][..], "token.pingone.environment_id"),
        (&[environment_id], "token.pingone.region"),
        (&[domain, region], "token.pingone.domain"),
        (&[], "token.url"),
    ] {
        let problems = endpoint(more).unwrap_err();
        assert_eq!(
            problems
                .iter()
                .map(|one| one.key.as_str())
                .collect::<Vec<_>>(),
            [key]
        );
    }
}

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
            .client_secret
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
            refused.contains("readable for every user") && refused.lines().count() == 1,
            "{refused}"
        );
        assert!(!refused.contains("hunter2"));
    }
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
fn an_empty_variable_is_a_problem_and_not_a_value() {
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
fn an_open_network_is_said_out_loud() {
    let open = with(&[
        ("CUPBEARER_LISTEN", "0.0.0.0:1"),
        ("CUPBEARER_GUARD__NETWORK", "open"),
    ]);
    assert!(load(&Overrides::default(), &open).is_ok());
}

#[test]
fn a_file_that_is_no_configuration_has_its_own_clear_error() {
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
fn a_file_that_was_named_must_be_there_and_be_a_file() {
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
fn what_belongs_to_the_process_is_marked() {
    for key in &KEYS {
        let of_process = ["log.", "drain", "runtime."]
            .iter()
            .any(|start| key.path.starts_with(start));
        assert_eq!(key.scope == Scope::Process, of_process, "{}", key.path);
    }
}
