use std::time::{Duration, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::json;

use super::*;
use crate::config::{Algorithm, Overrides, Surroundings, load_text};
use crate::credentials::SecretSource;
use crate::token::generate_key;

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
    let said = describe(&client, None, jwt(&claims).as_bytes(), now).unwrap();
    assert_eq!(
        said,
        "iss https://cluster.example.com, sub system:serviceaccount:shop:orders, aud https://as.example.com and other, \
         valid until 2027-01-15T09:00:00Z (in 1h); the server must trust iss, know sub as this client, and accept aud as \
         its own name"
    );
    let grant = source(SourceRole::Grant, SecretForm::Token);
    let said = describe(&grant, None, jwt(&json!({ "sub": "me" })).as_bytes(), now).unwrap();
    assert!(
        said.starts_with("no iss, sub me, no aud, without end; "),
        "{said}"
    );
    let actor = source(SourceRole::Actor, SecretForm::Jwt);
    let said = describe(&actor, None, jwt(&json!({ "sub": "me" })).as_bytes(), now).unwrap();
    assert!(said.contains("let sub act for the subject"), "{said}");
}

#[test]
fn the_claims_of_an_assertion_that_is_signed_here_are_named_too() {
    let key = generate_key(Algorithm::Es256).unwrap().private;
    let said = |lines: &str| {
        let text = format!(
            "upstream.url = \"https://api.example.com\"\n[token]\nurl = \"https://as.example.com/token\"\n{lines}\n\
             private_key = {{ file = \"/k\" }}"
        );
        let loaded = load_text(&text, &Overrides::default(), &Surroundings::default());
        let config = loaded
            .unwrap_or_else(|problems| panic!("{problems}"))
            .config;
        let grant = config.token.grant().unwrap();
        // Exposed to be used as the proxy uses it.
        describe(
            &grant.sources[0],
            Some(grant),
            key.expose(),
            SystemTime::now(),
        )
        .unwrap()
    };
    assert_eq!(
        said(
            "auth = \"none\"\ngrant = \"jwt_bearer\"\naudience = \"https://as.example.com\"\n\
             claims = { iss = \"app\", sub = \"job@example.com\", hidden = \"x\" }"
        ),
        "signs iss app, sub job@example.com, aud https://as.example.com; the server must have this key's public half \
         for iss, let it act as sub, and accept aud as its own name"
    );
    assert_eq!(
        said("client_id = \"orders\"\nauth = \"private_key_jwt\""),
        "signs iss and sub orders, aud https://as.example.com/token; the server must have this key's public half for \
         that client, and accept aud as its own name"
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
    let said = describe(&jwt_form, None, encrypted.as_bytes(), now).unwrap();
    assert!(said.contains("encrypted"), "{said}");
    let token = source(SourceRole::Grant, SecretForm::Token);
    assert_eq!(describe(&token, None, b"opaque", now), None);
    let text = source(SourceRole::Client, SecretForm::Text);
    assert_eq!(describe(&text, None, jwt(&json!({})).as_bytes(), now), None);
}
