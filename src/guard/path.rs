//! Decodes the path of a request for rules, and rejects a path that two servers could interpret differently.
//!
//! nginx removes dot segments and repeated slashes; Node and `FastAPI` do not. Some servers decode twice, some remove
//! `;…`, some treat `\` as a slash, some drop dots and spaces at the end of a name. A rule would have to be right for all
//! of them, so a path on which they disagree never passes. The path that is forwarded is never changed.

use std::borrow::Cow;

use super::rejection::Rejection;
use crate::problem::Reason;
use crate::text::quotable;

/// What a byte of a path means for rules.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ByteClass {
    Plain,
    Slash,
    /// Not allowed at the end of a segment.
    Dot,
    /// Not allowed at either end of a segment, and only percent-encoded.
    Space,
    Escape,
    /// Part of a non-ASCII character; only percent-encoded.
    NonAscii,
    /// Never allowed.
    Forbidden,
}

const CLASSES: [ByteClass; 256] = {
    let mut classes = [ByteClass::Plain; 256];
    let mut byte = 0;
    while byte < 256 {
        if byte < 0x20 || byte == 0x7f {
            classes[byte] = ByteClass::Forbidden;
        } else if byte >= 0x80 {
            classes[byte] = ByteClass::NonAscii;
        }
        byte += 1;
    }
    classes[b'/' as usize] = ByteClass::Slash;
    classes[b'.' as usize] = ByteClass::Dot;
    classes[b' ' as usize] = ByteClass::Space;
    classes[b'%' as usize] = ByteClass::Escape;
    classes[b'\\' as usize] = ByteClass::Forbidden;
    classes[b';' as usize] = ByteClass::Forbidden;
    classes
};

/// Why servers could interpret a path differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PathAmbiguity {
    /// `%` without two hexadecimal digits.
    BrokenEscape,
    /// A separator, a control character or an encoded `%`, whether raw or encoded.
    ForbiddenByte(u8),
    /// A non-ASCII character that is not percent-encoded.
    RawNonAscii,
    /// The decoded bytes are not UTF-8, for example an overlong encoding.
    InvalidUtf8,
    /// A character that some servers fold to an ASCII one, or that is invisible.
    Lookalike,
    /// `//`.
    EmptySegment,
    /// A segment that ends in a dot, including `.` and `..`, or begins or ends with a space.
    SegmentEnd,
}

impl PathAmbiguity {
    #[cold]
    pub(super) fn rejection(self) -> Rejection {
        let what = match self {
            Self::BrokenEscape => "has a % that is not followed by two hexadecimal digits".to_owned(),
            Self::ForbiddenByte(byte) if byte.is_ascii_graphic() => {
                format!("has a \"{}\" (%{byte:02X}), raw or encoded", byte_name(byte))
            }
            Self::ForbiddenByte(byte) => format!("has a control character (%{byte:02X})"),
            Self::RawNonAscii => "has non-ASCII characters that are not percent-encoded".to_owned(),
            Self::InvalidUtf8 => "has percent-encoded bytes that are not UTF-8".to_owned(),
            Self::Lookalike => {
                "has a character that some servers treat as another one, or ignore".to_owned()
            }
            Self::EmptySegment => "has an empty segment (//)".to_owned(),
            Self::SegmentEnd => {
                "has a segment that ends in a dot (including /./ and /../), or begins or ends with a space"
                    .to_owned()
            }
        };
        let detail = format!(
            "The path {what}. Servers interpret that differently, so such a path is rejected wherever read_only, allow or deny is set."
        );
        Rejection::new(Reason::RuleRefused, detail)
    }
}

/// Decodes a path without its query. Allocates only if something is encoded.
pub(super) fn decode_path(path: &str) -> Result<Cow<'_, str>, PathAmbiguity> {
    let Some(first) = memchr::memchr(b'%', path.as_bytes()) else {
        let mut before = ByteClass::Plain;
        for byte in path.bytes() {
            before = next(before, raw(byte)?)?;
        }
        end(before)?;
        return Ok(Cow::Borrowed(path));
    };
    let decoded = decode_from(path.as_bytes(), first)?;
    let text = String::from_utf8(decoded).map_err(|_| PathAmbiguity::InvalidUtf8)?;
    // Most encoded characters are ASCII.
    if !text.is_ascii()
        && text
            .chars()
            .any(|character| !character.is_ascii() && is_lookalike(character))
    {
        return Err(PathAmbiguity::Lookalike);
    }
    Ok(Cow::Owned(text))
}

/// Decodes a path whose first `%` is at `first`.
fn decode_from(path: &[u8], first: usize) -> Result<Vec<u8>, PathAmbiguity> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut before = ByteClass::Plain;
    for byte in &path[..first] {
        before = next(before, raw(*byte)?)?;
    }
    decoded.extend_from_slice(&path[..first]);
    let mut rest = &path[first..];
    while let [byte, after @ ..] = rest {
        let (byte, class) = if *byte == b'%' {
            let [high, low, after @ ..] = after else {
                return Err(PathAmbiguity::BrokenEscape);
            };
            rest = after;
            let byte = unescape(*high, *low)?;
            (byte, encoded(byte)?)
        } else {
            rest = after;
            (*byte, raw(*byte)?)
        };
        before = next(before, class)?;
        decoded.push(byte);
    }
    end(before)?;
    Ok(decoded)
}

/// The value of each hexadecimal digit; `NO_DIGIT` for other bytes.
const DIGITS: [u8; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut digit = 0_u8;
    while digit < 16 {
        digits[b"0123456789abcdef"[digit as usize] as usize] = digit;
        digits[b"0123456789ABCDEF"[digit as usize] as usize] = digit;
        digit += 1;
    }
    digits
};

const NO_DIGIT: u8 = 0xff;

#[inline]
fn unescape(high: u8, low: u8) -> Result<u8, PathAmbiguity> {
    let (high, low) = (DIGITS[usize::from(high)], DIGITS[usize::from(low)]);
    if high == NO_DIGIT || low == NO_DIGIT {
        return Err(PathAmbiguity::BrokenEscape);
    }
    Ok(high << 4 | low)
}

/// The class of a byte that appears in the path as it is.
#[inline]
fn raw(byte: u8) -> Result<ByteClass, PathAmbiguity> {
    match CLASSES[usize::from(byte)] {
        class @ (ByteClass::Plain | ByteClass::Slash | ByteClass::Dot) => Ok(class),
        ByteClass::NonAscii => Err(PathAmbiguity::RawNonAscii),
        ByteClass::Space | ByteClass::Forbidden | ByteClass::Escape => {
            Err(PathAmbiguity::ForbiddenByte(byte))
        }
    }
}

/// The class of a byte that appears percent-encoded. Rejects bytes that mean something else once they are decoded.
#[inline]
fn encoded(byte: u8) -> Result<ByteClass, PathAmbiguity> {
    match CLASSES[usize::from(byte)] {
        ByteClass::Slash | ByteClass::Escape | ByteClass::Forbidden => {
            Err(PathAmbiguity::ForbiddenByte(byte))
        }
        ByteClass::Plain if matches!(byte, b'?' | b'#') => Err(PathAmbiguity::ForbiddenByte(byte)),
        class @ (ByteClass::Plain | ByteClass::Dot | ByteClass::Space | ByteClass::NonAscii) => {
            Ok(class)
        }
    }
}

/// Checks whether a byte of this class may follow the one before.
#[inline]
fn next(before: ByteClass, class: ByteClass) -> Result<ByteClass, PathAmbiguity> {
    match (before, class) {
        (ByteClass::Slash, ByteClass::Slash) => Err(PathAmbiguity::EmptySegment),
        (ByteClass::Dot | ByteClass::Space, ByteClass::Slash)
        | (ByteClass::Slash, ByteClass::Space) => Err(PathAmbiguity::SegmentEnd),
        _ => Ok(class),
    }
}

/// Checks the last byte of a path. A slash at the end is common, although it leaves an empty segment.
#[inline]
fn end(last: ByteClass) -> Result<(), PathAmbiguity> {
    match last {
        ByteClass::Dot | ByteClass::Space => Err(PathAmbiguity::SegmentEnd),
        ByteClass::Plain
        | ByteClass::Slash
        | ByteClass::Escape
        | ByteClass::NonAscii
        | ByteClass::Forbidden => Ok(()),
    }
}

/// Characters whose compatibility form is or contains ASCII (Unicode's NFKC; Windows' "best fit"), combining marks, and
/// invisible characters.
fn is_lookalike(character: char) -> bool {
    matches!(u32::from(character),
        0x80..=0xa0 | 0xaa | 0xad | 0xb2 | 0xb3 | 0xb9 | 0xba | 0xbc..=0xbe // C1, no-break and soft, ª ² ³ ¹ º ¼
        | 0x130..=0x133 | 0x13f | 0x140 | 0x149 | 0x17f | 0x1c4..=0x1cc | 0x1f1..=0x1f3 // İ ı ĳ ŀ ŉ ſ ǆ ǉ ǳ
        | 0x2b0..=0x2b8 | 0x2bc | 0x2e0..=0x2e3 // ʰ ˢ and the like
        | 0x300..=0x36f | 0x1ab0..=0x1aff | 0x1dc0..=0x1dff | 0x20d0..=0x20ff | 0xfe20..=0xfe2f // combining
        | 0x1d2c..=0x1dbf // phonetic small capitals and modifiers
        | 0x2000..=0x20cf | 0x2100..=0x218f // spaces, marks, ⁿ, fraction slash, ℡ K Å ⅓ Ⅷ
        | 0x2212 | 0x2215 | 0x2216 | 0x2236 | 0x2460..=0x24ff | 0x29f5 | 0x29f8 | 0x29f9 // signs, ① ⓐ
        | 0x2c7c | 0x2c7d | 0x3000 | 0x3164 | 0x3200..=0x33ff | 0xa789 | 0xfb00..=0xfb06 // ideographic space, squared, ﬁ
        | 0xfe00..=0xfe0f | 0xfe10..=0xfe19 | 0xfe30..=0xfe6f | 0xfeff | 0xff00..=0xffef // variants, wide forms
        | 0xfff0..=0xffff | 0x1d400..=0x1d7ff | 0x1f100..=0x1f1ff | 0x1fbf0..=0x1fbf9 // mathematical letters
        | 0xe0000..=0x10_ffff) // tags, private use
        || matches!(u32::from(character), 0x180b..=0x180f | 0xe000..=0xf8ff)
}

fn byte_name(byte: u8) -> String {
    match byte {
        b'\\' => "backslash".to_owned(), // `quotable` would replace it
        _ => quotable(&[byte]),
    }
}

#[cfg(test)]
mod tests;
