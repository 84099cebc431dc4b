use base64::prelude::{BASE64_STANDARD as BASE64, BASE64_URL_SAFE_NO_PAD};

use super::*;

fn has_made_key(value: &HeaderValue) -> bool {
    ForwardedAuthorization::of(value).unwrap().has_made_key()
}

fn starts(key: &KeyDigest) -> KeyStarts {
    KeyStarts::of(std::iter::once(key.start_and_length()))
}

/// Whether this key is found in the value.
fn is_found(key: &str, value: &str) -> bool {
    let key = KeyDigest::of(key.as_bytes());
    let value = HeaderValue::from_str(value).unwrap();
    let forwarded = ForwardedAuthorization::of(&value).unwrap();
    let starts = starts(&key);
    let mut possible = forwarded.possible_keys(&starts);
    possible.any(|digest| digest == key)
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
        format!("Basic {} {}", &encoded[..8], &encoded[8..]),
        format!(
            "Basic  {}\t{}, {}",
            &encoded[..5],
            &encoded[5..9],
            &encoded[9..]
        ),
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
                assert!(is_found(key, &value), "{value:?}");
                let value = HeaderValue::from_str(&value).unwrap();
                assert_eq!(has_made_key(&value), key == made, "{value:?}");
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
            assert!(is_found(key, &value), "{key}: {value}");
        }
    }
    assert!(!is_found("the-key-of-ci-0001", "Bearer the-key-of-ci-0002"));
}

#[test]
fn a_key_is_found_whatever_touches_it() {
    let key = "correct+horse/batterystaple";
    for beside in (0x20..0x7f).map(char::from) {
        for text in [
            format!("app{beside}{key}"),
            format!("{key}{beside}v1"),
            format!("{beside}{key}{beside}"),
        ] {
            for value in [
                format!("Bearer {text}"),
                format!("Basic {}", BASE64.encode(format!("{text}:x"))),
                format!("Basic {}", BASE64.encode(format!("me:{text}"))),
            ] {
                assert!(is_found(key, &value), "{value}");
            }
        }
    }
}

#[test]
fn a_key_is_found_among_the_escapes_of_json_and_of_quoted_strings() {
    let key = r#"correct+horse/battery"s\taple"#;
    let slashes = key
        .replace('\\', r"\\")
        .replace('/', r"\/")
        .replace('"', r#"\""#);
    let unicode = key
        .bytes()
        .fold(String::new(), |text, byte| format!("{text}\\u{byte:04x}"));
    for escaped in [slashes, unicode] {
        let payload = BASE64_URL_SAFE_NO_PAD.encode(format!(r#"{{"k":"{escaped}"}}"#));
        let percent = escaped.replace('\\', "%5C");
        let jwt = format!("eyJhbGciOiJub25lIn0.{payload}.c2ln");
        for value in [
            format!(r#"Custom {{"k":"{escaped}"}}"#),
            format!("Custom {percent}"),
            format!("Bearer {jwt}"),
            format!("Basic {}", BASE64.encode(format!("x:{jwt}"))),
        ] {
            assert!(is_found(key, &value), "{value}");
        }
    }
    let plain = "correct+horse/battery:staple";
    let quoted = plain.replace('/', r"\/").replace(':', r"\:");
    assert!(is_found(plain, &format!(r#"Custom k="{quoted}""#)));
    assert!(is_found(
        plain,
        r#"Custom k="\correct+horse/b\attery:stapl\e""#
    ));
}

/// As long as a head may be by default.
const LONGEST: usize = 60_000;

#[test]
fn hardly_any_part_of_a_long_authorization_is_digested() {
    for text in [
        ":".repeat(LONGEST),
        ",".repeat(LONGEST),
        "0123456789abcdef:".repeat(LONGEST / 17),
        "%3A".repeat(LONGEST / 3),
        "a".repeat(LONGEST),
        BASE64.encode("0123456789abcdef:".repeat(LONGEST / 23)),
        BASE64.encode(BASE64.encode(",".repeat(LONGEST / 2))),
    ] {
        let value = HeaderValue::from_str(&text).unwrap();
        let forwarded = ForwardedAuthorization::of(&value).unwrap();
        let key = KeyDigest::of(b"the-key-of-ci-0001");
        let starts = starts(&key);
        let found = forwarded.possible_keys(&starts).count();
        assert!(found < LONGEST / 100, "{found} in {text:.20}");
    }
}

#[test]
fn what_is_searched_is_bounded() {
    let count = |text: &str| {
        let value = HeaderValue::from_str(text).unwrap();
        let texts = ForwardedAuthorization::texts_of(&value)?;
        Some(texts.iter().map(|text| text.len()).sum::<usize>())
    };
    let claims = |length: usize| {
        let claim = |n: usize| format!(r#""claim-{n}":"a\/b {n}","#);
        let claims = (0..).map(claim).scan(0, |sum, claim| {
            *sum += claim.len();
            (*sum < length).then_some(claim)
        });
        claims.collect::<String>()
    };
    let jwt = |length: usize| {
        let payload = BASE64_URL_SAFE_NO_PAD.encode(format!("{{{}}}", claims(length)));
        format!("Bearer eyJhbGciOiJub25lIn0.{payload}.{}", "c2ln".repeat(90))
    };
    let searched = count(&jwt(12 << 10)).unwrap();
    assert!(searched < SEARCHED_BYTES / 2, "{searched}");

    let escapes = r"\\\\%2525".repeat(LONGEST / 8);
    for text in [
        jwt(LONGEST * 3 / 4),
        escapes.clone(),
        BASE64.encode(&escapes[..LONGEST / 2]),
        BASE64.encode(BASE64.encode(&escapes[..LONGEST / 2])),
    ] {
        assert!(count(&text).is_none_or(|searched| searched <= SEARCHED_BYTES));
    }
    let endless = "a/".repeat(SEARCHED_BYTES / 2);
    let value = HeaderValue::from_str(&endless).unwrap();
    let rejection = ForwardedAuthorization::of(&value).err().unwrap();
    assert_eq!(rejection.reason, Reason::BadRequest);
    assert!(rejection.detail.contains("send a shorter one"));
}
