use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use proptest::prelude::*;

use super::*;

const TOKEN: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJtZSJ9/+==.c2lnbmF0dXJlLW9mLXRoaXM";

fn filter(token: &str) -> TokenFilter {
    TokenFilter::new(&HeaderValue::try_from(format!("Bearer {token}")).unwrap())
}

/// Encodes each byte of a text that is ASCII.
fn each_byte(text: &str, encode: fn(u8) -> String) -> String {
    text.bytes()
        .fold(String::new(), |all, byte| all + &encode(byte))
}

fn percent(text: &str) -> String {
    each_byte(text, |byte| format!("%{byte:02x}"))
}

/// One way in which a server may repeat text.
type Encoding = fn(&str) -> String;

const ENCODINGS: [(&str, Encoding); 9] = [
    ("JSON", |text| text.replace('/', "\\/")),
    ("JSON, every character", |text| {
        each_byte(text, |byte| format!("\\u{byte:04X}"))
    }),
    ("percent", percent),
    ("base64", |text| BASE64_STANDARD.encode(text)),
    ("base64url", |text| BASE64_URL_SAFE_NO_PAD.encode(text)),
    ("base64 in lines", |text| {
        let whole = BASE64_STANDARD.encode(format!("Authorization: Bearer {text}"));
        let lines: Vec<&str> = whole
            .as_bytes()
            .chunks(76)
            .map(|line| std::str::from_utf8(line).unwrap())
            .collect();
        lines.join("\r\n")
    }),
    ("hexadecimal", |text| {
        each_byte(text, |byte| format!("{byte:02x}"))
    }),
    ("HTML", |text| {
        each_byte(text, |byte| format!("&#x{byte:x};"))
    }),
    ("HTML, decimal", |text| {
        each_byte(text, |byte| format!("&#{byte};"))
    }),
];

#[test]
fn the_token_is_recognized_in_every_encoding_and_in_two_of_them_at_once() {
    let filter = filter(TOKEN);
    for (outer_name, outer) in ENCODINGS {
        assert!(
            filter.is_repeated_in(format!("token: {}", outer(TOKEN)).as_bytes()),
            "{outer_name}"
        );
        for (inner_name, inner) in ENCODINGS {
            let text = format!("x{}y", outer(&format!("\"{}\"", inner(TOKEN))));
            assert!(
                filter.is_repeated_in(text.as_bytes()),
                "{inner_name} in {outer_name}: {text}"
            );
        }
    }
}

#[test]
fn a_piece_of_the_token_counts_and_its_case_does_not() {
    let filter = filter(TOKEN);
    for text in [
        &TOKEN[..40],
        &TOKEN[30..],
        &TOKEN.to_ascii_lowercase(),
        &format!("https://{}.example.com/", &TOKEN[..19]),
    ] {
        assert!(filter.is_repeated_in(text.as_bytes()), "{text}");
    }
    for text in [
        "",
        "eyJhbGciOiJ",
        "Access token is missing required scopes.",
        "https://login.example.com/realms/0123abcd-4567-89ab-cdef-0123456789ab/authorize#state",
        "%%%zz\\u00\\x\\&#;&#x;&#99999999999;%ff",
    ] {
        assert!(!filter.is_repeated_in(text.as_bytes()), "{text}");
    }
}

#[test]
fn a_short_opaque_token_is_recognized_too() {
    let filter = filter("s3s4m3");
    assert!(filter.is_repeated_in(b"no s3s4m3 here"));
    assert!(filter.is_repeated_in(BASE64_STANDARD.encode("token=s3s4m3").as_bytes()));
    assert!(!filter.is_repeated_in(b"s3s4m"));
}

#[test]
fn everything_that_a_response_can_be_quoted_from_is_withheld() {
    let mut headers = http::HeaderMap::new();
    let location = format!("https://login.example.com/{}#{TOKEN}", percent(TOKEN));
    headers.insert("location", location.parse().unwrap());
    headers.insert("server", TOKEN.parse().unwrap());
    headers.insert("content-type", "application/json".parse().unwrap());
    let body = format!("{{\"detail\":\"{}\"}}", TOKEN.replace('/', "\\/"));
    let response = filter(TOKEN).clean(ProbeResponse {
        status: http::StatusCode::FORBIDDEN,
        headers,
        body: body.into_bytes(),
    });
    assert_eq!(response.header("location"), Some(WITHHELD));
    assert_eq!(response.header("server"), Some(WITHHELD));
    assert_eq!(response.header("content-type"), Some("application/json"));
    let body = String::from_utf8(response.body).unwrap();
    assert_eq!(body, format!("{{\"detail\":\"{WITHHELD}\"}}"));
}

#[test]
fn a_page_that_repeats_the_token_remains_a_page() {
    let page = filter(TOKEN).clean(ProbeResponse {
        status: http::StatusCode::FORBIDDEN,
        headers: http::HeaderMap::new(),
        body: format!(" <h1>{TOKEN}</h1>").into_bytes(),
    });
    assert!(page.is_html() && page.body == b"<");
}

proptest! {
    #[test]
    fn no_text_makes_the_search_fail(text in any::<Vec<u8>>(), token in "[!-~]{1,80}") {
        let filter = filter(&token);
        let _ = filter.is_repeated_in(&text);
        prop_assert!(filter.is_repeated_in(token.as_bytes()));
    }
}
