//! Reads a caller's key from a request: `Authorization: Bearer`, the password of `Basic`, or `X-Cupbearer-Key`.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::HeaderValue;
use zeroize::Zeroizing;

use super::key::{KeyDigest, contains_made_key};

/// The most bytes of a user name, a colon and a password. Longer credentials cannot hold a key.
const LONGEST_BASIC: usize = 512;

/// Accepts credentials with and without the padding `=`, because clients differ.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Also ignores the bits that are left over at the end.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The key in `Authorization`, if its scheme can hold one (RFC 6750, RFC 7617).
pub(super) fn key_in_authorization(value: &HeaderValue) -> Option<KeyDigest> {
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

/// Whether `Authorization` contains a key that we made, as it is or base64-encoded, in whichever scheme.
pub(super) fn has_made_key(value: &HeaderValue) -> bool {
    let value = value.as_bytes();
    let mut words = value.split(|byte| matches!(byte, b' ' | b'\t' | b',' | b'"'));
    contains_made_key(value) || words.any(|word| contains_made_key(&decoded(word)))
}

/// What a server may take a word for that reads base64: some ignore the characters that do not belong there, and some
/// read the alphabet for URLs, too.
fn decoded(word: &[u8]) -> Zeroizing<Vec<u8>> {
    let digits = word.iter().filter_map(|byte| match byte {
        b'-' => Some(b'+'),
        b'_' => Some(b'/'),
        b'+' | b'/' => Some(*byte),
        byte if byte.is_ascii_alphanumeric() => Some(*byte),
        _ => None,
    });
    let mut digits = Zeroizing::new(digits.collect::<Vec<u8>>());
    if digits.len() % 4 == 1 {
        digits.pop(); // a single digit holds no byte
    }
    Zeroizing::new(LENIENT.decode(&*digits).unwrap_or_default())
}

/// The key in `X-Cupbearer-Key`.
pub(super) fn key_in_own_field(value: &HeaderValue) -> KeyDigest {
    KeyDigest::of(value.as_bytes().trim_ascii())
}

/// The password after the first colon. Any user name will do.
fn password(encoded: &[u8]) -> Option<KeyDigest> {
    let mut room = Zeroizing::new([0; LONGEST_BASIC]);
    let length = BASE64.decode_slice(encoded, &mut *room).ok()?;
    let decoded = &room[..length];
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    Some(KeyDigest::of(&decoded[colon + 1..]))
}

#[cfg(test)]
mod tests;
