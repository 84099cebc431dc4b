use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::*;
use crate::config::{Overrides, ProxyRule, Surroundings, load_text};
use crate::metrics::StoppedTasks;
use crate::token::{
    AttemptCounter, LoginCompletion, LoginSessions, LoginTaskContext, Ownership, SecretReader,
    SignInPage, Tokens, client, login_task,
};

/// The tokens of a person who signs in with a code from this address.
fn tokens(address: SocketAddr) -> Tokens {
    tokens_with(
        "device_code",
        address,
        &format!("device_url = \"http://{address}/device\""),
    )
}

/// The same for any grant.
fn tokens_with(grant: &str, address: SocketAddr, more: &str) -> Tokens {
    let text = format!(
        "upstream.url = \"https://api.example.com\"\n[token]\ngrant = \"{grant}\"\nclient_id = \"app\"\n\
         auth = \"none\"\nstore = \"memory\"\nurl = \"http://{address}/token\"\n{more}\n"
    );
    let loaded = load_text(&text, &Overrides::default(), &Surroundings::default());
    let token = loaded.unwrap().config.token;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let context = LoginTaskContext {
        page: SignInPage::default(),
        ownership: Ownership::default(),
        sessions: LoginSessions::default(),
        proxy: None,
        attempts: AttemptCounter::default(),
    };
    let read = SecretReader::new(Vec::new(), Ownership::default()).into_function();
    let client = client(tls, &ProxyRule::Direct);
    login_task(&token, client, read, context).unwrap().0
}

#[tokio::test]
async fn a_sign_in_that_is_beginning_ends_when_the_person_signs_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tokens = tokens(listener.local_addr().unwrap());
    let logins = Logins::new(None, StoppedTasks::default());
    let (asked, is_asked) = oneshot::channel();
    let (respond, may_respond) = oneshot::channel::<()>();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_u8().await.unwrap();
        asked.send(()).unwrap();
        may_respond.await.unwrap();
        let body = r#"{"device_code":"d","user_code":"ABCD","verification_uri":"https://a.example/","expires_in":60}"#;
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length:";
        let response = format!("{head} {}\r\n\r\n{body}", body.len());
        stream.write_all(response.as_bytes()).await.unwrap();
        stream.read_to_end(&mut Vec::new()).await.unwrap();
    });
    let serving: ServingTokens = Arc::new(move || tokens.clone());
    let beginning = logins.begin_device(serving, false);
    let signing_out = async {
        is_asked.await.unwrap();
        logins.cancel().await;
        respond.send(()).unwrap();
    };
    let (begun, ()) = tokio::join!(beginning, signing_out);
    assert!(matches!(begun, Err(LoginNotStarted::Cancelled)));
    assert!(logins.lock().is_none());
}

#[tokio::test(start_paused = true)]
async fn nobody_completes_a_sign_in_after_five_minutes_and_its_address_is_free_then() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let more = format!(
        "authorization_url = \"http://{address}/a\"\nredirect_url = \"http://{address}/callback\""
    );
    let tokens = tokens_with("authorization_code", address, &more);
    let logins = Logins::new(None, StoppedTasks::default());
    let started = logins
        .begin(Arc::new(move || tokens.clone()), false)
        .await
        .unwrap();
    sleep(Duration::from_mins(5) - Duration::from_secs(1)).await;
    assert_eq!(logins.outcome(&started.id), LoginOutcome::Waiting);
    assert!(TcpListener::bind(address).await.is_err());
    sleep(Duration::from_secs(10)).await;
    assert_eq!(logins.outcome(&started.id), LoginOutcome::Expired);
    TcpListener::bind(address).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn nobody_is_replaced_without_a_yes_and_the_question_ends_with_the_sign_in() {
    let tokens = tokens("127.0.0.1:1".parse().unwrap());
    let serving: ServingTokens = Arc::new(move || tokens.clone());
    let logins = Logins::new(None, StoppedTasks::default());
    let change = PersonChange {
        who: Some("Otto".to_owned()),
        before: Some("Ada".to_owned()),
    };
    let ask = |outcome: &watch::Sender<LoginOutcome>, replaces| {
        let completion = logins.completion(Arc::clone(&serving), replaces, outcome, LIFETIME);
        let change = change.clone();
        async move { completion.confirm(change).await }
    };
    let outcome = watch::Sender::new(LoginOutcome::Waiting);
    assert!(!ask(&outcome, false).await);
    assert_eq!(*outcome.borrow(), LoginOutcome::Expired);
    for (is_yes, replaces) in [(true, false), (false, false), (true, true)] {
        let outcome = watch::Sender::new(LoginOutcome::Waiting);
        let answering = async {
            sleep(Duration::from_mins(4)).await;
            assert_eq!(outcome.borrow().as_str(), "waiting");
            assert_eq!(answer(&outcome, is_yes), !replaces);
            assert!(!answer(&outcome, true), "answered twice");
        };
        let (is_confirmed, ()) = tokio::join!(ask(&outcome, replaces), answering);
        assert_eq!(is_confirmed, is_yes);
        assert_eq!(outcome.borrow().as_str() == "denied", !is_yes);
    }
    let outcome = watch::Sender::new(LoginOutcome::Waiting);
    let ending = async {
        sleep(Duration::from_secs(1)).await;
        settle(&outcome, LoginOutcome::Replaced);
    };
    assert_eq!(tokio::join!(ask(&outcome, false), ending), (false, ()));
}
