use base64::Engine as _;
use serde_json::json;

use super::*;

/// A JWT with these claims.
fn token(claims: &Value) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.c2ln", part(&json!({ "alg": "RS256" })), part(claims))
}

/// The claims of one token, and some of another.
fn with(changed: &Value) -> Value {
    let mut claims = json!({
        "iss": "https://as.example.com", "sub": "me", "aud": "https://api.example.com", "azp": "app",
        "exp": 1000, "iat": 1, "jti": "a", "permissions": ["read"], "tid": "t",
        "realm_access": { "roles": ["viewer"] }, "resource_access": { "api": { "roles": ["read"] } },
    });
    let all = claims.as_object_mut().unwrap();
    all.extend(changed.as_object().unwrap().clone());
    claims
}

#[test]
fn a_token_with_any_other_right_is_no_renewal_whatever_the_claim_is_called() {
    let before = token(&with(&json!({})));
    let renews = |changed: &Value| is_renewal(before.as_bytes(), token(&with(changed)).as_bytes());
    assert!(renews(
        &json!({ "exp": 2000, "iat": 2, "nbf": 2, "jti": "b", "sid": "s" })
    ));
    for changed in [
        json!({ "realm_access": { "roles": ["admin"] } }),
        json!({ "resource_access": { "api": { "roles": ["read", "write"] } } }),
        json!({ "permissions": ["read", "delete"] }),
        json!({ "entitlements": ["all"] }),
        json!({ "authorization_details": [] }),
        json!({ "cnf": { "jkt": "k" } }),
        json!({ "tid": "u" }),
        json!({ "scope": "write" }),
        json!({ "sub": "you" }),
        json!({ "aud": "https://other.example.com" }),
        json!({ "iss": "https://other.example.com" }),
    ] {
        assert!(!renews(&changed), "{changed}");
    }
}

#[test]
fn a_token_without_an_audience_or_without_claims_renews_none() {
    let without = token(&json!({ "sub": "me" }));
    assert!(!is_renewal(without.as_bytes(), without.as_bytes()));
    assert!(!is_renewal(b"opaque", b"opaque"));
}

#[test]
fn a_time_is_read_as_a_number_and_as_a_string_with_one_and_never_counts_as_missing() {
    let time = |exp: Value| {
        let decoded = decode(&token(&json!({ "exp": exp }))).unwrap();
        (decoded.time("exp"), decoded.has_unreadable_time("exp"))
    };
    let at = |seconds| (Some(UNIX_EPOCH + Duration::from_secs(seconds)), false);
    assert_eq!(time(json!(1_800_000_000)), at(1_800_000_000));
    assert_eq!(time(json!("1800000000")), at(1_800_000_000));
    assert_eq!(time(json!(" 1800000000000 ")), at(1_800_000_000));
    assert_eq!(time(json!(-1)), at(0));
    assert_eq!(time(json!("-1e9")), at(0));
    for unreadable in [
        json!("tomorrow"),
        json!("NaN"),
        json!("inf"),
        json!(true),
        json!([1]),
        json!(1e300),
    ] {
        assert_eq!(time(unreadable.clone()), (None, true), "{unreadable}");
    }
    assert_eq!(time(Value::Null), (None, false));
}
