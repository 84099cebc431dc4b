//! Tokens of a person: copied ones, and those of a browser's sign-in.

use super::*;
use crate::cli::init::identity::GrantChoice;
use crate::cli::init::identity_args::IdentityArgs;
use crate::cli::init::person_args::PersonArgs;

pub(super) const API: &str = "https://api.example.com";
pub(super) const ADVANCED_SERVICES: &str =
    "https://self-service-api.dev-example.eu1.ping.cloud/docs";

fn paste(upstream: &str, application: Option<&str>, login_url: Option<&str>) -> InitArgs {
    InitArgs {
        upstream: Some(upstream.to_owned()),
        identity: IdentityArgs {
            person: PersonArgs {
                paste: true,
                login_application: application.map(str::to_owned),
                login_url: login_url.map(str::to_owned),
                ..PersonArgs::default()
            },
            ..IdentityArgs::default()
        },
        no_doctor: true,
        ..InitArgs::default()
    }
}

pub(super) fn browser(endpoint: &str, authorization_url: Option<&str>) -> InitArgs {
    let mut args = flags("https://api.example.com");
    args.secret_command = None;
    args.client_id = Some("native".to_owned());
    args.token_endpoint = Some(endpoint.to_owned());
    args.identity.grant = Some(GrantChoice::AuthorizationCode);
    args.identity.person.authorization_url = authorization_url.map(str::to_owned);
    args
}

#[test]
fn a_person_who_copies_tokens_needs_only_the_api() {
    let text = text_of(&paste(ADVANCED_SERVICES, None, None));
    assert!(text.contains("grant = \"paste\""), "{text}");
    assert!(!text.contains("login_url = "), "{text}");
    assert!(
        !text.contains("client_id") && !text.contains("source"),
        "{text}"
    );
    let text = text_of(&paste(ADVANCED_SERVICES, Some("argocd"), None));
    let url = "login_url = \"https://self-service-api.dev-example.eu1.ping.cloud/api/v1/auth/login/argocd\"";
    assert!(text.contains(url), "{text}");
    let own = "https://sso.example.com/copy";
    let text = text_of(&paste("https://api.example.com", None, Some(own)));
    assert!(text.contains(own), "{text}");
}

#[test]
fn a_login_page_that_is_none_is_refused() {
    for (args, words) in [
        (
            paste("https://api.example.com", Some("argocd"), None),
            "--login-application: only an API of PingOne Advanced Services",
        ),
        (
            paste(ADVANCED_SERVICES, Some("a/b"), None),
            "--login-application: this is not the name of an application",
        ),
        (
            paste(
                "https://api.example.com",
                None,
                Some("http://sso.example.com"),
            ),
            "--login-url: \"http://sso.example.com\" is not encrypted",
        ),
    ] {
        let said = usage(&args);
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[test]
fn a_person_with_a_browser_signs_in_to_a_public_client() {
    let text = text_of(&browser("https://as.example.com", None));
    for line in [
        "grant = \"authorization_code\"",
        "auth = \"none\"",
        "client_id = \"native\"",
        "issuer = \"https://as.example.com",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let authorize = "https://as.example.com/authorize";
    let text = text_of(&browser("https://as.example.com/token", Some(authorize)));
    assert!(
        text.contains(&format!("authorization_url = \"{authorize}\"")),
        "{text}"
    );
    let mut args = browser("https://as.example.com", None);
    args.client_id = None;
    assert!(usage(&args).contains("these are missing: --client-id"));
}

/// What is written after these answers.
async fn written(answers: &[&'static str]) -> (String, String) {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("c.toml");
    let args = InitArgs {
        out: Some(out.clone()),
        no_doctor: true,
        ..InitArgs::default()
    };
    let (done, seen) = talk(&args, directory.path(), answers).await;
    assert!(is_fine(&done), "{seen}");
    (std::fs::read_to_string(out).unwrap(), seen)
}

#[tokio::test]
async fn the_first_question_is_for_whom_and_without_a_client_id_tokens_are_copied() {
    let (text, seen) = written(&["2", ADVANCED_SERVICES, "", "pingaccess"]).await;
    assert!(text.contains("grant = \"paste\""), "{text}");
    assert!(text.contains("/api/v1/auth/login/pingaccess"), "{text}");
    assert!(seen.contains("cupbearer login --config"), "{seen}");

    let (text, _) = written(&[
        "2",
        "https://api.example.com",
        "",
        "https://sso.example.com/x",
    ])
    .await;
    assert!(
        text.contains("login_url = \"https://sso.example.com/x\""),
        "{text}"
    );
    let (text, _) = written(&["2", "https://api.example.com", "", ""]).await;
    assert!(!text.contains("login_url"), "{text}");
}

#[tokio::test]
async fn with_a_client_id_a_browser_signs_in() {
    let (text, _) = written(&[
        "2",
        "https://api.example.com",
        "native",
        "",
        "https://as.example.com",
        "",
    ])
    .await;
    assert!(text.contains("grant = \"authorization_code\""), "{text}");
    assert!(text.contains("scope = \"openid profile\""), "{text}");
    let token = "https://as.example.com/token";
    let authorize = "https://as.example.com/authorize";
    let (text, _) = written(&[
        "2",
        "https://api.example.com",
        "native",
        "",
        token,
        "http://as.example.com/authorize",
        authorize,
        "-",
    ])
    .await;
    assert!(
        text.contains(&format!("authorization_url = \"{authorize}\"")),
        "{text}"
    );
    assert!(!text.contains("\nscope ="), "{text}");
}

#[tokio::test]
async fn with_a_client_id_another_device_signs_in_if_that_is_chosen() {
    let api = "https://api.example.com";
    let issuer = "https://as.example.com";
    let (text, seen) = written(&["2", api, "native", "2", issuer, ""]).await;
    for line in [
        "grant = \"device_code\"",
        "auth = \"none\"",
        "client_id = \"native\"",
        "scope = \"openid profile\"",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(seen.contains("cupbearer login --device --config"), "{seen}");
    let (token, device) = (
        "https://as.example.com/token",
        "https://as.example.com/device",
    );
    let (text, _) = written(&["2", api, "native", "2", token, device, ""]).await;
    assert!(
        text.contains(&format!("device_url = \"{device}\"")),
        "{text}"
    );

    let mut args = browser(token, None);
    args.identity.grant = Some(GrantChoice::DeviceCode);
    assert!(args.missing().unwrap().contains("missing: --device-url;"));
    args.identity.person.device_url = Some(device.to_owned());
    let text = text_of(&args);
    assert!(
        text.contains("grant = \"device_code\"") && text.contains("device_url = "),
        "{text}"
    );
    args.identity.grant = Some(GrantChoice::AuthorizationCode);
    let said = usage(&args);
    assert!(
        said.contains("--device-url is only for --grant device_code"),
        "{said}"
    );
}

#[tokio::test]
async fn flags_for_a_server_are_refused_if_a_person_copies_tokens() {
    let directory = tempfile::tempdir().unwrap();
    let mut args = InitArgs {
        out: Some(directory.path().join("c.toml")),
        token_endpoint: Some("https://as.example.com/token".to_owned()),
        scope: Some("a".to_owned()),
        no_doctor: true,
        ..InitArgs::default()
    };
    args.identity.param = vec!["b=c".to_owned()];
    let (done, seen) = talk(&args, directory.path(), &["2", API, ""]).await;
    assert!(
        matches!(&done, Err(InitError::Usage(said)) if said.contains("--token-endpoint, --scope, --param would not be used")),
        "{seen}"
    );
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    // A client uses all of them.
    let authorize = "https://as.example.com/authorize";
    let (done, seen) = talk(
        &args,
        directory.path(),
        &["2", API, "native", "", authorize],
    )
    .await;
    assert!(is_fine(&done), "{seen}");
    let text = std::fs::read_to_string(directory.path().join("c.toml")).unwrap();
    for line in [
        "scope = \"a\"",
        "params = { b = \"c\" }",
        "url = \"https://as.example.com/token\"",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[test]
fn where_users_cannot_be_told_apart_a_person_is_offered_a_key_for_callers() {
    let of = |args: &InitArgs| {
        let answers = parse::answers_in_flags(args).ok().unwrap();
        let identity = answers.complete().unwrap().identity;
        (answers, identity)
    };
    let asked = |args: &InitArgs, tells_users_apart: bool, typed: &[&'static str]| {
        let (mut answers, identity) = of(args);
        let mut script = Script::new(typed);
        let wants =
            person_questions::caller_key(&mut script, &mut answers, &identity, tells_users_apart);
        assert!(script.answers.is_empty());
        wants.ok().unwrap()
    };
    let person = paste(ADVANCED_SERVICES, None, None);
    assert!(asked(&person, false, &[""]));
    assert!(!asked(&person, false, &["no"]));
    assert!(asked(
        &browser("https://as.example.com", None),
        false,
        &["yes"]
    ));
    // No question where users can be told apart, for a unix socket, or for a machine's token.
    assert!(!asked(&person, true, &[]));
    let socket = InitArgs {
        listen: Some("unix:/tmp/x.sock".to_owned()),
        ..person.clone()
    };
    assert!(!asked(&socket, false, &[]));
    assert!(!asked(&flags(API), false, &[]));
    let flagged = InitArgs {
        caller_key: true,
        ..flags(API)
    };
    assert!(asked(&flagged, true, &[]));
}

#[tokio::test]
async fn a_key_for_callers_is_in_a_file_of_its_own_and_check_accepts_it() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("c.toml");
    let args = InitArgs {
        caller_key: true,
        out: Some(out.clone()),
        ..paste(ADVANCED_SERVICES, None, None)
    };
    let here = surroundings(directory.path());
    assert!(is_fine(&from_flags(&args, &here, &mut Input(b"")).await));
    let file = directory.path().join("c.caller_key");
    let key = std::fs::read_to_string(&file).unwrap();
    assert!(
        key.starts_with("cbk_") && key.ends_with('\n'),
        "{}",
        key.len()
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let overrides = Overrides {
        file: Some(out.clone()),
        ..Overrides::default()
    };
    let loaded = crate::doctor::preflight::load(&overrides, &Surroundings::default()).await;
    let loaded = loaded.unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(loaded.config.guard.callers.len(), 1);

    // Another run replaces neither without being allowed to, and no file that it reads.
    let refused = from_flags(&args, &here, &mut Input(b"")).await;
    assert!(matches!(refused, Err(InitError::Failed(said)) if said.contains("--force")));
    std::fs::remove_file(&out).unwrap();
    let refused = from_flags(&args, &here, &mut Input(b"")).await;
    assert!(matches!(refused, Err(InitError::Failed(said)) if said.contains("c.caller_key")));
    assert!(!out.exists());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), key);
    let mut args = InitArgs {
        force: true,
        caller_key: true,
        out: Some(out.clone()),
        ..flags(API)
    };
    args.secret_command = None;
    args.secret_file = Some(file.clone());
    let refused = from_flags(&args, &here, &mut Input(b"")).await;
    assert!(
        matches!(refused, Err(InitError::Usage(said)) if said.contains("the file with another one"))
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), key);
}
