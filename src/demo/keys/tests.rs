use super::*;

const ISSUER: &str = "http://127.0.0.1:1/env/as";
const FAR: u64 = 9_999_999_999;

fn accepts(key: &RsaSigningKey, token: &str) -> bool {
    key.verify::<Value>(token, ISSUER).is_ok()
}

#[test]
fn only_a_token_signed_by_this_key_with_the_right_issuer_and_a_future_expiry_is_accepted() {
    let (key, other) = (
        RsaSigningKey::generate().unwrap(),
        RsaSigningKey::generate().unwrap(),
    );
    let good = json!({ "iss": ISSUER, "exp": FAR });

    assert!(accepts(&key, &key.sign("at+jwt", &good)));
    assert!(accepts(&key, &key.sign("JWT", &good)));
    assert!(!accepts(&key, &other.sign("JWT", &good)));
    assert!(!accepts(
        &key,
        &key.sign("JWT", &json!({ "iss": "http://other/as", "exp": FAR }))
    ));
    assert!(!accepts(
        &key,
        &key.sign("JWT", &json!({ "iss": ISSUER, "exp": 1 }))
    ));
    assert!(!accepts(&key, &key.sign("JWT", &json!({ "iss": ISSUER }))));
    assert!(!accepts(&key, &key.sign("JWT", &json!({ "exp": FAR }))));
    let unsigned = format!("{}.{}.", part(&json!({ "alg": "none" })), part(&good));
    assert!(!accepts(&key, &unsigned));
}

#[test]
fn a_client_secret_is_long_unreserved_and_different_each_time() {
    let secret = client_secret().unwrap();
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    assert_eq!(secret.expose().len(), 64);
    assert!(secret.expose().iter().all(fits));
    assert_ne!(secret.expose(), client_secret().unwrap().expose());
}
