//! Tokens of a person: copied ones, and those of a browser's sign-in.

use super::*;
use crate::cli::init::identity::GrantChoice;
use crate::cli::init::identity_args::IdentityArgs;
use crate::cli::init::person_args::PersonArgs;

const ADVANCED_SERVICES: &str = "https://self-service-api.dev-example.eu1.ping.cloud/docs";

fn paste(upstream: &str, application: Option<&str>, login_url: Option<&str>) -> InitArgs {
    InitArgs {
        upstream: Some(upstream.to_owned()),
        identity: IdentityArgs {
            person: PersonArgs {
                paste: true,
                login_application: application.map(str::to_owned),
                login_url: login_url.map(str::to_owned),
                authorization_url: None,
            },
            ..IdentityArgs::default()
        },
        no_doctor: true,
        ..InitArgs::default()
    }
}

fn browser(endpoint: &str, authorization_url: Option<&str>) -> InitArgs {
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
        token,
        authorize,
        "",
    ])
    .await;
    assert!(text.contains("authorization_url = "), "{text}");
}
