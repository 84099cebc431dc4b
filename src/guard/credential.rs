//! A key as it is sent: `Authorization: Bearer`, the password of `Basic`, or `X-Cupbearer-Key`.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::HeaderValue;
use zeroize::Zeroizing;

use super::key::KeyDigest;

/// Bytes of user name, colon and password. Nothing longer holds a key.
const LONGEST_BASIC: usize = 512;

/// Clients differ about the `=` at the end.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What `Authorization` says, if it is of a scheme that can hold a key (RFC 6750, RFC 7617).
pub(super) fn in_authorization(value: &HeaderValue) -> Option<KeyDigest> {
    let value = value.as_bytes();
    let space = value.iter().position(|byte| *byte == b' ')?;
    let (scheme, rest) = (&value[..space], value[space..].trim_ascii());
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return Some(KeyDigest::of(rest));
    }
    scheme
        .eq_ignore_ascii_case(b"basic")
        .then(|| password(rest))
        .flatten()
}

/// What `X-Cupbearer-Key` says.
pub(super) fn in_own_field(value: &HeaderValue) -> KeyDigest {
    KeyDigest::of(value.as_bytes().trim_ascii())
}

/// Behind the first colon; the user name is whatever the tool asks for.
fn password(encoded: &[u8]) -> Option<KeyDigest> {
    let mut room = Zeroizing::new([0; LONGEST_BASIC]);
    let length = BASE64.decode_slice(encoded, &mut *room).ok()?;
    let decoded = &room[..length];
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    Some(KeyDigest::of(&decoded[colon + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_in_bearer_and_as_the_password_of_basic() {
        let basic = |text: &str| format!("Basic {}", BASE64.encode(text));
        for value in [
            "Bearer the-key".to_owned(),
            "bearer  the-key ".to_owned(),
            basic("x:the-key"),
            basic(":the-key"),
            basic("x:the-key").trim_end_matches('=').to_owned(),
        ] {
            let value = HeaderValue::from_str(&value).unwrap();
            assert_eq!(in_authorization(&value), Some(KeyDigest::of(b"the-key")));
        }
        let with_colon = HeaderValue::from_str(&basic("x:the:key")).unwrap();
        assert_eq!(
            in_authorization(&with_colon),
            Some(KeyDigest::of(b"the:key"))
        );
    }

    #[test]
    fn anything_else_holds_no_key() {
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
            assert_eq!(in_authorization(&value), None, "{value:?}");
        }
    }
}
