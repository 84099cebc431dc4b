use super::*;

#[test]
fn a_key_is_read_from_bearer_and_from_the_password_of_basic() {
    let basic = |text: &str| format!("Basic {}", BASE64.encode(text));
    for value in [
        "Bearer the-key".to_owned(),
        "bearer  the-key ".to_owned(),
        basic("x:the-key"),
        basic(":the-key"),
        basic("x:the-key").trim_end_matches('=').to_owned(),
    ] {
        let value = HeaderValue::from_str(&value).unwrap();
        assert_eq!(
            key_in_authorization(&value),
            Some(KeyDigest::of(b"the-key"))
        );
    }
    let with_colon = HeaderValue::from_str(&basic("x:the:key")).unwrap();
    assert_eq!(
        key_in_authorization(&with_colon),
        Some(KeyDigest::of(b"the:key"))
    );
}

#[test]
fn any_other_credentials_hold_no_key() {
    let long = format!(
        "Basic {}",
        BASE64.encode(format!("x:{}", "k".repeat(LONGEST_BASIC)))
    );
    for value in [
        "",
        "the-key",
        "Bearer",
        "Basic",
        "Basic !!",
        "Basic dGhlLWtleQ==",
        "Digest the-key",
        &long,
    ] {
        let value = HeaderValue::from_str(value).unwrap();
        assert_eq!(key_in_authorization(&value), None, "{value:?}");
    }
}
