use base64::prelude::BASE64_URL_SAFE_NO_PAD;

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

#[test]
fn a_key_that_we_made_is_recognized_in_each_form_of_credentials() {
    let key = "cbk_000000000000000000000000000000000000";
    let encoded = BASE64.encode(format!("x:{key}"));
    let long = BASE64.encode(format!("{}:{key}", "x".repeat(LONGEST_BASIC)));
    for value in [
        format!("Bearer {key}"),
        format!("Basic {encoded}"),
        format!("basic\t{}", encoded.trim_end_matches('=')),
        format!("Basic {}!{}", &encoded[..10], &encoded[10..]),
        format!("Basic {}A", encoded.trim_end_matches('=')),
        format!("Basic {}", BASE64.encode(format!("{key}:"))),
        format!(
            "Basic {}",
            BASE64_URL_SAFE_NO_PAD.encode(format!("???>>>:{key}"))
        ),
        format!("Basic {long}"),
        format!("Custom token=\"{encoded}\""),
        format!("Token {key}"),
        key.to_owned(),
    ] {
        let value = HeaderValue::from_str(&value).unwrap();
        assert!(has_made_key(&value), "{value:?}");
    }
    for value in [
        "",
        "Bearer eyJhbGciOiJub25lIn0.YWNia18.cbk_",
        "Basic eDp5",
        "Basic =",
        "Basic A",
    ] {
        let value = HeaderValue::from_str(value).unwrap();
        assert!(!has_made_key(&value), "{value:?}");
    }
}
