//! What becomes of an identity whose person signs in at an authorization server once another one serves.

use std::sync::Arc;

use tokio::time::timeout;

use super::endpoint::{ScriptedEndpoint, answer, client, config, proxy_config};
use super::scene::{client_secret, s};
use crate::config::{ClientAuth, GrantType, LoginConfig, LoginStore};
use crate::credentials::Secret;
use crate::token::stored_session::{StoredPerson, StoredSession};
use crate::token::{
    AttemptCounter, LoginSessions, LoginTaskContext, NoNewerToken, Ownership, RequestRoute,
    SignInPage, Tokens, login_task,
};

/// An endpoint that grants another token and another refresh token each time.
pub(super) async fn server() -> ScriptedEndpoint {
    let granting = ScriptedEndpoint::new(|number| {
        let granted = format!(
            r#"{{"access_token":"at-{number}","token_type":"Bearer","expires_in":300,"refresh_token":"rt-{number}"}}"#
        );
        answer("200 OK", "application/json", &granted)
    });
    granting.await
}

/// An identity for this scope, of a proxy with these sessions. Its task runs.
pub(super) fn identity(server: &ScriptedEndpoint, sessions: &LoginSessions, scope: &str) -> Tokens {
    identity_with(LoginStore::Memory, server, sessions, scope)
}

/// The same with this store.
pub(super) fn identity_with(
    store: LoginStore,
    server: &ScriptedEndpoint,
    sessions: &LoginSessions,
    scope: &str,
) -> Tokens {
    let mut config = config(server.url.clone(), ClientAuth::Basic);
    config.scope = Some(scope.to_owned());
    config.grant = GrantType::AuthorizationCode(Box::new(LoginConfig {
        is_device_only: false,
        device_url: None,
        store,
        redirect_url: "http://127.0.0.1:6753/callback".parse().unwrap(),
        authorization_url: None,
        revocation_url: Some(server.url.clone()),
        issuer: None,
        api: None,
    }));
    let context = LoginTaskContext {
        page: SignInPage::default(),
        ownership: Ownership::default(),
        sessions: sessions.clone(),
        proxy: None,
        attempts: AttemptCounter::default(),
    };
    let read = Arc::new(|_| Box::pin(async { Ok(client_secret(Secret::new("s"))) }) as _);
    let (tokens, task) = login_task(&proxy_config(config), client(), read, context).unwrap();
    tokio::spawn(task.run());
    tokens
}

/// Signs a person in whose first refresh token is this one.
async fn sign_in(tokens: &Tokens, refresh_token: &str) {
    let session = StoredSession {
        refresh_token: Secret::new(refresh_token),
        person: StoredPerson::default(),
    };
    let login = tokens.person_login().unwrap();
    login.session.begin(Some(session), None, || ());
    tokens.shared.wake.notify_one();
    timeout(s(20), tokens.obtained()).await.unwrap();
}

pub(super) fn replace(before: &Tokens, after: &Tokens) {
    after.take_over_sign_in(before);
    after.replace_identity(before);
}

fn used(server: &ScriptedEndpoint, refresh_token: &str) -> usize {
    let requests = server.requests.lock().unwrap();
    let of_token = format!("grant_type=refresh_token&refresh_token={refresh_token}&");
    let sent = requests
        .iter()
        .filter(|one| format!("{one}&").contains(&of_token));
    sent.count()
}

#[tokio::test]
async fn only_the_identity_that_serves_renews_and_the_one_before_uses_its_token() {
    let (server, sessions) = (server().await, LoginSessions::default());
    let before = identity(&server, &sessions, "a");
    sign_in(&before, "ada").await;
    let after = identity(&server, &sessions, "a");
    replace(&before, &after);
    let route = RequestRoute::of("GET", "/");
    let number = before.usable().unwrap().generation;
    let newer = before.newer_than(number, route).await;
    assert!(matches!(newer, Err(NoNewerToken::Superseded)), "{newer:?}");
    let renewed = after.newer_than(after.usable().unwrap().generation, route);
    let renewed = renewed.await.unwrap();
    let newer = before.newer_than(number, route).await.unwrap();
    assert_eq!(newer.header, renewed.header);
    assert_eq!(server.requests.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_sign_out_ends_the_session_of_an_identity_with_another_scope_too() {
    let (server, sessions) = (server().await, LoginSessions::default());
    let before = identity(&server, &sessions, "a");
    sign_in(&before, "ada").await;
    let after = identity(&server, &sessions, "b");
    sign_in(&after, "ada-b").await;
    replace(&before, &after);
    let problem = after.sign_out().unwrap().revoke().await;
    assert_eq!(problem, None);
    assert!(before.usable().is_none() && after.usable().is_none());
    let revoked = |token: &str| {
        let requests = server.requests.lock().unwrap();
        let text = format!("token={token}&token_type_hint=refresh_token");
        requests.iter().any(|one| one.contains(&text))
    };
    assert!(revoked("rt-1") && revoked("rt-2"));
    let newer = before.newer_than(1, RequestRoute::of("GET", "/")).await;
    assert!(
        matches!(newer, Err(NoNewerToken::PersonNeeded)),
        "{newer:?}"
    );
    assert_eq!(used(&server, "rt-1"), 0);
}

#[tokio::test]
async fn a_sign_out_reaches_an_identity_that_was_replaced_while_nobody_was_signed_in() {
    let (server, sessions) = (server().await, LoginSessions::default());
    let before = identity(&server, &sessions, "a");
    let after = identity(&server, &sessions, "a");
    after.take_over_sign_in(&before);
    sign_in(&after, "ada").await;
    timeout(s(40), before.bearer()).await.unwrap().unwrap();
    after.replace_identity(&before);
    drop(after.sign_out().unwrap());
    assert!(before.usable().is_none() && after.usable().is_none());
}
