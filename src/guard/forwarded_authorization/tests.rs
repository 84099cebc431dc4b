use base64::prelude::{BASE64_STANDARD as BASE64, BASE64_URL_SAFE_NO_PAD};

use super::*;

fn has_made_key(value: &HeaderValue) -> bool {
    ForwardedAuthorization::of(value).has_made_key()
}

#[test]
fn a_key_that_we_made_is_recognized_in_each_form_of_credentials() {
    let key = "cbk_000000000000000000000000000000000000";
    let encoded = BASE64.encode(format!("x:{key}"));
    let long = BASE64.encode(format!("{}:{key}", "x".repeat(512)));
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
        format!("Basic {}", BASE64.encode(format!("???>>>:{key}"))),
        format!("Basic {long}"),
        format!("Custom token=\"{encoded}\""),
        format!("Token {key}"),
        format!("Custom key={}", BASE64.encode(key)),
        format!("Custom 1:{}", BASE64.encode(key)),
        format!("A b;{encoded}"),
        format!("Custom {encoded}.{encoded}"),
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

#[test]
fn base64_is_found_wherever_it_begins() {
    let made = "cbk_000000000000000000000000000000000000";
    let own = "the-key-of-ci-0001";
    for key in [made, own] {
        let payload = BASE64_URL_SAFE_NO_PAD.encode(format!(r#"{{"k":"{key}"}}"#));
        let with_nul = BASE64.encode(format!("\0user\0{key}"));
        for before in 0..9 {
            let before = "a".repeat(before);
            for value in [
                format!("Bearer {before}.{payload}.c2ln"),
                format!("Bearer {before}{payload}.c2ln"),
                format!("Custom {before}/{with_nul}"),
                format!("Custom {before}%2f{with_nul}"),
            ] {
                let value = HeaderValue::from_str(&value).unwrap();
                let forwarded = ForwardedAuthorization::of(&value);
                let expected = KeyDigest::of(key.as_bytes());
                let lengths = [key.len()];
                let mut found = forwarded.possible_keys(&lengths);
                assert!(found.any(|digest| digest == expected), "{value:?}");
                assert_eq!(forwarded.has_made_key(), key == made, "{value:?}");
            }
        }
    }
}

#[test]
fn a_key_of_any_form_is_found_wherever_it_stands() {
    // As base64 and other generators make them, with delimiters inside.
    for key in [
        "the-key-of-ci-0001",
        "Zm9v/YmFy+cXV4/QQ==",
        "k:e,y;w=i\"th%20all&",
        "aQ:7/x=k(2)Wz@e,9&\"T|{p}m;V?u<Ho>r",
    ] {
        let percent = key
            .bytes()
            .fold(String::new(), |text, byte| format!("{text}%{byte:02x}"));
        let encoded = |text: String| BASE64.encode(text);
        for value in [
            format!("Bearer {key}"),
            format!("BEARER   {key}  "),
            format!("bearer\t{key}"),
            key.to_owned(),
            format!("Token {key}"),
            format!("Bearer {percent}"),
            format!("Basic {}", encoded(format!("user:{key}"))),
            format!("BASIC  {}", encoded(format!(":{key}"))),
            format!("Basic {}", encoded(format!("{key}:"))),
            format!("Basic {}", encoded(format!("{key}:password"))),
            format!("Basic {}", encoded(format!("user:{percent}"))),
            format!("Basic {}", encoded(key.to_owned())),
            format!("Basic {}", encoded(format!("a:{key}")).replace('=', "%3D")),
            format!("Custom token={}", encoded(key.to_owned())),
            format!("Custom token=\"{}\", x=y", encoded(key.to_owned())),
            format!("ApiKey key=\"{key}\", x=\"y\""),
            format!("Custom a/{key}/b"),
            format!("Custom user={key}; realm=x"),
            // Encoded twice: in a JWT that is a password, for example.
            format!(
                "Basic {}",
                encoded(format!(
                    "oauth2accesstoken:e30.{}.c2ln",
                    BASE64_URL_SAFE_NO_PAD.encode(format!("{{\"k\":\"x\"}} {key} "))
                ))
            ),
            format!(
                "Basic {}",
                encoded(format!("x:{}", encoded(key.to_owned())))
            ),
            format!("Bearer {}", percent.replace('%', "%25")),
        ] {
            let text = HeaderValue::from_str(&value).unwrap();
            let expected = KeyDigest::of(key.as_bytes());
            let forwarded = ForwardedAuthorization::of(&text);
            let lengths = [40, key.len()];
            let mut found = forwarded.possible_keys(&lengths);
            assert!(found.any(|digest| digest == expected), "{key}: {value}");
        }
    }
    let other = HeaderValue::from_static("Bearer the-key-of-ci-00012");
    let key = KeyDigest::of(b"the-key-of-ci-0001");
    let found = ForwardedAuthorization::of(&other);
    assert!(found.possible_keys(&[18]).all(|digest| digest != key));
}

#[test]
fn an_authorization_of_delimiters_is_not_searched_for_long() {
    let longest = 60_000;
    for text in [
        ":".repeat(longest),
        "0123456789abcdef:".repeat(longest / 17),
        "%3A".repeat(longest / 3),
        "a".repeat(longest),
        BASE64.encode("0123456789abcdef:".repeat(longest / 23)),
    ] {
        let value = HeaderValue::from_str(&text).unwrap();
        let found = ForwardedAuthorization::of(&value)
            .possible_keys(&[16, 40])
            .count();
        assert!(found <= 2 * longest, "{found}");
    }
}
