//! Decodes the path of a request for rules, and rejects a path that two servers could interpret differently.
//!
//! nginx removes dot segments and repeated slashes; Node and `FastAPI` do not. Some servers decode twice, some remove
//! `;…`, some treat `\` as a slash, some drop dots and spaces at the end of a name. A rule would have to be right for
//! all of them, so a path on which they disagree never passes. The path that is forwarded is never changed.

use std::borrow::Cow;

use super::rejection::Rejection;
use crate::config::{has_ntfs_alias, has_session_segment, is_ambiguous_text};
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
    /// Characters that some servers take for others, or ignore.
    Lookalike,
    /// A name that NTFS resolves to another one.
    NtfsAlias,
    /// A segment that ASP.NET removes.
    SessionSegment,
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
            Self::NtfsAlias => "has a ~ before a digit, or a $ after a colon, which on Windows may be another name of a file".to_owned(),
            Self::SessionSegment => {
                "has a segment that begins like (S(...)), which ASP.NET removes".to_owned()
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
    let decoded = decode(path)?;
    if has_ntfs_alias(&decoded) {
        return Err(PathAmbiguity::NtfsAlias);
    }
    if has_session_segment(&decoded) {
        return Err(PathAmbiguity::SessionSegment);
    }
    Ok(decoded)
}

fn decode(path: &str) -> Result<Cow<'_, str>, PathAmbiguity> {
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
    if is_ambiguous_text(&text) {
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

fn byte_name(byte: u8) -> String {
    match byte {
        b'\\' => "backslash".to_owned(), // `quotable` would replace it
        _ => quotable(&[byte]),
    }
}

#[cfg(test)]
mod tests;
