//! What is removed around a token, and what is said about one.

use std::time::{Duration, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::json;

use super::{PasteDefect, PastedToken};
use crate::config::TokenField;

fn read(text: &[u8]) -> Result<PastedToken, PasteDefect> {
    PastedToken::read(text, &TokenField::default())
}

fn jwt(claims: &serde_json::Value) -> String {
    let part = |value: &serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let header = json!({ "alg": "RS256" });
    format!("{}.{}.{}", part(&header), part(claims), "s".repeat(342))
}

fn sent(text: &str) -> String {
    let pasted = read(text.as_bytes()).unwrap_or_else(|defect| panic!("{defect}"));
    pasted.header.to_str().unwrap().to_owned()
}

#[test]
fn what_stands_around_a_token_is_removed() {
    for text in [
        "abc.def-_~+/=",
        " abc.def-_~+/= \r\n",
        "\"abc.def-_~+/=\"",
        "'abc.def-_~+/=',",
        "Bearer abc.def-_~+/=",
        "bearer   \"abc.def-_~+/=\"\n",
        "Authorization: Bearer abc.def-_~+/=",
        "\"Bearer abc.def-_~+/=\"",
        "\u{201c}abc.def-_~+/=\u{201d}",
        "\u{1b}[200~abc.def-_~+/=\u{1b}[201~",
        "\u{feff}abc.def-_~+/=",
    ] {
        assert_eq!(sent(text), "Bearer abc.def-_~+/=", "{text:?}");
    }
    assert_eq!(sent("bearertoken"), "Bearer bearertoken");
}

#[test]
fn a_jwt_that_was_wrapped_is_joined() {
    let whole = jwt(&json!({ "sub": "1234" }));
    let (start, end) = whole.split_at(70);
    assert_eq!(
        sent(&format!("{start}\r\n   {end}\n")),
        format!("Bearer {whole}")
    );
}

#[test]
fn a_header_carries_a_token_as_a_sensitive_value() {
    let pasted = read(b"opaque-token").unwrap();
    assert!(pasted.header.is_sensitive());
    assert_eq!(format!("{:?}", pasted.header), "Sensitive");
}

#[test]
fn what_is_no_token_is_rejected_without_a_word_of_it() {
    let long = "a".repeat(65 * 1024);
    for (text, defect) in [
        ("", PasteDefect::Empty),
        (" \n\"\" ", PasteDefect::Empty),
        ("Bearer ", PasteDefect::Empty),
        ("sign in to copy hunter2", PasteDefect::Prose),
        ("hunter2\nhunter3", PasteDefect::SeveralLines),
        ("{\"access_token\":\"hunter2\"}", PasteDefect::Json),
        ("\"{\"access_token\":\n\"hunter2\"}\"", PasteDefect::Json),
        ("[\"hunter2\"]", PasteDefect::Json),
    ] {
        let found = read(text.as_bytes()).err();
        assert_eq!(found, Some(defect), "{text:?}");
    }
    for text in ["caf\u{e9}hunter2", "hunter2\u{7}", &*long] {
        let Err(PasteDefect::Unsendable(defect)) = read(text.as_bytes()) else {
            panic!("{} bytes were taken for a token", text.len());
        };
        assert!(!defect.to_string().contains("hunter2"), "{defect}");
    }
    assert_eq!(read(b"\xff\xfe").err(), Some(PasteDefect::NotText));
}

#[test]
fn the_claims_say_who_signed_in_and_until_when() {
    let claims =
        json!({ "exp": 2_000_000_000, "sub": "1234", "name": "Ada L.\u{7}", "iss": "https://as" });
    let pasted = read(jwt(&claims).as_bytes()).unwrap();
    let end = UNIX_EPOCH + Duration::from_secs(2_000_000_000);
    assert_eq!(pasted.end(), Some(end));
    assert_eq!(pasted.name().as_deref(), Some("Ada L.?"));
    assert_eq!(pasted.subject().as_deref(), Some("https://as 1234"));
    assert!(pasted.doubts(UNIX_EPOCH).is_empty());
    let opaque = read(b"opaque").unwrap();
    assert_eq!((opaque.end(), opaque.name()), (None, None));
    assert!(opaque.claims().is_none() && opaque.doubts(UNIX_EPOCH).is_empty());
}

#[test]
fn a_token_that_has_expired_or_lost_its_end_is_doubtful() {
    let now = UNIX_EPOCH + Duration::from_secs(2_000_000_001);
    let token = jwt(&json!({ "exp": 2_000_000_000 }));
    let expired = read(token.as_bytes()).unwrap().doubts(now);
    assert_eq!(expired.len(), 1, "{expired:?}");
    assert!(
        expired[0].contains("expired at 2033-05-18T03:33:20Z"),
        "{expired:?}"
    );
    for kept in [token.len() - 1, token.len() - 200, token.len() - 345, 30] {
        let cut = read(&token.as_bytes()[..kept]).unwrap();
        let doubts = cut.doubts(UNIX_EPOCH);
        assert!(doubts[0].contains("cut short"), "{kept}: {doubts:?}");
    }
}
