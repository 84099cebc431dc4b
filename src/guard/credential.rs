//! Reads a caller's key from a request: `Authorization: Bearer`, the password of `Basic`, or `X-Cupbearer-Key`.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::HeaderValue;
use zeroize::Zeroizing;

use super::key::KeyDigest;

/// The most bytes of a user name, a colon and a password. Longer credentials cannot hold a key.
const LONGEST_BASIC: usize = 512;

/// Accepts credentials with and without the padding `=`, because clients differ.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
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
