//! A request is sent for one person only, whoever signs in while it waits, here or in another process.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::HeaderValue;
use tokio::time::timeout;

use super::endpoint::{Act, ScriptedEndpoint, answer};
use super::pasting::{jwt, jwt_of};
use super::scene::{ms, s};
use super::superseded::{identity, identity_with, replace, server};
use crate::config::LoginStore;
use crate::credentials::Secret;
use crate::token::granted_tokens::GrantedTokens;
use crate::token::login::PendingLogin;
use crate::token::response::AccessToken;
use crate::token::{
    LoginCompletion, LoginSessions, PersonChange, RequestRoute, TokenUnavailable, Tokens,
};

/// Confirms whatever it is asked about, and counts that.
struct Confirming(Tokens, AtomicUsize);

impl LoginCompletion for Confirming {
    fn serving(&self) -> Tokens {
        self.0.clone()
    }

    async fn confirm(&self, _change: PersonChange) -> bool {
        self.1.fetch_add(1, Ordering::Relaxed);
        true
    }

    fn commit(&self, adopt: &mut dyn FnMut()) {
        adopt();
    }
}

/// Completes a sign-in that the server has answered with this access token. Returns how often the person was asked
/// whether someone else is to be signed in.
async fn sign_in_with(tokens: &Tokens, token: &str, lifetime: Duration) -> usize {
    let pending = PendingLogin {
        tokens: tokens.clone(),
        login: tokens.person_login().unwrap(),
        nonce: None,
    };
    let granted = GrantedTokens {
        access: Ok(AccessToken {
            header: HeaderValue::try_from(format!("Bearer {token}")).unwrap(),
            token_start: "Bearer ".len(),
            lifetime,
            is_untyped: false,
        }),
        refresh: Some(Secret::new(format!("refresh-{:016x}", fastrand::u64(..)))),
        id_token: None,
    };
    let completion = Confirming(tokens.clone(), AtomicUsize::new(0));
    let finishing = pending.finish(granted, pending.now(), &completion);
    finishing.await.unwrap();
    completion.1.into_inner()
}

async fn sign_in_as(tokens: &Tokens, person: &str, lifetime: Duration) {
    sign_in_with(tokens, &jwt(person, 3600), lifetime).await;
}

/// Tokens of two persons that do not say whose they are: one that nobody can read, and two of the same client.
fn nameless(number: u32) -> [String; 2] {
    let claims =
        format!(r#"{{"iss":"https://as.example.com","client_id":"app","jti":"{number}"}}"#);
    [format!("opaque-{number}"), jwt_of(&claims)]
}

fn is_signed_out<T>(outcome: &Result<T, TokenUnavailable>) -> bool {
    matches!(outcome, Err(TokenUnavailable::SignedOut(_)))
}

#[tokio::test]
async fn a_request_that_waits_for_a_renewal_is_not_sent_as_whoever_signs_in_meanwhile() {
    let hanging = ScriptedEndpoint::new(|_| Act::Drip(b"HTTP/1.1 200 OK\r\nX: ".to_vec())).await;
    for next in ["ada", "bob"] {
        let tokens = identity(&hanging, &LoginSessions::default(), "a");
        sign_in_as(&tokens, "ada", Duration::ZERO).await;
        let mut waiting = pin!(tokens.bearer());
        assert!(timeout(ms(50), &mut waiting).await.is_err());
        sign_in_as(&tokens, next, s(300)).await;
        let outcome = timeout(s(5), waiting).await.unwrap();
        if next == "ada" {
            let current = tokens.usable().unwrap();
            assert_eq!(outcome.unwrap().header, current.header);
        } else {
            assert!(is_signed_out(&outcome), "{outcome:?}");
        }
        // One that comes in now is sent for the person of now.
        tokens.bearer().await.unwrap();
    }
}

#[tokio::test]
async fn a_request_keeps_its_person_when_the_token_is_renewed_and_loses_it_with_a_sign_out() {
    let (server, sessions) = (server().await, LoginSessions::default());
    let tokens = identity(&server, &sessions, "a");
    sign_in_as(&tokens, "ada", s(300)).await;
    let of_ada = tokens.usable().unwrap();
    let route = RequestRoute::of("GET", "/");
    let renewed = tokens.newer_than(of_ada.generation, route).await.unwrap();
    assert_eq!(renewed.session, of_ada.session);
    let sent = tokens.bearer_after(&of_ada).await.unwrap();
    assert_eq!(sent.header, renewed.header);
    sign_in_as(&tokens, "bob", s(300)).await;
    assert!(is_signed_out(&tokens.bearer_after(&of_ada).await));
    let of_bob = tokens.bearer().await.unwrap();
    assert!(tokens.bearer_after(&of_bob).await.is_ok());
    drop(tokens.sign_out().unwrap());
    let outcome = tokens.bearer_after(&of_bob).await;
    assert!(matches!(outcome, Err(TokenUnavailable::LoginRequired(_))));
    sign_in_as(&tokens, "bob", s(300)).await;
    assert!(is_signed_out(&tokens.bearer_after(&of_bob).await));
}

#[tokio::test]
async fn a_request_from_before_a_reload_keeps_its_person_too() {
    let (server, sessions) = (server().await, LoginSessions::default());
    let before = identity(&server, &sessions, "a");
    let after = identity(&server, &sessions, "a");
    // Nobody is signed in yet, so the two have no tunnels in common.
    replace(&before, &after);
    sign_in_as(&after, "ada", s(300)).await;
    let of_ada = before.bearer().await.unwrap();
    sign_in_as(&after, "bob", s(300)).await;
    assert!(is_signed_out(&before.bearer_after(&of_ada).await));
    let of_bob = before.bearer().await.unwrap();
    let last = identity(&server, &sessions, "a");
    replace(&after, &last);
    for tokens in [&before, &after, &last] {
        assert!(tokens.bearer_after(&of_bob).await.is_ok());
    }
    sign_in_as(&last, "ada", s(300)).await;
    for tokens in [&before, &after, &last] {
        assert!(is_signed_out(&tokens.bearer_after(&of_bob).await));
    }
}

#[tokio::test]
async fn a_sign_in_elsewhere_ends_tunnels_even_if_no_token_says_whose_it_is() {
    let server = server().await;
    for (one, other) in nameless(1).into_iter().zip(nameless(2)) {
        let directory = tempfile::tempdir().unwrap();
        let store = LoginStore::File(directory.path().join("login.json"));
        let start = || identity_with(store.clone(), &server, &LoginSessions::default(), "a");
        let first = start();
        assert_eq!(sign_in_with(&first, &one, s(300)).await, 0);
        let second = start();
        let found = timeout(s(20), second.obtained()).await.unwrap();
        let (tunnel, kept) = (second.session().unwrap(), second.session().unwrap());
        for tokens in [&first, &second] {
            tokens.refresh().await.unwrap();
        }
        assert!(second.bearer_after(&found).await.is_ok());
        assert!(timeout(ms(50), kept.ended()).await.is_err());
        assert_eq!(sign_in_with(&first, &other, s(300)).await, 1, "{other}");
        second.refresh().await.unwrap();
        assert!(timeout(s(5), tunnel.ended()).await.is_ok(), "{other}");
        assert!(is_signed_out(&second.bearer_after(&found).await), "{other}");
        // After a restart, whoever signs in may still be anyone.
        let third = start();
        let found = timeout(s(20), third.obtained()).await.unwrap();
        assert_eq!(sign_in_with(&third, &one, s(300)).await, 1, "{one}");
        assert!(is_signed_out(&third.bearer_after(&found).await), "{one}");
        third.sign_out().unwrap().revoke().await;
        assert_eq!(sign_in_with(&third, &other, s(300)).await, 0, "{other}");
    }
}

#[tokio::test]
async fn a_subject_that_is_a_number_tells_persons_apart() {
    let server = server().await;
    let of = |subject: u32| jwt_of(&format!(r#"{{"client_id":"app","sub":{subject}}}"#));
    let tokens = identity(&server, &LoginSessions::default(), "a");
    for (subject, asked) in [(1001, 0), (1001, 0), (1002, 1)] {
        assert_eq!(sign_in_with(&tokens, &of(subject), s(300)).await, asked);
    }
}

#[tokio::test]
async fn a_renewal_that_brings_the_token_of_another_person_ends_the_session() {
    for (person, is_kept) in [("ada", true), ("otto", false)] {
        let token = jwt(person, 3600);
        let granted = format!(
            r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":300,"refresh_token":"of-{person}"}}"#
        );
        let server = ScriptedEndpoint::new(move |_| answer("200 OK", "application/json", &granted));
        let server = server.await;
        let directory = tempfile::tempdir().unwrap();
        let store = LoginStore::File(directory.path().join("login.json"));
        let tokens = identity_with(store, &server, &LoginSessions::default(), "a");
        sign_in_as(&tokens, "ada", s(300)).await;
        let (of_ada, tunnel) = (tokens.bearer().await.unwrap(), tokens.session().unwrap());
        let renewed = tokens.refresh().await;
        assert_eq!(renewed.is_ok(), is_kept, "{renewed:?}");
        assert_eq!(tokens.bearer_after(&of_ada).await.is_ok(), is_kept);
        assert_eq!(timeout(ms(300), tunnel.ended()).await.is_err(), is_kept);
        assert_eq!(tokens.signed_in().is_some(), is_kept);
        if !is_kept {
            let outcome = tokens.bearer().await;
            assert!(matches!(outcome, Err(TokenUnavailable::LoginRequired(_))));
            let revoked = || {
                let requests = server.requests.lock().unwrap();
                requests.iter().any(|one| one.contains("token=of-otto&"))
            };
            timeout(s(5), async {
                while !revoked() {
                    tokio::time::sleep(ms(10)).await;
                }
            })
            .await
            .unwrap();
        }
    }
}

#[tokio::test]
async fn a_sign_out_of_several_identities_revokes_the_token_of_each_session_once() {
    let server = server().await;
    let directory = tempfile::tempdir().unwrap();
    let store = LoginStore::File(directory.path().join("login.json"));
    let sessions = LoginSessions::default();
    let before = identity_with(store.clone(), &server, &sessions, "a");
    let after = identity_with(store, &server, &sessions, "a");
    sign_in_as(&after, "ada", s(300)).await;
    let of_another = identity(&server, &sessions, "b");
    sign_in_as(&of_another, "ada", s(300)).await;
    let (of_person, of_nobody) = (after.sign_out().unwrap(), before.sign_out().unwrap());
    // The one that has no token finds that of the other in the store.
    let signed_out = of_nobody.and(of_person).and(of_another.sign_out().unwrap());
    assert_eq!(signed_out.revoke().await, None);
    let requests = server.requests.lock().unwrap();
    let revoked = requests.iter().filter(|one| one.contains("token=refresh-"));
    assert_eq!(revoked.count(), 2, "{requests:?}");
}
