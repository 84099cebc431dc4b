mod combinations;

use super::*;
use crate::config::Setting;

fn overrides(directory: &Path, secret: &str, more: &str) -> Overrides {
    std::fs::write(directory.join("secret"), secret).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let owner_only = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(directory.join("secret"), owner_only).unwrap();
    }
    let file = directory.join("c.toml");
    let text = format!(
        "upstream.url = \"https://api.example.com\"\n{more}\n[token]\nurl = \"https://as.example.com/t\"\n\
         client_id = \"id\"\nclient_secret = {{ file = '{}' }}\n",
        directory.join("secret").display()
    );
    std::fs::write(&file, text).unwrap();
    Overrides {
        file: Some(file),
        settings: Vec::<Setting>::new(),
        ..Overrides::default()
    }
}

/// `more` has keys of `[token]` with their full path.
async fn checked_inline(secret: &str, more: &str) -> Result<Loaded, ConfigProblems> {
    let directory = tempfile::tempdir().unwrap();
    let overrides = overrides(directory.path(), secret, "");
    let file = overrides.file.clone().unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    let more = more.replace("token.", "");
    std::fs::write(&file, format!("{text}{more}\n")).unwrap();
    load(&overrides, &Surroundings::default()).await
}

async fn checked(secret: &str, more: &str) -> Result<Loaded, ConfigProblems> {
    let directory = tempfile::tempdir().unwrap();
    load(
        &overrides(directory.path(), secret, more),
        &Surroundings::default(),
    )
    .await
}

#[tokio::test]
async fn an_unusable_secret_is_reported_with_its_key() {
    let problems = checked("", "").await.err().unwrap();
    assert_eq!(problems.iter().next().unwrap().key, "token.client_secret");
    assert!(problems.to_string().contains("is empty"));
}

/// The problem that is reported for this private key.
async fn complaint_about_key(key: &str, more: &str) -> Option<String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key.pem");
    std::fs::write(&path, key).unwrap();
    let more = format!(
        "token.auth = \"private_key_jwt\"\ntoken.private_key = {{ file = '{}' }}\n{more}",
        path.display()
    );
    let problems = checked_inline("s", &more).await.err()?;
    let first = problems.iter().next().unwrap();
    Some(format!(
        "{}: {}: {}",
        first.key, first.problem, first.remedy
    ))
}

#[tokio::test]
async fn a_private_key_that_cannot_sign_is_reported_with_its_key() {
    let new = crate::token::generate_key(config::Algorithm::Es256).unwrap();
    let pem = String::from_utf8(new.private.expose().to_vec()).unwrap();
    assert_eq!(complaint_about_key(&pem, "").await, None);
    for (key, more, expected) in [
        ("hunter2", "", "neither PEM nor a JWK"),
        (&*new.public.to_string(), "", "a set of keys"),
        (
            &*pem,
            "token.algorithm = \"RS256\"",
            "cannot sign with RS256, because it is an EC key: remove token.algorithm",
        ),
        ("", "", "the secret is empty"),
    ] {
        let said = complaint_about_key(key, more).await.unwrap();
        assert!(
            said.starts_with("token.private_key: ") && said.contains(expected),
            "{said}"
        );
        assert!(!said.contains("hunter2"));
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_secret_that_other_users_can_read_is_a_warning() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let overrides = overrides(directory.path(), "s", "");
    let secret = directory.path().join("secret");
    for (mode, warned) in [(0o644, true), (0o640, false), (0o600, false)] {
        std::fs::set_permissions(&secret, PermissionsExt::from_mode(mode)).unwrap();
        let loaded = load(&overrides, &Surroundings::default()).await;
        let warnings = loaded.ok().unwrap().warnings;
        assert_eq!(!warnings.is_empty(), warned, "{mode:o}: {warnings:?}");
    }
}

#[tokio::test]
async fn a_client_certificate_must_fit_its_key_and_a_world_readable_key_is_a_warning() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let pair = || rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
    let (ours, other) = (pair(), pair());
    std::fs::write(path("cert"), ours.cert.pem()).unwrap();
    let lines = format!(
        "upstream.client_cert_file = '{}'\nupstream.client_key_file = '{}'",
        path("cert").display(),
        path("key").display()
    );
    for (key, problem) in [
        (ours.signing_key.serialize_pem(), None),
        (other.signing_key.serialize_pem(), Some("is not the key of")),
        (
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"
                .to_owned(),
            Some("passphrase"),
        ),
    ] {
        std::fs::write(path("key"), key).unwrap();
        let found = checked("s", &lines).await.err();
        let found = found.map(|problems| problems.iter().next().unwrap().clone());
        assert_eq!(found.is_some(), problem.is_some(), "{found:?}");
        if let (Some(found), Some(words)) = (found, problem) {
            assert_eq!(found.key, "upstream.client_key_file");
            assert!(found.problem.contains(words), "{found:?}");
        }
    }
    #[cfg(unix)]
    for (mode, warnings) in [(0o600, 0), (0o640, 0), (0o644, 1)] {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::write(path("key"), ours.signing_key.serialize_pem()).unwrap();
        std::fs::set_permissions(path("key"), std::fs::Permissions::from_mode(mode)).unwrap();
        let loaded = checked("s", &lines).await;
        assert_eq!(
            loaded.map(|loaded| loaded.warnings.len()).ok(),
            Some(warnings)
        );
    }
}

#[tokio::test]
async fn a_ca_file_without_certificates_is_reported_with_its_key() {
    let directory = tempfile::tempdir().unwrap();
    let bundle = directory.path().join("ca.pem");
    let line = format!("network.ca_file = '{}'", bundle.display());
    let certificate = rcgen::generate_simple_self_signed(["a.example".to_owned()])
        .unwrap()
        .cert
        .pem();
    for (text, good) in [
        (certificate.as_str(), true),
        ("", false),
        ("no certificate", false),
        (
            "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n",
            false,
        ),
    ] {
        std::fs::write(&bundle, text).unwrap();
        assert_eq!(checked("s", &line).await.is_ok(), good, "{text}");
    }
}

/// Made by `openssl x509 -req` without extensions.
const VERSION_1: &str = "-----BEGIN CERTIFICATE-----
MIHUMIGHAhR3vqUZG+aj8gz/fUHv8f6mzqjEvTAFBgMrZXAwDDEKMAgGA1UEAwwB
YTAgFw0yNjExMjkxNDU0MThaGA8yMTI2MTEwNTE0NTQxOFowDDEKMAgGA1UEAwwB
YTAqMAUGAytlcAMhAOVNsYO+59VXp34DBkqWhXf0wJI89PL327QhUJIY43+IMAUG
AytlcANBAOAfIwW7OR/X6pPyLAMiLsaFsKSpKMOMCMDzE8MHo9ZLbnx43ei/NL5v
nysrEBS/KyLkb+UVF9wuv3bVOxA+JgY=
-----END CERTIFICATE-----
";

#[tokio::test]
async fn a_client_certificate_of_version_1_is_called_that() {
    let directory = tempfile::tempdir().unwrap();
    let (cert, key) = (directory.path().join("cert"), directory.path().join("key"));
    let pair = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
    std::fs::write(&cert, VERSION_1).unwrap();
    std::fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
    let lines = format!(
        "upstream.client_cert_file = '{}'\nupstream.client_key_file = '{}'",
        cert.display(),
        key.display()
    );
    let problems = checked("s", &lines).await.err().unwrap();
    let found = problems.iter().next().unwrap();
    assert_eq!(found.key, "upstream.client_cert_file");
    assert!(found.problem.contains("has version 1"), "{found:?}");
}

#[tokio::test]
async fn all_problems_are_reported_at_once_with_those_of_the_files_that_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("c.toml");
    let text = "drain = \"11M\"\nupstream.url = \"https://a..b.com\"\n\
                upstream.client_cert_file = \"/nonexistent/cert\"\nupstream.client_key_file = \"/nonexistent/key\"\n\
                network.ca_file = \"/nonexistent/ca\"\nguard.callers.ci.key.file = \"/nonexistent/ci\"\n\
                guard.callers.ci.deny = [\"x\"]\n\
                [token]\nwait = \"soon\"\nurl = \"as.example.com\"\nclient_id = \"id\"\n\
                client_secret.file = \"/nonexistent/secret\"\n";
    std::fs::write(&file, text).unwrap();
    let overrides = Overrides {
        file: Some(file),
        settings: Vec::new(),
        ..Overrides::default()
    };
    let expected = [
        "guard.callers.ci.deny",
        "upstream.url",
        "token.url",
        "token.wait",
        "drain",
        "token.client_secret",
        "upstream.client_cert_file",
        "upstream.client_key_file",
        "network.ca_file",
        "guard.callers.ci.key",
    ];
    let surroundings = Surroundings::default();
    let all = load_all(std::slice::from_ref(&overrides), &surroundings).await;
    let one = load(&overrides, &surroundings).await.map(|one| vec![one]);
    for problems in [all, one] {
        let problems = problems.err().unwrap();
        let keys: Vec<&str> = problems.iter().map(|one| &*one.key).collect();
        assert_eq!(keys, expected, "{problems}");
        let lines: Vec<&str> = problems.iter().map(|one| &*one.source).collect();
        assert!(
            lines.iter().all(|line| line.contains("c.toml:")),
            "{lines:?}"
        );
    }
}

#[tokio::test]
async fn what_an_invalid_method_or_grant_would_use_is_examined_too() {
    let keys = |problems: ConfigProblems| {
        problems
            .iter()
            .map(|one| one.key.clone())
            .collect::<Vec<_>>()
    };
    let method = checked_inline("", "token.auth = \"client_secret_basik\"")
        .await
        .err()
        .unwrap();
    assert_eq!(keys(method), ["token.auth", "token.client_secret"]);
    let grant = "token.grant = \"token_exchang\"\ntoken.subject_token = { file = '/' }";
    let grant = checked_inline("s3cret", grant).await.err().unwrap();
    assert_eq!(keys(grant), ["token.grant", "token.subject_token"]);
}

/// The path of every key that can be a command.
#[cfg(unix)]
fn keys_of_commands() -> Vec<String> {
    use crate::config::keys::{CALLER_KEYS, KEYS, ValueKind};
    let keys = KEYS.iter().chain(&CALLER_KEYS);
    let commands =
        keys.filter(|key| matches!(key.kind, ValueKind::Secret | ValueKind::TokenSource));
    let paths = commands.map(|key| key.path.replace("NAME", "ci"));
    paths.collect()
}

#[cfg(unix)]
#[tokio::test]
async fn no_command_of_a_file_that_was_only_found_runs_although_its_secrets_are_examined() {
    let keys = keys_of_commands();
    assert!(keys.len() > 7, "{keys:?}");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("cupbearer.toml");
    let marker = directory.path().join("it-ran");
    let found = Surroundings {
        working_directory: directory.path().to_owned(),
        ..Surroundings::default()
    };
    for key in keys {
        // The rest is invalid too, for what is only found then.
        let more = match &*key {
            "token.private_key" => "token.auth = \"private_key_jwt\"",
            "token.client_assertion" => "token.auth = \"client_assertion\"",
            "token.assertion" => "token.grant = \"jwt_bearer\"",
            "token.subject_token" | "token.actor_token" => "token.grant = \"token_exchange\"",
            _ => "",
        };
        let text = format!(
            "upstream.url = \"https://api.example.com\"\n{more}\n{key} = {{ command = [\"touch\", '{}'] }}\n",
            marker.display()
        );
        std::fs::write(&file, text).unwrap();
        for overrides in [Overrides::default(), pinned(&file)] {
            let all = [
                load_all(std::slice::from_ref(&overrides), &found)
                    .await
                    .err(),
                load(&overrides, &found).await.err(),
                load_without_callers(&overrides, &found).await.err(),
            ];
            for problems in all {
                let said = problems.unwrap().to_string().replace("\n    ", " ");
                assert!(
                    said.contains("only found in the working directory"),
                    "{said}"
                );
            }
            assert!(!marker.exists(), "{key}: the command ran");
        }
    }
    // A named file may run it, although it is invalid.
    let named = Overrides {
        file: Some(file.clone()),
        ..Overrides::default()
    };
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}guard.callers.ci.rails = 1\n")).unwrap();
    assert!(load(&named, &found).await.is_err());
    assert!(marker.exists(), "{text}");
}

/// The file as a reload reads it again.
#[cfg(unix)]
fn pinned(file: &Path) -> Overrides {
    Overrides {
        file: Some(file.to_owned()),
        is_found_here: true,
        ..Overrides::default()
    }
}

#[tokio::test]
async fn an_assertion_without_an_issuer_is_reported() {
    let new = crate::token::generate_key(config::Algorithm::Es256).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let (file, key) = (directory.path().join("c.toml"), directory.path().join("k"));
    std::fs::write(&key, new.private.expose()).unwrap();
    for (more, is_valid) in [
        ("", false),
        ("client_id = \"id\"\n", true),
        ("claims = { iss = \"id\" }\n", true),
        ("claims = { sub = \"id\" }\n", false),
    ] {
        let text = format!(
            "upstream.url = \"https://api.example.com\"\n[token]\nurl = \"https://as.example.com/t\"\n\
             grant = \"jwt_bearer\"\nauth = \"none\"\nprivate_key = {{ file = '{}' }}\n{more}",
            key.display()
        );
        std::fs::write(&file, text).unwrap();
        let overrides = Overrides {
            file: Some(file.clone()),
            ..Overrides::default()
        };
        let loaded = load(&overrides, &Surroundings::default()).await;
        let said = loaded.err().map(|problems| problems.to_string());
        assert_eq!(said.is_none(), is_valid, "{more}: {said:?}");
        assert!(
            said.is_none_or(|said| said.contains("without an issuer")),
            "{more}"
        );
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_credential_in_a_field_of_the_source_is_a_warning_if_others_can_read_the_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("c.toml");
    let source = "{ http = \"http://127.0.0.1:1/\", headers = { NAME = \"hunter2\" } }";
    for (name, mode, is_warned) in [
        ("Authorization", 0o644, true),
        ("X-IDENTITY-HEADER", 0o644, true),
        ("Authorization", 0o600, false),
        ("Metadata", 0o644, false),
    ] {
        let source = source.replace("NAME", name);
        let text = format!("upstream.url = \"https://api.example.com\"\ntoken.source = {source}\n");
        std::fs::write(&file, text).unwrap();
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&file, permissions).unwrap();
        let overrides = Overrides {
            file: Some(file.clone()),
            ..Overrides::default()
        };
        let loaded = load(&overrides, &Surroundings::default()).await;
        let warnings = loaded.ok().unwrap().warnings.join("\n");
        assert!(!warnings.contains("hunter2"), "{warnings}");
        let warning = "token.source: the header field ";
        assert_eq!(
            warnings.contains(warning),
            is_warned,
            "{name} {mode:o}: {warnings}"
        );
    }
}
