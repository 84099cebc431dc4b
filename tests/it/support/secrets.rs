//! Searches text for every encoding in which the credentials of these tests could leak.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

use super::{SECRET, TOKEN};

pub(crate) const CLIENT_ID: &str = "cupbearer tests";

/// A key of a caller. It has characters that could end a user name.
pub(crate) const CALLER_KEY: &str = "the-key-of:a@caller-01";

/// The length of a piece of a token that counts as a leak.
const PIECE_BYTES: usize = 12;

/// The first encoded credential, or piece of one, that `text` contains.
pub(crate) fn leaked(text: &str) -> Option<&'static str> {
    static FORBIDDEN: OnceLock<Vec<String>> = OnceLock::new();
    let words = FORBIDDEN.get_or_init(forbidden);
    words
        .iter()
        .find(|word| text.contains(*word))
        .map(String::as_str)
}

fn forbidden() -> Vec<String> {
    let form = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let percent = |text: &str| {
        percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
    };
    let mut words = vec![
        SECRET.to_owned(),
        form(SECRET),
        percent(SECRET),
        TOKEN.to_owned(),
        CALLER_KEY.to_owned(),
    ];
    for pair in [
        format!("x:{CALLER_KEY}"),
        CALLER_KEY.to_owned(),
        format!("{CLIENT_ID}:{SECRET}"),
        format!("id:{SECRET}"),
        format!("id:{}", percent(SECRET)),
        format!("{}:{}", form(CLIENT_ID), form(SECRET)),
        format!("{}:{}", percent(CLIENT_ID), percent(SECRET)),
        SECRET.to_owned(),
        form(SECRET),
    ] {
        words.extend([
            STANDARD.encode(&pair),
            STANDARD_NO_PAD.encode(&pair),
            URL_SAFE.encode(&pair),
            URL_SAFE_NO_PAD.encode(&pair),
        ]);
    }
    for part in TOKEN.split('.').skip(1) {
        words.extend(
            (0..=part.len() - PIECE_BYTES).map(|start| part[start..start + PIECE_BYTES].to_owned()),
        );
    }
    words
}

#[test]
fn the_search_finds_complete_credentials_their_encodings_and_their_pieces() {
    for text in [
        "Basic Y3VwYmVhcmVyK3Rlc3RzOnMzY3IzdCUyRm9mJTJCdGhlJTNEdGVzdHMlN0UwMTIzNDU2Nzg5",
        "client_secret=s3cr3t%2Fof%2Bthe%3Dtests%7E0123456789",
        "…IHVzIGFsbCwgYW5kIG…",
        "signature c2lnbmF0dXJl",
        SECRET,
        TOKEN,
    ] {
        assert!(leaked(text).is_some(), "{text}");
    }
    assert_eq!(leaked("eyJhbGciOiJub25lIn0. and c3VwYmVhcmVy"), None);
}
