//! Client authentication as the endpoint sees it: assertions, clocks, certificates.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use jsonwebtoken::{Algorithm as Name, DecodingKey, Validation, decode, decode_header};
use serde_json::Value;

use super::endpoint::{Act, ScriptedEndpoint, answer, client, config};
use super::scene::{client_secret, s};
use crate::config::{
    self, Algorithm, ClientAuth, GrantType, RequestSource, SecretForm, SourceRole,
};
use crate::credentials::{self, Secret, SecretSource};
use crate::token::grant::Grant;
use crate::token::grant_error::GrantError;
use crate::token::key::generate_key;
use crate::token::request_secrets::RequestSecrets;

const GOOD: &str = r#"{"access_token":"abc.def","token_type":"Bearer","expires_in":3600}"#;
pub(super) const SECRET: &str = "a client secret of at least thirty-two bytes";

pub(super) fn granted() -> Act {
    answer("200 OK", "application/json", GOOD)
}

fn form(request: &str) -> BTreeMap<String, String> {
    let body = request.split_once("\r\n\r\n").unwrap().1;
    form_urlencoded::parse(body.as_bytes())
        .into_owned()
        .collect()
}

fn unverified(assertion: &str) -> Value {
    jsonwebtoken::dangerous::insecure_decode::<Value>(assertion)
        .unwrap()
        .claims
}

fn now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()
}

pub(super) async fn asked(
    config: config::GrantConfig,
    secret: &Secret,
    endpoint: &ScriptedEndpoint,
) -> Vec<String> {
    let grant = Grant::new(config, client());
    grant
        .exchange(&client_secret(secret.clone()))
        .await
        .unwrap();
    grant
        .exchange(&client_secret(secret.clone()))
        .await
        .unwrap();
    endpoint.requests.lock().unwrap().clone()
}

/// A configuration, and the assertion that it must yield.
struct Case {
    auth: ClientAuth,
    algorithm: Option<Algorithm>,
    secret: Secret,
    name: Name,
    verified_by: DecodingKey,
    kid: Option<String>,
}

fn by_secret(algorithm: Option<Algorithm>, name: Name) -> Case {
    Case {
        auth: ClientAuth::SecretJwt,
        algorithm,
        secret: Secret::new(SECRET),
        name,
        verified_by: DecodingKey::from_secret(SECRET.as_bytes()),
        kid: None,
    }
}

/// `configured` is the algorithm, if it is not the one that follows from the key.
fn by_key(made_for: Algorithm, configured: Option<Algorithm>, name: Name) -> Case {
    let key = generate_key(made_for).unwrap();
    let jwk = serde_json::from_value(key.public["keys"][0].clone()).unwrap();
    Case {
        auth: ClientAuth::PrivateKeyJwt,
        algorithm: configured,
        secret: key.private,
        name,
        verified_by: DecodingKey::from_jwk(&jwk).unwrap(),
        kid: Some(key.id),
    }
}

#[tokio::test]
async fn an_assertion_is_signed_short_lived_used_once_and_has_one_audience() {
    for case in [
        by_secret(None, Name::HS256),
        by_secret(Some(Algorithm::Hs384), Name::HS384),
        by_secret(Some(Algorithm::Hs512), Name::HS512),
        by_key(Algorithm::Rs256, None, Name::RS256),
        by_key(Algorithm::Rs256, Some(Algorithm::Rs384), Name::RS384),
        by_key(Algorithm::Rs256, Some(Algorithm::Rs512), Name::RS512),
        by_key(Algorithm::Es256, None, Name::ES256),
    ] {
        let endpoint = ScriptedEndpoint::new(|_| granted()).await;
        let mut config = config(endpoint.url.clone(), case.auth);
        config.assertion.algorithm = case.algorithm;
        let requests = asked(config, &case.secret, &endpoint).await;
        let jtis: Vec<String> = requests
            .iter()
            .map(|request| verify(&case, request))
            .collect();
        assert_eq!(jtis.len(), 2);
        assert_ne!(jtis[0], jtis[1]);
        assert!(jtis[0].len() >= 22, "128 bits: {}", jtis[0]);
    }
}

/// Checks one request's assertion against the case, and returns its `jti`.
fn verify(case: &Case, request: &str) -> String {
    let form = form(request);
    assert!(!request.contains("authorization:") && !request.contains("client_secret="));
    assert_eq!(
        form["client_assertion_type"],
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    );
    let assertion = &form["client_assertion"];
    assert_eq!(decode_header(assertion).unwrap().kid, case.kid);
    let mut rules = Validation::new(case.name);
    rules.set_audience(&["https://as.example.com"]);
    rules.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
    let claims = decode::<Value>(assertion, &case.verified_by, &rules)
        .unwrap()
        .claims;
    assert_eq!(
        (&claims["iss"], &claims["sub"]),
        (&"app".into(), &"app".into())
    );
    assert_eq!(
        claims["aud"], "https://as.example.com",
        "one string, not a list"
    );
    let lives = claims["exp"].as_u64().unwrap() - now();
    assert!((60..=300).contains(&lives), "{lives}");
    assert!(claims.get("nbf").is_none());
    claims["jti"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_configured_key_id_is_sent_instead_of_the_thumbprint() {
    let key = generate_key(Algorithm::Es256).unwrap();
    let endpoint = ScriptedEndpoint::new(|_| granted()).await;
    let mut config = config(endpoint.url.clone(), ClientAuth::PrivateKeyJwt);
    config.assertion.key_id = Some("2026-01".to_owned());
    let requests = asked(config, &key.private, &endpoint).await;
    let header = decode_header(&form(&requests[0])["client_assertion"]).unwrap();
    assert_eq!(header.kid.as_deref(), Some("2026-01"));
}

#[tokio::test]
async fn a_key_that_cannot_sign_is_reported_before_anything_is_sent() {
    let endpoint = ScriptedEndpoint::new(|_| granted()).await;
    let grant = Grant::new(
        config(endpoint.url.clone(), ClientAuth::PrivateKeyJwt),
        client(),
    );
    let failure = grant
        .exchange(&client_secret(Secret::new("hunter2")))
        .await
        .unwrap_err();
    assert!(failure.is_rejection());
    assert_eq!(
        failure.chain(),
        "the private key cannot be used: it is neither PEM nor a JWK"
    );
    assert!(endpoint.requests.lock().unwrap().is_empty());
}

/// A rejection by a server whose clock is this far ahead.
fn rejection(ahead_s: i64) -> Act {
    let by = Duration::from_secs(ahead_s.unsigned_abs());
    let now = SystemTime::now();
    let theirs = if ahead_s < 0 { now - by } else { now + by };
    let date = httpdate::fmt_http_date(theirs);
    let body = r#"{"error":"invalid_client"}"#;
    let text = format!(
        "HTTP/1.1 401 Unauthorized\r\nDate: {date}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    Act::Send(text.into_bytes())
}

#[tokio::test]
async fn after_a_rejection_by_a_server_with_another_clock_the_next_assertion_carries_its_time() {
    for ahead in [600, -600] {
        let endpoint = ScriptedEndpoint::new(move |number| match number {
            1 => rejection(ahead),
            _ => granted(),
        })
        .await;
        let config = config(endpoint.url.clone(), ClientAuth::SecretJwt);
        let requests = asked(config, &Secret::new(SECRET), &endpoint).await;
        let expiries: Vec<i64> = requests
            .iter()
            .map(|request| {
                let claims = unverified(&form(request)["client_assertion"]);
                claims["exp"].as_i64().unwrap() - now().cast_signed()
            })
            .collect();
        assert_eq!(
            expiries.len(),
            3,
            "rejected, repeated at once, and the next one"
        );
        assert!(expiries[0].abs_diff(120) <= 3, "{expiries:?}");
        assert!(expiries[1].abs_diff(120 + ahead) <= 3, "{expiries:?}");
        assert!(
            expiries[2].abs_diff(120 + ahead) <= 3,
            "the correction is kept: {expiries:?}"
        );
    }
}

#[tokio::test]
async fn an_assertion_that_is_signed_for_the_grant_carries_the_servers_time_too() {
    let endpoint = ScriptedEndpoint::new(|number| match number {
        1 => rejection(600),
        _ => granted(),
    })
    .await;
    let case = by_key(Algorithm::Es256, None, Name::ES256);
    let mut config = config(endpoint.url.clone(), ClientAuth::None);
    config.grant = GrantType::SignedJwtBearer {
        assertion: config.assertion.clone(),
        claims: BTreeMap::new(),
    };
    let key = RequestSource {
        role: SourceRole::Grant,
        form: SecretForm::PrivateKey(config.assertion.clone()),
        source: SecretSource::Value(case.secret),
        key: "token.private_key",
    };
    let secrets = RequestSecrets::read(&[key], None).await.ok().unwrap();
    let grant = Grant::new(config, client());
    grant.exchange(&secrets).await.unwrap();
    let requests = endpoint.requests.lock().unwrap();
    let expiries = requests.iter().map(|request| {
        let claims = unverified(&form(request)["assertion"]);
        claims["exp"].as_i64().unwrap() - now().cast_signed()
    });
    let expiries: Vec<i64> = expiries.collect();
    assert_eq!(expiries.len(), 2);
    assert!(
        expiries[0].abs_diff(120) <= 3 && expiries[1].abs_diff(720) <= 3,
        "{expiries:?}"
    );
}

#[tokio::test]
async fn a_rejection_for_another_reason_is_not_repeated_and_corrects_no_clock() {
    for (auth, ahead) in [
        (ClientAuth::SecretJwt, 20),
        (ClientAuth::SecretJwt, -20),
        (ClientAuth::Basic, 600),
        (ClientAuth::Post, -600),
    ] {
        let endpoint = ScriptedEndpoint::new(move |_| rejection(ahead)).await;
        let grant = Grant::new(config(endpoint.url.clone(), auth), client());
        grant
            .exchange(&client_secret(Secret::new(SECRET)))
            .await
            .unwrap_err();
        assert_eq!(
            endpoint.requests.lock().unwrap().len(),
            1,
            "{auth:?} {ahead}"
        );
    }
    // the clocks differ, but that is not the only reason: one more request, not a loop
    let endpoint = ScriptedEndpoint::new(|_| rejection(600)).await;
    let grant = Grant::new(
        config(endpoint.url.clone(), ClientAuth::SecretJwt),
        client(),
    );
    for asked in [2, 3] {
        grant
            .exchange(&client_secret(Secret::new(SECRET)))
            .await
            .unwrap_err();
        assert_eq!(endpoint.requests.lock().unwrap().len(), asked);
    }
}

#[tokio::test]
async fn a_missing_or_mismatched_certificate_is_reported_and_nothing_is_sent() {
    let directory = tempfile::tempdir().unwrap();
    let one = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
    let other = rcgen::KeyPair::generate().unwrap();
    let files = credentials::CertificateFiles {
        to: credentials::PresentedTo::TokenEndpoint,
        cert_file: directory.path().join("tls.crt"),
        key_file: directory.path().join("tls.key"),
    };
    let endpoint = ScriptedEndpoint::new(|_| granted()).await;
    let mut config = config(endpoint.url.clone(), ClientAuth::Tls);
    config.certificate = Some(files.clone());
    let grant = Grant::new(config, client());
    let key = Secret::new("unused");

    for (certificate, private, expected) in [
        (None, None, "does not exist"),
        (Some("x".to_owned()), None, "contains no PEM certificate"),
        (Some(one.cert.pem()), None, "does not exist"),
        (
            Some(one.cert.pem()),
            Some("x".to_owned()),
            "holds no PEM private key",
        ),
        (
            Some(one.cert.pem()),
            Some(other.serialize_pem()),
            "is not the key of the first certificate",
        ),
    ] {
        for (path, text) in [(&files.cert_file, certificate), (&files.key_file, private)] {
            if let Some(text) = text {
                std::fs::write(path, text).unwrap();
            }
        }
        let failure = grant
            .exchange(&client_secret(key.clone()))
            .await
            .unwrap_err();
        assert!(matches!(failure, GrantError::CertificateUnusable(_)));
        assert!(failure.chain().contains(expected), "{}", failure.chain());
    }
    assert!(endpoint.requests.lock().unwrap().is_empty());

    // once the right key is in place, the next request succeeds
    std::fs::write(&files.key_file, one.signing_key.serialize_pem()).unwrap();
    assert_eq!(
        grant
            .exchange(&client_secret(key.clone()))
            .await
            .unwrap()
            .lifetime,
        s(3600)
    );
    let requests = endpoint.requests.lock().unwrap();
    assert!(requests[0].ends_with("&client_id=app"), "{}", requests[0]);
}
