//! What a server might read in an `Authorization` that is forwarded (`token.keep_authorization`), so that no key of a
//! caller reaches the API in it.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::HeaderValue;
use percent_encoding::percent_decode;
use zeroize::Zeroizing;

use super::key::{KeyDigest, contains_made_key};
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

/// The value as it is, and percent-decoded; and whatever in it could be base64 decoded, then percent-decoded again, and
/// the same once more.
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
    pub(super) fn of(value: &HeaderValue) -> Self {
        let mut texts = vec![Zeroizing::new(value.as_bytes().to_vec())];
        add_percent_decoded(&mut texts);
        add_percent_decoded(&mut texts);
        let mut outer = 0;
        for _ in 0..DEEPEST {
            let mut inner = decoded_words(&texts[outer..]);
            add_percent_decoded(&mut inner);
            outer = texts.len();
            texts.append(&mut inner);
        }
        Self(texts)
    }

    /// Whether it contains a key that we made, in whichever scheme.
    pub(super) fn has_made_key(&self) -> bool {
        self.0.iter().any(|text| contains_made_key(text))
    }

    /// Every part of it that could be a key of one of these lengths, wherever it came from: what stands between two
    /// delimiters, of which a key from a file may contain any number itself.
    pub(super) fn possible_keys(&self, lengths: &[usize]) -> impl Iterator<Item = KeyDigest> {
        self.0.iter().flat_map(move |text| {
            let starts = std::iter::once(0).chain(delimiters(text).map(|at| at + 1));
            starts.flat_map(move |start| {
                let parts = lengths.iter().filter_map(move |length| {
                    let (part, after) = text[start..].split_at_checked(*length)?;
                    let is_whole = after.first().is_none_or(|next| is_delimiter(*next));
                    is_whole.then_some(part)
                });
                let possible = parts.filter(|part| part.iter().all(u8::is_ascii_graphic));
                possible.map(KeyDigest::of)
            })
        })
    }
}

/// Whatever in these texts could be base64, decoded.
fn decoded_words(texts: &[Zeroizing<Vec<u8>>]) -> Vec<Zeroizing<Vec<u8>>> {
    let mut words: Vec<&[u8]> = texts.iter().flat_map(|text| possible_words(text)).collect();
    words.sort_unstable();
    words.dedup();
    let mut decoded: Vec<_> = words.into_iter().map(base64_decoded).collect();
    decoded.retain(|text| !text.is_empty());
    decoded
}

/// What may be base64: each word, each part of it such as the value in `token=…`, and each run of digits from its first
/// four on, since others may stand before the first digit.
fn possible_words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let words = text.split(|byte| b" \t,\"".contains(byte));
    let parts = text.split(|byte| is_delimiter(*byte));
    let runs = text.split(|byte| base64_digit(*byte).is_none());
    let starts = runs.flat_map(|run| (0..run.len().min(4)).map(|start| &run[start..]));
    words.chain(parts).chain(starts)
}

/// A key contains only visible ASCII.
fn is_delimiter(byte: u8) -> bool {
    !byte.is_ascii_graphic() || b",;:=&\"'()<>[]{}|\\/@?".contains(&byte)
}

fn delimiters(text: &[u8]) -> impl Iterator<Item = usize> {
    let numbered = text.iter().enumerate();
    numbered.filter_map(|(at, byte)| is_delimiter(*byte).then_some(at))
}

fn add_percent_decoded(texts: &mut Vec<Zeroizing<Vec<u8>>>) {
    let encoded = texts.iter().filter(|text| text.contains(&b'%'));
    let decoded = encoded.map(|text| Zeroizing::new(percent_decode(text).collect()));
    let decoded: Vec<_> = decoded.collect();
    texts.extend(decoded);
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
