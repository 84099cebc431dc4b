//! What the refresh task makes of a real endpoint, and how an attempt depends on the assertion that it presents.

use std::convert::Infallible;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use url::Url;

use super::endpoint::{Act, GOOD, ScriptedEndpoint, answer, client, config, proxy_config, reader};
use super::scene::{client_secret, ms, s};
use crate::config::{self, ClientAuth};
use crate::credentials::{Secret, SecretSource};
use crate::token::grant::Grant;
use crate::token::grant_error::GrantError;
use crate::token::{AttemptCounter, Ownership, TokenState, Tokens, refresh_task};

/// The tokens of this endpoint, and the task that keeps them fresh.
fn refreshing(endpoint: &ScriptedEndpoint) -> (Tokens, JoinHandle<Infallible>) {
    let (tokens, task) = refresh_task(
        &proxy_config(config(endpoint.url.clone(), ClientAuth::Basic)),
        client(),
        reader(),
        Ownership::default(),
        None,
        AttemptCounter::default(),
    );
    (tokens, tokio::spawn(task.run()))
}

#[tokio::test]
async fn an_empty_200_is_an_error_and_the_next_response_is_used() {
    let endpoint = ScriptedEndpoint::new(|number| match number {
        1 => answer("200 OK", "application/json", ""),
        _ => answer("200 OK", "application/json", GOOD),
    })
    .await;
    let (tokens, task) = refreshing(&endpoint);
    let first = tokens.settled().await;
    assert_eq!(
        first.last_error.as_deref(),
        Some("the token endpoint responded with 200 OK, but the response is empty")
    );
    let usable = async {
        while !tokens.snapshot().state.is_usable() {
            sleep(ms(10)).await;
        }
    };
    timeout(s(10), usable)
        .await
        .expect("it requests a token again");
    assert_eq!(tokens.snapshot().generation, 1);
    task.abort();
}

#[tokio::test]
async fn short_tokens_stay_fresh_over_real_sockets_and_real_time() {
    let body = r#"{"access_token":"abc.def","token_type":"Bearer","expires_in":2}"#;
    let endpoint = ScriptedEndpoint::new(move |_| answer("200 OK", "application/json", body)).await;
    let (tokens, task) = refreshing(&endpoint);
    tokens.bearer().await.unwrap();
    for _ in 0..50 {
        tokens.bearer().await.unwrap();
        sleep(ms(100)).await;
    }
    assert!(matches!(
        tokens.snapshot().state,
        TokenState::Fresh | TokenState::Stale
    ));
    let requests = endpoint.requests.lock().unwrap().len();
    assert!((3..=6).contains(&requests), "{requests}");
    task.abort();
}

/// An assertion that expires at this time.
fn assertion_until(exp: u64) -> Secret {
    let part = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    let claims = part(&format!(r#"{{"exp":{exp}}}"#));
    Secret::new(format!("{}.{claims}.c2ln", part(r#"{"alg":"RS256"}"#)))
}

fn presenting(endpoint: Url, secret: &Secret) -> config::GrantConfig {
    let mut config = config(endpoint, ClientAuth::ClientAssertion);
    config.sources[0].source = SecretSource::Value(secret.clone());
    config.sources[0].form = config::SecretForm::Jwt;
    config
}

#[tokio::test]
async fn an_attempt_ends_with_the_assertion_that_it_presents() {
    let endpoint = ScriptedEndpoint::new(|_| Act::Drip(b"HTTP/1.1 200 OK\r\nX: ".to_vec())).await;
    let now = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .unwrap()
        .as_secs();
    let secret = assertion_until(now + 2);
    let grant = Grant::new(presenting(endpoint.url.clone(), &secret), client());
    let secrets = client_secret(secret);
    let ended = timeout(s(8), grant.exchange(&secrets)).await;
    let failure = ended.expect("not the request's own limit").unwrap_err();
    assert!(
        matches!(failure, GrantError::PresentedToken { .. }),
        "{failure}"
    );
}

#[tokio::test]
async fn tokens_that_expire_one_after_the_other_are_one_kind_of_failure() {
    let endpoint = ScriptedEndpoint::new(|_| answer("200 OK", "application/json", GOOD)).await;
    let mut kinds = std::collections::BTreeSet::new();
    for exp in [1_000_000, 2_000_000] {
        let secret = assertion_until(exp);
        let grant = Grant::new(presenting(endpoint.url.clone(), &secret), client());
        kinds.insert(
            grant
                .exchange(&client_secret(secret))
                .await
                .unwrap_err()
                .kind(),
        );
    }
    assert_eq!(kinds.len(), 1, "{kinds:?}");
    assert!(endpoint.requests.lock().unwrap().is_empty());
}
