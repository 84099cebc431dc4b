//! Recognizes a secret that a server repeats, in whichever encoding.

use std::collections::HashSet;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// How many bytes of the secret count as the secret, because servers shorten what they quote.
const PIECE: usize = 12;
/// How many encodings inside one another are decoded.
const DEEPEST: usize = 4;
/// A secret of fewer bytes is looked for only in longer runs of digits: it would be found in ordinary words.
const SHORTEST_ENCODED: usize = 4;

/// Decodes what may be cut anywhere.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Recognizes one secret or token in texts.
pub struct SecretEcho {
    /// Every piece of the secret, in lower case, since servers change the case of a host name.
    pieces: HashSet<Box<[u8]>>,
    length: usize,
    /// The shortest run of base64 or hexadecimal digits that is decoded: it holds less than a piece otherwise.
    shortest_run: usize,
}

impl SecretEcho {
    /// Keeps the pieces of the secret. They are not wiped, so keep it only as long as there are texts to search.
    #[must_use]
    pub fn of(secret: &[u8]) -> Self {
        let length = secret.len().clamp(1, PIECE);
        let secret = secret.to_ascii_lowercase();
        let encoded = if length < SHORTEST_ENCODED {
            PIECE
        } else {
            length
        };
        Self {
            pieces: secret.windows(length).map(Box::from).collect(),
            length,
            shortest_run: (encoded * 4).div_ceil(3),
        }
    }

    /// Whether a piece of the secret is in the text, or in what it decodes to: from percent-encoding, base64,
    /// hexadecimal, the escapes of JSON and the character references of HTML.
    #[must_use]
    pub fn is_in(&self, text: &[u8]) -> bool {
        let mut waiting = vec![(text.to_vec(), 0)];
        while let Some((text, depth)) = waiting.pop() {
            if self.has_piece(&text) {
                return true;
            }
            if depth < DEEPEST {
                let decoded = decodings(&text, self.shortest_run).into_iter();
                waiting.extend(decoded.map(|decoded| (decoded, depth + 1)));
            }
        }
        false
    }

    fn has_piece(&self, text: &[u8]) -> bool {
        let text = text.to_ascii_lowercase();
        text.windows(self.length)
            .any(|piece| self.pieces.contains(piece))
    }
}

/// What the text is if its escapes, or its runs of base64 or hexadecimal digits, are decoded.
fn decodings(text: &[u8], shortest_run: usize) -> Vec<Vec<u8>> {
    let mut decodings = Vec::new();
    let plain = without_escapes(text);
    if plain != text {
        decodings.push(plain);
    }
    // A form writes a space as a plus sign.
    if text.contains(&b'+') {
        let space = |byte: &u8| if *byte == b'+' { b' ' } else { *byte };
        decodings.push(text.iter().map(space).collect());
    }
    // Base64 is often broken into lines (RFC 2045 section 6.8).
    let is_line_end = |byte: &u8| b"\r\n".contains(byte);
    if text.iter().any(is_line_end) {
        decodings.push(
            text.iter()
                .copied()
                .filter(|byte| !is_line_end(byte))
                .collect(),
        );
    }
    // The run that encodes the secret may begin with other characters.
    for skipped in 0..4 {
        let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_".contains(byte);
        decodings.extend(of_runs(text, shortest_run, is_digit, |run| {
            from_base64(&run[skipped..])
        }));
    }
    for skipped in 0..2 {
        decodings.extend(of_runs(text, shortest_run, u8::is_ascii_hexdigit, |run| {
            run[skipped..].chunks_exact(2).filter_map(byte).collect()
        }));
    }
    decodings
}

/// The decoded runs one after the other; `None` if no run is long enough.
fn of_runs(
    text: &[u8],
    shortest_run: usize,
    is_digit: impl Fn(&u8) -> bool,
    decode: impl Fn(&[u8]) -> Vec<u8>,
) -> Option<Vec<u8>> {
    let runs = text.split(|byte| !is_digit(byte));
    let decoded: Vec<Vec<u8>> = runs
        .filter(|run| run.len() >= shortest_run)
        .map(decode)
        .collect();
    (!decoded.is_empty()).then(|| decoded.join(&0))
}

/// Either alphabet (RFC 4648 sections 4 and 5), with or without padding.
fn from_base64(run: &[u8]) -> Vec<u8> {
    let digit = |byte: &u8| match byte {
        b'-' => b'+',
        b'_' => b'/',
        other => *other,
    };
    let run: Vec<u8> = run.iter().map(digit).collect();
    // One digit alone encodes nothing.
    let whole = run.len() - usize::from(run.len() % 4 == 1);
    BASE64.decode(&run[..whole]).unwrap_or_default()
}

fn byte(digits: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(digits).ok()?;
    u8::from_str_radix(digits, 16).ok()
}

/// Without percent-encoding, the escapes of JSON and similar languages, and the character references of HTML.
fn without_escapes(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        if let Some((character, length)) = escaped(rest) {
            plain.extend(character.encode_utf8(&mut [0; 4]).as_bytes());
            rest = &rest[length..];
        } else {
            plain.push(*first);
            rest = after;
        }
    }
    plain
}

/// The character that the text begins with in an escaped form, and the length of that form.
fn escaped(text: &[u8]) -> Option<(char, usize)> {
    let number = |from: usize, to: usize, radix: u32| {
        let digits = std::str::from_utf8(text.get(from..to)?).ok()?;
        char::from_u32(u32::from_str_radix(digits, radix).ok()?)
    };
    match text {
        [b'%', ..] => Some((number(1, 3, 16).filter(char::is_ascii)?, 3)),
        [b'\\', b'u', b'{', ..] => {
            let end = text.iter().take(12).position(|byte| *byte == b'}')?;
            Some((number(3, end, 16)?, end + 1))
        }
        [b'\\', b'u', ..] => Some((number(2, 6, 16)?, 6)),
        [b'\\', b'x', ..] => Some((number(2, 4, 16)?, 4)),
        [b'\\', b'/' | b'\\' | b'"' | b'\'', ..] => Some((char::from(text[1]), 2)),
        [b'&', b'#', ..] => {
            let end = text.iter().take(12).position(|byte| *byte == b';')?;
            let is_hexadecimal = matches!(text[2], b'x' | b'X');
            let character = if is_hexadecimal {
                number(3, end, 16)
            } else {
                number(2, end, 10)
            };
            Some((character?, end + 1))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
