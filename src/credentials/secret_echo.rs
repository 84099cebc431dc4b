//! Recognizes a secret that a server repeats, in whichever encoding.

use std::collections::HashSet;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use crate::text::{Unprintable, sanitize};

/// How many bytes of the secret count as the secret, because servers shorten what they quote.
const PIECE: usize = 12;
/// How many encodings inside one another are decoded.
const DEEPEST: usize = 4;
/// How many decodings of one text are examined; a text with more is taken for one that repeats the secret.
const MOST_DECODINGS: usize = 4096;
/// A secret of fewer bytes is looked for only in longer runs of digits: it would be found in ordinary words.
const SHORTEST_ENCODED: usize = 4;
/// The fewest numbers that are decoded as a list of bytes. A short secret is recognized in longer ones only.
const SHORTEST_LIST: usize = 6;

/// Decodes what may be cut anywhere.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Recognizes one secret or token in texts.
pub struct SecretEcho {
    /// The secret as it is, and as it is shown without characters that no one sees.
    forms: Vec<Pieces>,
}

/// Every piece of one form of the secret, in lower case, since servers change the case of a host name.
struct Pieces {
    set: HashSet<Box<[u8]>>,
    length: usize,
    /// The shortest run of base64 or hexadecimal digits that is decoded: it holds less than a piece otherwise.
    shortest_run: usize,
}

impl SecretEcho {
    /// Keeps the pieces of the secret. They are not wiped, so keep it only as long as there are texts to search.
    #[must_use]
    pub fn of(secret: &[u8]) -> Self {
        let mut forms = vec![Pieces::of(secret)];
        if let Ok(text) = std::str::from_utf8(secret) {
            for unprintable in [Unprintable::Remove, Unprintable::Space] {
                let shown = Zeroizing::new(sanitize(text, unprintable));
                if shown.as_bytes() != secret && !shown.trim().is_empty() {
                    forms.push(Pieces::of(shown.as_bytes()));
                }
            }
        }
        Self { forms }
    }

    /// Whether a piece of the secret is in the text, or in what it decodes to: from percent-encoding, base64, base32,
    /// hexadecimal and decimal numbers, the escapes of JSON and similar languages, and the character references of
    /// HTML.
    #[must_use]
    pub fn is_in(&self, text: &[u8]) -> bool {
        let shortest_run = self.forms.iter().map(|form| form.shortest_run).min();
        let shortest_run = shortest_run.unwrap_or(PIECE);
        let mut waiting = vec![(text.to_vec(), 0)];
        let mut examined = 0;
        while let Some((text, depth)) = waiting.pop() {
            examined += 1;
            if examined > MOST_DECODINGS || self.forms.iter().any(|form| form.are_in(&text)) {
                return true;
            }
            if depth < DEEPEST {
                let decoded = decodings(&text, shortest_run).into_iter();
                waiting.extend(decoded.map(|decoded| (decoded, depth + 1)));
            }
        }
        false
    }
}

impl Pieces {
    fn of(secret: &[u8]) -> Self {
        let length = secret.len().clamp(1, PIECE);
        let secret = Zeroizing::new(secret.to_ascii_lowercase());
        let encoded = if length < SHORTEST_ENCODED {
            PIECE
        } else {
            length
        };
        Self {
            set: secret.windows(length).map(Box::from).collect(),
            length,
            shortest_run: (encoded * 4).div_ceil(3),
        }
    }

    fn are_in(&self, text: &[u8]) -> bool {
        let text = text.to_ascii_lowercase();
        text.windows(self.length)
            .any(|piece| self.set.contains(piece))
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
    let joined = with_joined_groups(text);
    for skipped in 0..2 {
        let decode = |run: &[u8]| run[skipped..].chunks_exact(2).filter_map(byte).collect();
        let is_digit = u8::is_ascii_hexdigit;
        decodings.extend(of_runs(&joined, shortest_run, is_digit, decode));
    }
    for skipped in 0..8 {
        let decode = |run: &[u8]| from_base32(run.get(skipped..).unwrap_or_default());
        decodings.extend(of_runs(
            text,
            shortest_run,
            u8::is_ascii_alphanumeric,
            decode,
        ));
    }
    decodings.extend(
        [16, 10]
            .into_iter()
            .filter_map(|radix| from_numbers(text, radix)),
    );
    decodings
}

/// The bytes whose numbers are in the text, with anything between them: `61:62`, `0x61, 0x62`, `[97, 98]`. `None` if
/// there are too few for a piece.
fn from_numbers(text: &[u8], radix: u32) -> Option<Vec<u8>> {
    let words = text.split(|byte| !byte.is_ascii_alphanumeric());
    let digits = words.map(|word| match word {
        [b'0', b'x' | b'X', digits @ ..] | [b'x' | b'X', digits @ ..] | digits => digits,
    });
    let digits = digits.filter(|digits| (1..=3).contains(&digits.len()));
    let number = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok();
    let bytes: Vec<u8> = digits.filter_map(number).collect();
    (bytes.len() >= SHORTEST_LIST).then_some(bytes)
}

/// The text without what separates groups of hexadecimal digits, as `xxd` and `hexdump` write them: `6579 4a68`.
fn with_joined_groups(text: &[u8]) -> Vec<u8> {
    const LONGEST: usize = 2;
    let is_separator = |byte: &&u8| b" :-,;._\t\r\n".contains(*byte);
    let mut joined: Vec<u8> = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let separators = rest.iter().take(LONGEST + 1).take_while(is_separator);
        let length = separators.count();
        let is_between = joined.last().is_some_and(u8::is_ascii_hexdigit)
            && rest.get(length).is_some_and(u8::is_ascii_hexdigit);
        if (1..=LONGEST).contains(&length) && is_between {
            rest = &rest[length..];
        } else {
            joined.push(*first);
            rest = after;
        }
    }
    joined
}

/// The alphabet of RFC 4648 section 6, with or without padding.
fn from_base32(run: &[u8]) -> Vec<u8> {
    let (mut bytes, mut bits, mut held) = (Vec::with_capacity(run.len() * 5 / 8), 0_u32, 0);
    for digit in run {
        let five = match digit.to_ascii_uppercase() {
            letter @ b'A'..=b'Z' => letter - b'A',
            digit @ b'2'..=b'7' => digit - b'2' + 26,
            _ => return Vec::new(),
        };
        bits = bits << 5 & 0xfff | u32::from(five);
        held += 5;
        if held >= 8 {
            held -= 8;
            bytes.extend((bits >> held).to_le_bytes().first());
        }
    }
    bytes
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
pub(super) fn without_escapes(text: &[u8]) -> Vec<u8> {
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
        [b'\\', b'0'..=b'3', b'0'..=b'7', b'0'..=b'7', ..] => Some((number(1, 4, 8)?, 4)),
        [b'\\', b'n', ..] => Some(('\n', 2)),
        [b'\\', b'r', ..] => Some(('\r', 2)),
        [b'\\', b't', ..] => Some(('\t', 2)),
        [b'\\', sign, ..] if sign.is_ascii_punctuation() => Some((char::from(*sign), 2)),
        [b'&', b'#', ..] => {
            let is_hexadecimal = matches!(text.get(2), Some(b'x' | b'X'));
            let from = if is_hexadecimal { 3 } else { 2 };
            let radix = if is_hexadecimal { 16 } else { 10 };
            let digits = text.iter().skip(from).take(9);
            let digits = digits.take_while(|byte| char::from(**byte).is_digit(radix));
            let end = from + digits.count();
            let character = number(from, end, radix)?;
            Some((character, end + usize::from(text.get(end) == Some(&b';'))))
        }
        [b'&', ..] => named_reference(text),
        _ => None,
    }
}

/// The references that replace markup, which some servers leave without their semicolon, and those that HTML has for
/// the other ASCII signs.
fn named_reference(text: &[u8]) -> Option<(char, usize)> {
    const OF_MARKUP: [(&[u8], char); 5] = [
        (b"&amp", '&'),
        (b"&lt", '<'),
        (b"&gt", '>'),
        (b"&quot", '"'),
        (b"&apos", '\''),
    ];
    let of_markup = OF_MARKUP.into_iter().find_map(|(name, character)| {
        let end = name.len();
        let begins = text.get(..end)?.eq_ignore_ascii_case(name);
        begins.then(|| (character, end + usize::from(text.get(end) == Some(&b';'))))
    });
    let of_sign = || {
        OF_SIGNS.into_iter().find_map(|(name, character)| {
            let end = 1 + name.len();
            let begins = text.get(1..end)?.eq_ignore_ascii_case(name);
            begins.then_some((character, end))
        })
    };
    of_markup.or_else(of_sign)
}

/// Without the `&`.
const OF_SIGNS: [(&[u8], char); 36] = [
    (b"Tab;", '\t'),
    (b"NewLine;", '\n'),
    (b"excl;", '!'),
    (b"num;", '#'),
    (b"dollar;", '$'),
    (b"percnt;", '%'),
    (b"lpar;", '('),
    (b"rpar;", ')'),
    (b"ast;", '*'),
    (b"midast;", '*'),
    (b"plus;", '+'),
    (b"comma;", ','),
    (b"period;", '.'),
    (b"sol;", '/'),
    (b"colon;", ':'),
    (b"semi;", ';'),
    (b"equals;", '='),
    (b"quest;", '?'),
    (b"commat;", '@'),
    (b"lsqb;", '['),
    (b"lbrack;", '['),
    (b"bsol;", '\\'),
    (b"rsqb;", ']'),
    (b"rbrack;", ']'),
    (b"Hat;", '^'),
    (b"lowbar;", '_'),
    (b"UnderBar;", '_'),
    (b"grave;", '`'),
    (b"DiacriticalGrave;", '`'),
    (b"lcub;", '{'),
    (b"lbrace;", '{'),
    (b"verbar;", '|'),
    (b"vert;", '|'),
    (b"VerticalLine;", '|'),
    (b"rcub;", '}'),
    (b"rbrace;", '}'),
];

#[cfg(test)]
mod tests;
