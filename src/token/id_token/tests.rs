use std::time::{Duration, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;

const NOW: u64 = 1_700_000_000;

fn read(changed: &Value) -> Result<DecodedToken, IdTokenDefect> {
    let mut claims = json!({
        "iss": "https://as.example.com", "sub": "ada", "aud": "client", "nonce": "n", "exp": NOW + 60,
    });
    for (name, value) in changed.as_object().unwrap() {
        claims[name] = value.clone();
    }
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let token = format!("{}.{}.s", part(&json!({ "alg": "RS256" })), part(&claims));
    let expected = ExpectedIdToken {
        issuer: Some("https://as.example.com"),
        client_id: "client",
        nonce: Some("n"),
    };
    read_id_token(&token, &expected, UNIX_EPOCH + Duration::from_secs(NOW))
}

#[test]
fn an_id_token_of_this_sign_in_is_read() {
    for changed in [
        json!({}),
        json!({ "aud": ["client"] }),
        json!({ "aud": ["client", "other"], "azp": "client" }),
        json!({ "exp": NOW - 60 }),
    ] {
        assert_eq!(
            read(&changed).unwrap().text("sub"),
            Some("ada"),
            "{changed}"
        );
    }
}

#[test]
fn an_id_token_of_another_issuer_client_or_sign_in_is_rejected() {
    for (changed, defect) in [
        (
            json!({ "iss": "https://as.example.com/" }),
            IdTokenDefect::Issuer,
        ),
        (json!({ "iss": null }), IdTokenDefect::Issuer),
        (json!({ "aud": "other" }), IdTokenDefect::Audience),
        (json!({ "aud": null }), IdTokenDefect::Audience),
        (
            json!({ "aud": ["client", "other"] }),
            IdTokenDefect::Audience,
        ),
        (json!({ "azp": "other" }), IdTokenDefect::Audience),
        (json!({ "nonce": "other" }), IdTokenDefect::Nonce),
        (json!({ "nonce": null }), IdTokenDefect::Nonce),
        (json!({ "exp": NOW - 600 }), IdTokenDefect::Expired),
        (json!({ "exp": null }), IdTokenDefect::Expired),
        (json!({ "sub": "" }), IdTokenDefect::Subject),
    ] {
        assert_eq!(read(&changed).unwrap_err(), defect, "{changed}");
    }
    let expected = ExpectedIdToken {
        issuer: None,
        client_id: "client",
        nonce: None,
    };
    assert_eq!(
        read_id_token("opaque", &expected, UNIX_EPOCH).unwrap_err(),
        IdTokenDefect::Form
    );
}
