use std::time::{Duration, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::json;

use super::*;
use crate::credentials::SecretSource;

fn source(role: SourceRole, form: SecretForm) -> RequestSource {
    RequestSource {
        role,
        source: SecretSource::File("/run/token".into()),
        key: "token.client_assertion",
        form,
    }
}

fn jwt(claims: &Value) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.c2ln", part(&json!({ "alg": "RS256" })), part(claims))
}

#[test]
fn the_claims_that_the_server_must_know_are_named_and_nothing_else_of_the_token() {
    let now = UNIX_EPOCH + Duration::from_hours(500_000);
    let claims = json!({
        "iss": "https://cluster.example.com", "sub": "system:serviceaccount:shop:orders",
        "aud": ["https://as.example.com", "other"], "exp": 1_800_003_600, "hunter2": "hunter2",
    });
    let client = source(SourceRole::Client, SecretForm::Jwt);
    let said = describe(&client, jwt(&claims).as_bytes(), now).unwrap();
    assert_eq!(
        said,
        "iss https://cluster.example.com, sub system:serviceaccount:shop:orders, aud https://as.example.com and other, \
         valid until 2027-01-15T09:00:00Z (in 1h); the server must trust iss, know sub as this client, and accept aud as \
         its own name"
    );
    let grant = source(SourceRole::Grant, SecretForm::Token);
    let said = describe(&grant, jwt(&json!({ "sub": "me" })).as_bytes(), now).unwrap();
    assert!(
        said.starts_with("no iss, sub me, no aud, without end; "),
        "{said}"
    );
}

#[test]
fn an_encrypted_token_is_called_so_and_a_secret_or_an_opaque_token_has_no_claims() {
    let part = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    let header = part(&json!({ "alg": "dir", "enc": "A256GCM" }).to_string());
    let encrypted = format!(
        "{header}..{}.{}.{}",
        part("iv"),
        part("content"),
        part("tag")
    );
    let now = SystemTime::now();
    let jwt_form = source(SourceRole::Grant, SecretForm::Jwt);
    let said = describe(&jwt_form, encrypted.as_bytes(), now).unwrap();
    assert!(said.contains("encrypted"), "{said}");
    let token = source(SourceRole::Grant, SecretForm::Token);
    assert_eq!(describe(&token, b"opaque", now), None);
    let text = source(SourceRole::Client, SecretForm::Text);
    assert_eq!(describe(&text, jwt(&json!({})).as_bytes(), now), None);
}
