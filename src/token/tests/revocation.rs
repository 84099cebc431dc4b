//! What a revocation and a request for a code present is checked as for a token request.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::endpoint::{Act, ScriptedEndpoint, answer, client, config};
use super::scene::client_secret;
use crate::config::{ClientAuth, GrantType, LoginConfig, LoginStore, SecretForm};
use crate::credentials::Secret;
use crate::token::LoginError;
use crate::token::grant::Grant;
use crate::token::grant_error::GrantError;
use crate::token::grant_revocation::RevokedToken;

fn assertion(claims: &Value) -> Secret {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    Secret::new(format!("{}.{}.c2ln", part(&json!({ "alg": "RS256" })), part(claims)).as_str())
}

/// Revokes a refresh token at an endpoint that does `act`, with this assertion of the client. Returns how that ended,
/// and what the endpoint received.
async fn revoke(act: Act, assertion: Secret) -> (Result<bool, GrantError>, Vec<String>) {
    let endpoint = ScriptedEndpoint::new(move |_| act.clone()).await;
    let grant = grant_at(&endpoint);
    let (secrets, token) = (client_secret(assertion), Secret::new("refresh"));
    let revoked = grant.revoke(&secrets, &token, RevokedToken::Refresh).await;
    let received = endpoint.requests.lock().unwrap().clone();
    (revoked, received)
}

fn grant_at(endpoint: &ScriptedEndpoint) -> Grant {
    let mut config = config(endpoint.url.clone(), ClientAuth::ClientAssertion);
    config.sources[0].form = SecretForm::Jwt;
    config.grant = GrantType::AuthorizationCode(Box::new(LoginConfig {
        is_device_only: false,
        device_url: Some(endpoint.url.clone()),
        store: LoginStore::Memory,
        redirect_url: "http://127.0.0.1:6753/callback".parse().unwrap(),
        authorization_url: None,
        revocation_url: Some(endpoint.url.clone()),
        issuer: None,
        api: None,
    }));
    Grant::new(config, client())
}

fn seconds_from_now(seconds: u64) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    (now + Duration::from_secs(seconds)).as_secs()
}

#[tokio::test]
async fn a_revocation_presents_neither_an_expired_assertion_nor_the_token_of_the_cluster() {
    let good = answer("200 OK", "application/json", "{}");
    let valid = json!({ "sub": "me", "exp": seconds_from_now(60) });
    let (revoked, received) = revoke(good.clone(), assertion(&valid)).await;
    assert!(revoked.is_ok_and(|revoked| revoked));
    assert_eq!(received.len(), 1);

    let server = "https://kubernetes.default.svc";
    let cluster = json!({ "iss": server, "aud": [server], "kubernetes.io": {} });
    for unusable in [
        json!({ "sub": "me", "exp": seconds_from_now(0) - 1 }),
        cluster,
    ] {
        let (revoked, received) = revoke(good.clone(), assertion(&unusable)).await;
        assert!(matches!(revoked, Err(GrantError::PresentedToken { .. })));
        assert!(received.is_empty(), "{received:?}");
    }
}

#[tokio::test]
async fn a_request_for_a_code_presents_no_expired_assertion() {
    let code = r#"{"device_code":"d","user_code":"ABCD","verification_uri":"https://a.example/","expires_in":60}"#;
    let endpoint = ScriptedEndpoint::new(move |_| answer("200 OK", "application/json", code)).await;
    let grant = grant_at(&endpoint);
    let ask = async |claims: &Value| {
        let secrets = client_secret(assertion(claims));
        let asked = grant.authorize_device(&secrets).await;
        asked.map(drop)
    };
    let expired = json!({ "sub": "me", "exp": seconds_from_now(0) - 1 });
    let asked = ask(&expired).await;
    let is_refused = matches!(
        asked,
        Err(LoginError::Server(GrantError::PresentedToken { .. }))
    );
    assert!(is_refused, "{asked:?}");
    assert!(endpoint.requests.lock().unwrap().is_empty());
    let valid = json!({ "sub": "me", "exp": seconds_from_now(60) });
    ask(&valid).await.unwrap();
    assert_eq!(endpoint.requests.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_revocation_ends_with_the_assertion_that_it_presents() {
    let hanging = Act::Drip(b"HTTP/1.1 200 OK\r\nX: ".to_vec());
    let claims = json!({ "sub": "me", "exp": seconds_from_now(2) });
    let (revoked, _) = revoke(hanging, assertion(&claims)).await;
    let error = revoked.expect_err("the response never ends");
    assert!(
        matches!(error, GrantError::PresentedToken { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn an_error_names_the_endpoint_that_was_asked_and_the_key_of_its_address() {
    let redirect = b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n";
    let acts = [
        (
            answer("503 Service Unavailable", "text/html", ""),
            "responded with 503",
        ),
        (
            answer("401 Unauthorized", "text/html", ""),
            "rejected the request with 401",
        ),
        (Act::Send(redirect.to_vec()), "responded with 302"),
        (Act::Send(b"nonsense\r\n\r\n".to_vec()), "is not HTTP/1.1"),
        (
            Act::Drip(b"HTTP/1.1 200 OK\r\nX: ".to_vec()),
            "no complete response",
        ),
    ];
    let valid = json!({ "sub": "me", "exp": seconds_from_now(60) });
    for (act, words) in acts {
        let endpoint = ScriptedEndpoint::new(move |_| act.clone()).await;
        let mut grant = grant_at(&endpoint);
        grant.limit = Duration::from_millis(300);
        let secrets = client_secret(assertion(&valid));
        let asked = grant.authorize_device(&secrets).await.map(drop);
        let Err(LoginError::Server(of_device)) = asked else {
            panic!("{asked:?}");
        };
        let token = Secret::new("refresh");
        let revoked = grant.revoke(&secrets, &token, RevokedToken::Refresh).await;
        let of_revocation = revoked.expect_err("no act confirms it").chain();
        let both = [
            (
                of_device.chain(),
                "device authorization endpoint",
                "token.device_url",
            ),
            (of_revocation, "revocation endpoint", "token.revocation_url"),
        ];
        for (text, name, key) in both {
            assert!(text.contains(name) && text.contains(words), "{text}");
            assert!(
                !text.contains("token endpoint") && !text.contains("token.url"),
                "{text}"
            );
            let is_unreachable = words == "is not HTTP/1.1";
            assert_eq!(text.contains(key), is_unreachable, "{text}");
        }
    }
}
