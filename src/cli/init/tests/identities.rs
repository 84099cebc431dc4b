//! Configurations without a client secret: sources of tokens, assertions, private keys and exchanged tokens.

mod any_flags;

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use clap::Parser;

use super::{Input, flags, surroundings, talk, text_of, usage};
use crate::cli::exit::Exit;
use crate::cli::init::args::InitArgs;
use crate::cli::init::error::InitError;
use crate::cli::init::identity_args::IdentityArgs;
use crate::cli::init::port::PortStates;
use crate::cli::init::{from_flags, parse, writing};
use crate::config::{
    Algorithm, ClientAuth, GrantConfig, GrantType, Overrides, Surroundings, TokenOrigin,
    TokenPlace, load_text,
};
use crate::token::generate_key;

#[derive(Parser)]
struct CommandLine {
    #[command(flatten)]
    init: InitArgs,
}

/// The flags after `cupbearer init`, with an API and without the doctor; or what clap says is wrong with them.
pub(super) fn command_line<T: AsRef<str>>(words: &[T]) -> Result<InitArgs, String> {
    let fixed = [
        "init",
        "--no-doctor",
        "--upstream=https://api.example.com/docs",
    ];
    let words = fixed.into_iter().chain(words.iter().map(AsRef::as_ref));
    let parsed = CommandLine::try_parse_from(words);
    parsed
        .map(|line| line.init)
        .map_err(|error| error.to_string())
}

fn args(words: &[&str]) -> InitArgs {
    command_line(words).unwrap_or_else(|problem| panic!("{problem}"))
}

fn grant_of(words: &[&str]) -> GrantConfig {
    let text = text_of(&args(words));
    load(&text).token.grant().unwrap().clone()
}

pub(super) const SERVER: &str = "--token-endpoint=https://as.example.com/token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

fn with_token_command() -> InitArgs {
    args(&["--token-command=gcloud config config-helper --format json"])
}

fn assertion_file() -> IdentityArgs {
    IdentityArgs {
        client_assertion_file: Some("/var/run/secrets/tokens/cupbearer".into()),
        ..IdentityArgs::default()
    }
}

fn load(text: &str) -> crate::config::Config {
    let loaded = load_text(text, &Overrides::default(), &Surroundings::default());
    loaded
        .unwrap_or_else(|problems| panic!("{problems}"))
        .config
}

#[test]
fn a_token_command_takes_the_place_of_the_authorization_server_and_the_client() {
    let text = text_of(&with_token_command());
    let config = load(&text);
    let words = ["gcloud", "config", "config-helper", "--format", "json"];
    assert!(matches!(
        &config.token.origin,
        TokenOrigin::Source(source) if matches!(&source.place, TokenPlace::Command(named) if *named == words)
    ));
    assert!(
        !text.contains("client_id") && !text.contains("scope ="),
        "{text}"
    );

    let missing = usage(&InitArgs {
        upstream: None,
        ..with_token_command()
    });
    assert!(
        missing.contains("--upstream") && !missing.contains("--client-id"),
        "{missing}"
    );
}

#[test]
fn the_next_step_names_a_file_in_the_working_directory_if_it_has_a_command() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cupbearer.toml");
    let next = |args: &InitArgs| {
        let answers = parse::answers_in_flags(args).ok().unwrap();
        let config = answers.complete().unwrap();
        fs::write(&path, "").unwrap();
        let here = Surroundings {
            working_directory: directory.path().to_owned(),
            ..Surroundings::default()
        };
        writing::next_steps(&config, &path, &here, &PortStates::FREE)
    };
    assert!(next(&with_token_command()).contains("cupbearer --config "));
    let with_file = InitArgs {
        secret_command: None,
        secret_file: Some(path.clone()),
        ..flags("https://api.example.com")
    };
    assert!(!next(&with_file).contains("--config"));
}

#[test]
fn an_assertion_that_something_else_renews_takes_the_place_of_the_secret() {
    let text = text_of(&InitArgs {
        secret_command: None,
        identity: assertion_file(),
        ..flags("https://api.example.com")
    });
    let config = load(&text);
    let grant = config.token.grant().unwrap();
    assert_eq!(grant.credential_key(), "token.client_assertion");
    assert!(text.contains("auth = \"client_assertion\""), "{text}");
    assert!(!text.contains("client_secret ="), "{text}");
}

#[test]
fn the_type_of_an_assertion_is_written_if_it_is_given() {
    const SPIFFE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe";
    let client = [SERVER, "--client-id=id", "--client-assertion-file=/svid"];
    let kind = format!("--client-assertion-type= {SPIFFE} ");
    let grant = grant_of(&[&client[..], &[&kind]].concat());
    assert_eq!(grant.client_assertion_type, SPIFFE);
    assert!(!text_of(&args(&client)).contains("client_assertion_type"));
}

#[test]
fn the_field_that_carries_the_token_is_written_if_it_is_given() {
    let client = [SERVER, "--client-id=id", "--secret-command=printf x"];
    let field = [
        "--token-header= X-Api-Key ",
        "--token-prefix=",
        "--keep-authorization",
    ];
    for identity in [&client[..], &["--token-file=/run/agent/token"]] {
        let config = load(&text_of(&args(&[identity, &field].concat())));
        let field = config.token.field();
        assert_eq!((&*field.shown_name, &*field.prefix), ("X-Api-Key", ""));
        assert!(field.keeps_authorization);

        let text = text_of(&args(&[identity, &["--token-prefix=Some Scheme"]].concat()));
        let config = load(&text);
        let field = config.token.field();
        let expected = ("Authorization", "Some Scheme");
        assert_eq!((&*field.shown_name, &*field.prefix), expected);
        assert!(!text.contains("keep_authorization"), "{text}");
    }
}

#[tokio::test]
async fn on_a_terminal_only_what_the_flags_leave_open_is_asked() {
    let directory = tempfile::tempdir().unwrap();
    let args = InitArgs {
        upstream: None,
        out: Some(directory.path().join("c.toml")),
        ..with_token_command()
    };
    let (done, seen) = talk(&args, directory.path(), &["https://api.example.com"]).await;
    assert!(matches!(done, Ok(Exit::Fine)), "{seen}");
    assert!(!seen.contains("authorization server"), "{seen}");
    let written = fs::read_to_string(directory.path().join("c.toml")).unwrap();
    assert!(written.contains("[\"gcloud\""), "{written}");

    let args = InitArgs {
        secret_command: None,
        identity: assertion_file(),
        out: Some(directory.path().join("d.toml")),
        ..flags("https://api.example.com")
    };
    let (done, seen) = talk(&args, directory.path(), &[]).await;
    assert!(matches!(done, Ok(Exit::Fine)), "{seen}");
    assert!(!seen.contains("Authentication Method"), "{seen}");
}

#[test]
fn a_file_or_a_metadata_server_takes_the_place_of_the_authorization_server_too() {
    let config = load(&text_of(&args(&["--token-file=/run/agent/token"])));
    assert!(matches!(
        &config.token.origin,
        TokenOrigin::Source(source) if matches!(&source.place, TokenPlace::File(file) if file == Path::new("/run/agent/token"))
    ));
    let config = load(&text_of(&args(&[
        "--token-http=http://169.254.169.254/token?resource=api%3A%2F%2Forders",
        "--token-http-header=Metadata: true",
        "--token-http-header=X-Zone:a:b",
    ])));
    let TokenOrigin::Source(source) = &config.token.origin else {
        panic!("no source");
    };
    let TokenPlace::Http { url, headers } = &source.place else {
        panic!("no server");
    };
    assert_eq!(
        url.as_str(),
        "http://169.254.169.254/token?resource=api%3A%2F%2Forders"
    );
    assert_eq!(headers["metadata"], "true");
    assert_eq!(headers["x-zone"], "a:b");
}

#[test]
fn a_private_key_authenticates_the_client_unless_it_signs_what_is_exchanged() {
    let grant = grant_of(&[SERVER, "--client-id=id", "--private-key-file=/k.pem"]);
    assert_eq!(grant.auth, ClientAuth::PrivateKeyJwt);
    assert!(matches!(grant.grant, GrantType::ClientCredentials));

    let signed = [
        SERVER,
        "--auth=none",
        "--grant=jwt_bearer",
        "--private-key-file=/k.json",
    ];
    let claims = ["--claim=iss=a=b", "--claim=sub= job@example.com "];
    let grant = grant_of(&[&signed[..], &claims].concat());
    assert_eq!(grant.auth, ClientAuth::None);
    assert_eq!(grant.client_id, "");
    let GrantType::SignedJwtBearer { claims, .. } = &grant.grant else {
        panic!("{:?}", grant.grant);
    };
    assert_eq!(claims["iss"], "a=b");
    assert_eq!(claims["sub"], "job@example.com");

    // Claims are only for that, so the grant need not be named.
    let secret = [
        "--client-id=id",
        "--secret-command=printf x",
        "--claim=iss=x",
    ];
    let grant = grant_of(&[&[SERVER, "--private-key-file=/k.pem"][..], &secret].concat());
    assert_eq!(grant.auth, ClientAuth::Basic);
    assert_eq!(grant.sources.len(), 2);
}

#[test]
fn an_assertion_that_nobody_issues_is_refused_and_a_file_that_is_not_here_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("key.pem");
    fs::write(&key, key_text()).unwrap();
    let key = format!("--private-key-file={}", key.display());
    let signed = [SERVER, "--auth=none", "--grant=jwt_bearer", "--claim=sub=x"];
    let said = |words: &[&str]| usage_of(&args(&[&signed[..], words].concat()));
    let refused = said(&[&key]);
    assert!(
        refused.contains("without an issuer: add --claim iss=…, or --client-id"),
        "{refused}"
    );
    for words in [
        &[&*key, "--claim=iss=y"][..],
        &[&*key, "--client-id=id"],
        &["--private-key-file=/nonexistent/k.pem"],
    ] {
        let said = said(words);
        assert!(said.starts_with("accepted"), "{words:?}: {said}");
    }
}

#[test]
fn an_assertion_or_a_subject_token_selects_its_grant() {
    let grant = grant_of(&[
        SERVER,
        "--auth=none",
        "--assertion-file=/a",
        "--param=audience=x=y",
    ]);
    assert!(matches!(grant.grant, GrantType::JwtBearer));
    assert_eq!(grant.params["audience"], "x=y");

    let subject = [SERVER, "--client-id=id", "--subject-token-file=/s"];
    let kind = format!("--subject-token-type={JWT}");
    let client = ["--client-assertion-file=/c", &kind];
    let grant = grant_of(&[&subject[..], &client].concat());
    assert_eq!(grant.auth, ClientAuth::ClientAssertion);
    let GrantType::TokenExchange {
        subject_token_type,
        actor_token_type,
    } = &grant.grant
    else {
        panic!("{:?}", grant.grant);
    };
    assert_eq!(
        (subject_token_type.as_str(), actor_token_type),
        (JWT, &None)
    );

    let actor = ["--actor-token-file=/x", "--actor-token-type=urn:x"];
    let grant = grant_of(&[&subject[..], &client, &actor].concat());
    assert!(matches!(
        &grant.grant,
        GrantType::TokenExchange { actor_token_type: Some(kind), .. } if kind == "urn:x"
    ));
}

/// Why the flags are refused, or what they would write.
pub(super) fn usage_of(args: &InitArgs) -> String {
    let config = parse::answers_in_flags(args)
        .and_then(|answers| answers.complete().map_err(InitError::Usage));
    match config {
        Err(InitError::Usage(message)) => message,
        Err(_) => "another error".to_owned(),
        Ok(config) => format!("accepted: {config:?}"),
    }
}

#[tokio::test]
async fn the_usual_question_about_authentication_leads_to_a_key_and_to_an_assertion_too() {
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("key.pem");
    fs::write(&key, key_text()).unwrap();
    let key: &'static str = key.display().to_string().leak();
    let out = directory.path().join("c.toml");
    let client = InitArgs {
        secret_command: None,
        out: Some(out.clone()),
        ..flags("https://api.example.com")
    };
    let answers = ["private_key_jwt", "/nonexist", key];
    let (done, seen) = talk(&client, directory.path(), &answers).await;
    assert!(matches!(done, Ok(Exit::Fine)), "{seen}");
    assert!(!seen.contains("none\n"), "only for other grants: {seen}");
    let written = fs::read_to_string(&out).unwrap();
    assert!(written.contains("auth = \"private_key_jwt\""), "{written}");
    assert!(
        written.contains(&format!("private_key = {{ file = {key:?} }}")),
        "{written}"
    );

    let out = directory.path().join("d.toml");
    let client = InitArgs {
        out: Some(out.clone()),
        ..client
    };
    let answers = ["client_assertion", "", "/run/identity/token"];
    let (done, seen) = talk(&client, directory.path(), &answers).await;
    assert!(matches!(done, Ok(Exit::Fine)), "{seen}");
    let written = fs::read_to_string(&out).unwrap();
    assert!(
        written.contains("client_assertion = { file = \"/run/identity/token\" }"),
        "{written}"
    );
}

#[tokio::test]
async fn nobody_is_asked_for_a_client_id_that_need_not_exist() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("c.toml");
    let exchange = InitArgs {
        token_endpoint: Some("https://as.example.com/token".to_owned()),
        out: Some(out.clone()),
        ..args(&["--assertion-file=/a"])
    };
    let (done, seen) = talk(&exchange, directory.path(), &["none", ""]).await;
    assert!(matches!(done, Ok(Exit::Fine)), "{seen}");
    assert!(!seen.contains("Client ID"), "{seen}");
    let written = fs::read_to_string(&out).unwrap();
    assert!(written.contains("auth = \"none\""), "{written}");
    assert!(!written.contains("client_id ="), "{written}");
}

#[tokio::test]
async fn what_an_identity_is_read_from_is_never_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("held");
    fs::write(&file, "a token").unwrap();
    let shown = file.display();
    let typed = format!("--subject-token-type={JWT}");
    for words in [
        vec![format!("--token-file={shown}")],
        vec![
            SERVER.to_owned(),
            "--client-id=i".to_owned(),
            format!("--client-assertion-file={shown}"),
        ],
        vec![
            SERVER.to_owned(),
            "--client-id=i".to_owned(),
            format!("--private-key-file={shown}"),
        ],
        vec![
            SERVER.to_owned(),
            "--auth=none".to_owned(),
            format!("--assertion-file={shown}"),
        ],
        vec![
            SERVER.to_owned(),
            "--auth=none".to_owned(),
            format!("--subject-token-file={shown}"),
            typed.clone(),
        ],
    ] {
        let args = InitArgs {
            out: Some(file.clone()),
            force: true,
            ..command_line(&words).unwrap()
        };
        let done = from_flags(&args, &surroundings(directory.path()), &mut Input(b"")).await;
        assert!(
            matches!(&done, Err(InitError::Usage(message)) if message.contains("contains the secret")),
            "{words:?}"
        );
        assert_eq!(fs::read_to_string(&file).unwrap(), "a token");
    }
}

/// A private key, which takes long to make.
fn key_text() -> &'static [u8] {
    static KEY: OnceLock<Vec<u8>> = OnceLock::new();
    KEY.get_or_init(|| {
        let key = generate_key(Algorithm::Es256).unwrap();
        key.private.expose().to_vec() // exposed to be written to a file of this test
    })
}

#[test]
fn the_name_of_a_systemd_credential_stays_as_it_is() {
    for start in ["$CREDENTIALS_DIRECTORY", "${CREDENTIALS_DIRECTORY}"] {
        for flag in ["--client-assertion-file", "--secret-file"] {
            let file = format!("{flag}={start}/x");
            let text = text_of(&args(&[SERVER, "--client-id=id", &file]));
            assert!(text.contains(&format!("{start}/x\"")), "{text}");
            assert!(!text.contains(&format!("/{start}")), "{text}");
        }
    }
}
