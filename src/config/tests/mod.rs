//! Whole configurations: what is accepted, what is rejected, and with which message.

mod addresses;
mod callers;
mod environment;
mod files;
mod login;
mod network;
mod paste;
mod rejected;
mod remedies;
mod reported;
mod sign_in;
mod token;
mod token_field;
mod token_source;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::keys::{Fallback, KEYS, KeyInfo, Scope, ValueKind};
use super::*;

/// Enough to load, so that a test only contains what it is about.
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
        ..Surroundings::default()
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
        ..Overrides::default()
    }
}

fn from_bytes(bytes: &[u8], surroundings: &Surroundings) -> Result<Loaded, ConfigProblems> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("c.toml");
    std::fs::write(&path, bytes).unwrap();
    from_file(&path, surroundings)
}

fn from_file(path: &Path, surroundings: &Surroundings) -> Result<Loaded, ConfigProblems> {
    let overrides = Overrides {
        file: Some(path.to_owned()),
        settings: Vec::new(),
        ..Overrides::default()
    };
    load(&overrides, surroundings)
}

/// The problems of `text` with everything else in order, as `key: problem: remedy`.
fn complaints(text: &str) -> String {
    said(from_bytes(text.as_bytes(), &with(&[])))
}

fn said(result: Result<Loaded, ConfigProblems>) -> String {
    match result {
        Ok(_) => String::new(),
        Err(problems) => problems
            .iter()
            .map(|one| [&*one.key, ": ", &*one.problem, ": ", &*one.remedy, "\n"].concat())
            .collect::<Vec<_>>()
            .concat(),
    }
}

fn row<'a>(loaded: &'a Loaded, key: &str) -> &'a EffectiveValue {
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
fn the_environment_alone_is_enough_and_all_other_keys_have_their_defaults() {
    let loaded = load(&Overrides::default(), &with(&[])).unwrap();

    assert_eq!(loaded.config.listen, Listen::Localhost(6749));
    assert_eq!(loaded.config.upstream.url.port(), 443);
    assert_eq!(
        loaded.config.token.grant().unwrap().endpoint.as_str(),
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

/// A value that is not the default, as TOML.
fn other_value(key: &KeyInfo) -> String {
    match (key.path, key.kind) {
        ("listen", _) => "\"localhost:1\"".into(),
        ("name" | "token.client_id", _) => "\"other\"".into(),
        ("log.level", _) => "\"debug\"".into(),
        (_, ValueKind::Proxy) => "\"http://proxy.example.com:3128\"".into(),
        ("upstream.url", _) => "\"https://other.example.com\"".into(),
        (_, ValueKind::Text | ValueKind::Secret) => key.fallback.text().into(),
        ("token.auth", _) => "\"tls_client_auth\"".into(),
        ("token.grant", _) => "\"jwt_bearer\"".into(),
        ("token.algorithm", _) => "\"ES256\"".into(),
        ("guard.network", _) => "\"open\"".into(),
        ("upstream.openapi_security", _) => "\"keep\"".into(),
        ("upstream.http2", _) => "\"always\"".into(),
        ("log.format", _) => "\"json\"".into(),
        (_, ValueKind::Choice) => "\"none\"".into(),
        (_, ValueKind::Duration(_)) => "\"7s\"".into(),
        ("upstream.openapi_memory", _) => "\"2MiB\"".into(),
        (_, ValueKind::Size(..)) => "\"32KiB\"".into(),
        (_, ValueKind::Count(..)) => "7".into(),
        (_, ValueKind::Users) => "[0, 1000]".into(),
        (_, ValueKind::Mode) => "\"0660\"".into(),
        ("upstream.rewrite" | "upstream.via", _) => "false".into(),
        (_, ValueKind::Switch) => "true".into(),
        ("guard.origins", ValueKind::Texts) => "[\"https://a.example\"]".into(),
        ("upstream.openapi", ValueKind::Texts) => "[\"/docs/*\"]".into(),
        ("guard.allow" | "guard.deny", ValueKind::Texts) => "[\"GET /docs/*\"]".into(),
        (_, ValueKind::Texts) => "[\"a.example\", \"b.example\"]".into(),
        (_, ValueKind::Addresses) => "\"off\"".into(),
        (_, ValueKind::Map) => "{ a = \"b\" }".into(),
        (_, ValueKind::LoginStore) => "\"memory\"".into(),
        (_, ValueKind::TokenSource) => "{ command = [\"az\"] }".into(),
    }
}

/// Everything required except `key` and what excludes it.
fn all_but(key: &KeyInfo) -> Vec<(&'static str, &'static str)> {
    let mut rest = ENOUGH.to_vec();
    match key.path {
        "token.pingone.domain" | "token.issuer" => {
            rest.retain(|(name, _)| *name != "CUPBEARER_TOKEN__URL");
        }
        "token.auth" | "token.client_cert_file" | "token.client_key_file" => {
            let files = [
                ("CUPBEARER_TOKEN__CLIENT_CERT_FILE", "c.pem"),
                ("CUPBEARER_TOKEN__CLIENT_KEY_FILE", "k.pem"),
            ];
            rest.extend(files.iter().filter(|(name, _)| *name != key.variable()));
        }
        "token.keep_authorization" => rest.push(("CUPBEARER_TOKEN__HEADER", "X-Api-Key")),
        "token.source" => rest.truncate(1),
        "token.grant" => rest.push(("CUPBEARER_TOKEN__ASSERTION__FILE", "/assertion")),
        "token.pingone.region" => {
            rest[1] = (
                "CUPBEARER_TOKEN__PINGONE__ENVIRONMENT_ID",
                "00000000-0000-0000-0000-000000000000",
            );
        }
        "token.pingone.environment_id" => rest[1] = ("CUPBEARER_TOKEN__PINGONE__REGION", "eu"),
        "tls.client_ca_file" | "tls.require_client" => {
            let files = [
                ("CUPBEARER_TLS__CERT_FILE", "/tls.crt"),
                ("CUPBEARER_TLS__KEY_FILE", "/tls.key"),
                ("CUPBEARER_TLS__CLIENT_CA_FILE", "/ca.crt"),
            ];
            rest.extend(files.iter().filter(|(name, _)| *name != key.variable()));
        }
        "upstream.san" => rest.push(("CUPBEARER_NETWORK__CA_FILE", "/ca.pem")),
        "tls.cert_file" => rest.push(("CUPBEARER_TLS__KEY_FILE", "/tls.key")),
        "tls.key_file" => rest.push(("CUPBEARER_TLS__CERT_FILE", "/tls.crt")),
        "upstream.client_cert_file" => {
            rest.push(("CUPBEARER_UPSTREAM__CLIENT_KEY_FILE", "/client.key"));
        }
        "upstream.client_key_file" => {
            rest.push(("CUPBEARER_UPSTREAM__CLIENT_CERT_FILE", "/client.pem"));
        }
        _ => rest.retain(|(name, _)| *name != key.variable()),
    }
    rest
}

#[test]
fn file_environment_and_set_give_every_key_the_same_value() {
    for key in KEYS.iter().filter(|key| key.kind != ValueKind::Secret) {
        let toml = other_value(key);
        let text = if key.kind.takes_as_is(&toml) {
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
        // The arguments of a command may be confidential.
        let is_hidden = key.kind == ValueKind::TokenSource;
        let expected = if is_hidden { "(set)" } else { &toml };
        assert!(
            shown.clone().all(|value| *value == expected),
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
fn all_problems_are_reported_at_once_with_key_source_and_remedy() {
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

#[test]
fn keys_of_the_process_have_its_scope() {
    for key in &KEYS {
        let of_process = ["admin.", "log.", "drain", "runtime."]
            .iter()
            .any(|start| key.path.starts_with(start));
        assert_eq!(key.scope == Scope::Process, of_process, "{}", key.path);
    }
}
