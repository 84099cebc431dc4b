//! What a server might read in an `Authorization` that is forwarded (`token.keep_authorization`), so that no key of a
//! caller reaches the API in it.

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::HeaderValue;
use memchr::memchr;
use percent_encoding::percent_decode;
use zeroize::Zeroizing;

use super::key::{KeyDigest, contains_made_key};
use super::key_start::KeyStarts;
use super::rejection::Rejection;
use crate::problem::Reason;

/// Accepts every padding, and ignores the bits that are left over at the end.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// How many encodings inside one another are decoded: a JWT may be the password of Basic credentials.
const DEEPEST: usize = 2;

/// How many bytes are searched, all decoded texts together: several times as many as a JWT of 16 KiB has. While they
/// are, the worker does nothing else.
const SEARCHED_BYTES: usize = 2 << 20;

/// In bytes. Nothing shorter contains a key, or the start of one that we made.
const SHORTEST_TEXT: usize = 4;

/// The digits of base64 that as many bytes have.
const SHORTEST_WORD: usize = 6;

/// The value as it is, and without its percent encoding and its backslashes; and whatever in it could be base64
/// decoded, then the same again, and once more.
pub(super) struct ForwardedAuthorization(Vec<Zeroizing<Vec<u8>>>);

/// Rejects credentials that authenticate the connection rather than the request (RFC 4559 6, MS-NTHT): whoever uses the
/// connection to the API next would be taken for this user.
pub(super) fn check_scheme(value: &HeaderValue) -> Result<(), Rejection> {
    let scheme = value.as_bytes().trim_ascii_start();
    let scheme = scheme
        .split(|byte| b" \t,".contains(byte))
        .next()
        .unwrap_or_default();
    if scheme.eq_ignore_ascii_case(b"ntlm") || scheme.eq_ignore_ascii_case(b"negotiate") {
        let detail = "Authorization has the scheme NTLM or Negotiate, which authenticates a whole connection, but connections to the API are shared: use a scheme that authenticates each request.";
        return Err(Rejection::new(Reason::BadRequest, detail));
    }
    Ok(())
}

impl ForwardedAuthorization {
    /// Rejects a value with too much to search.
    pub(super) fn of(value: &HeaderValue) -> Result<Self, Rejection> {
        let texts = Self::texts_of(value).ok_or_else(unsearchable)?;
        Ok(Self(texts))
    }

    fn texts_of(value: &HeaderValue) -> Option<Vec<Zeroizing<Vec<u8>>>> {
        let mut left = SEARCHED_BYTES.checked_sub(value.len())?;
        let mut texts = vec![Zeroizing::new(value.as_bytes().to_vec())];
        let mut outer = 0;
        add_unescaped(&mut texts, outer, &mut left)?;
        for _ in 0..DEEPEST {
            let mut inner = decoded_words(&texts[outer..], &mut left)?;
            outer = texts.len();
            texts.append(&mut inner);
            add_unescaped(&mut texts, outer, &mut left)?;
        }
        Some(texts)
    }

    /// Whether it contains a key that we made, in whichever scheme.
    pub(super) fn has_made_key(&self) -> bool {
        self.0.iter().any(|text| contains_made_key(text))
    }

    /// Every part of it that could be one of the keys with these starts, whatever stands beside it.
    pub(super) fn possible_keys<'a>(
        &'a self,
        starts: &'a KeyStarts,
    ) -> impl Iterator<Item = KeyDigest> + use<'a> {
        let texts = self.0.iter();
        let possible = texts.flat_map(move |text| starts.possible_keys(text));
        possible.map(KeyDigest::of)
    }
}

#[cold]
fn unsearchable() -> Rejection {
    let detail = "Authorization is too long to be searched for the keys of callers before it is forwarded to the API (token.keep_authorization): send a shorter one.";
    Rejection::new(Reason::BadRequest, detail)
}

/// Whatever in these texts could be base64, decoded. `None` if it is more than `left`.
fn decoded_words(
    texts: &[Zeroizing<Vec<u8>>],
    left: &mut usize,
) -> Option<Vec<Zeroizing<Vec<u8>>>> {
    let words = texts.iter().flat_map(|text| possible_words(text));
    let mut words: Vec<&[u8]> = words.filter(|word| word.len() >= SHORTEST_WORD).collect();
    words.sort_unstable();
    words.dedup();
    let mut decoded = Vec::new();
    for word in words {
        let text = base64_decoded(word);
        if text.len() >= SHORTEST_TEXT {
            *left = left.checked_sub(text.len())?;
            decoded.push(text);
        }
    }
    Some(decoded)
}

/// What may be base64: each word, each part of it such as the value in `token=…`, each run of digits from its first
/// four on, since others may stand before the first digit, and all that follows the scheme.
fn possible_words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let words = text.split(|byte| b" \t,\"".contains(byte));
    let parts = text.split(|byte| is_delimiter(*byte));
    let runs = text.split(|byte| base64_digit(*byte).is_none());
    let starts = runs.flat_map(|run| (0..run.len().min(4)).map(|start| &run[start..]));
    // Some servers ignore white space and commas in it.
    let after_scheme = text.iter().position(|byte| b" \t".contains(byte));
    let after_scheme = after_scheme.map(|end| &text[end..]);
    words.chain(parts).chain(starts).chain(after_scheme)
}

/// What ends a part that may be base64. The digits themselves do not.
fn is_delimiter(byte: u8) -> bool {
    !byte.is_ascii_graphic() || b",;:=&\"'()<>[]{}|\\/@?".contains(&byte)
}

/// Adds the texts from `start` on without their escapes, and the same once more for what that gives. `None` if it is
/// more than `left`.
fn add_unescaped(
    texts: &mut Vec<Zeroizing<Vec<u8>>>,
    mut start: usize,
    left: &mut usize,
) -> Option<()> {
    for _ in 0..DEEPEST {
        let end = texts.len();
        for at in start..end {
            let text = &texts[at];
            let percent_decoded = match Cow::from(percent_decode(text)) {
                Cow::Owned(plain) => Some(plain),
                Cow::Borrowed(_) => None, // nothing was encoded
            };
            for plain in [percent_decoded, without_backslashes(text)] {
                let Some(plain) = plain.map(Zeroizing::new) else {
                    continue;
                };
                *left = left.checked_sub(plain.len())?;
                texts.push(plain);
            }
        }
        start = end;
    }
    Some(())
}

/// What is left of JSON strings and of quoted strings once their escapes are read, such as `\/` and `\u0063`. `None` if
/// there are no escapes.
fn without_backslashes(text: &[u8]) -> Option<Vec<u8>> {
    let mut at = memchr(b'\\', text)?;
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    loop {
        plain.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        // A second backslash stands for itself.
        let escaped = rest.first().map(|byte| (*byte, 1));
        if let Some((byte, length)) = ascii_of(rest).map(|byte| (byte, 5)).or(escaped) {
            plain.push(byte);
            rest = &rest[length..];
        }
        let Some(next) = memchr(b'\\', rest) else {
            break;
        };
        at = next;
    }
    plain.extend_from_slice(rest);
    Some(plain)
}

/// The character that `u` and four hexadecimal digits stand for, if it is in ASCII.
fn ascii_of(escape: &[u8]) -> Option<u8> {
    let digits = escape.strip_prefix(b"u")?.get(..4)?;
    let digits = std::str::from_utf8(digits).ok()?;
    let number = u16::from_str_radix(digits, 16).ok()?;
    u8::try_from(number).ok().filter(u8::is_ascii)
}

/// The digit of base64 that a byte is.
const fn base64_digit(byte: u8) -> Option<u8> {
    match byte {
        b'-' => Some(b'+'),
        b'_' => Some(b'/'),
        b'+' | b'/' => Some(byte),
        byte if byte.is_ascii_alphanumeric() => Some(byte),
        _ => None,
    }
}

/// What a server may take a word for that reads base64: some ignore the characters that do not belong there, and some
/// read the alphabet for URLs, too.
fn base64_decoded(word: &[u8]) -> Zeroizing<Vec<u8>> {
    let digits = word.iter().filter_map(|byte| base64_digit(*byte));
    let mut digits = Zeroizing::new(digits.collect::<Vec<u8>>());
    if digits.len() % 4 == 1 {
        digits.pop(); // a single digit holds no byte
    }
    Zeroizing::new(LENIENT.decode(&*digits).unwrap_or_default())
}

#[cfg(test)]
mod tests;
