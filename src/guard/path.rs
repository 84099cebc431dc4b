//! A request's path as rules see it: decoded, and refused where two servers could read it differently.
//!
//! nginx removes dot segments and repeated slashes, Node and `FastAPI` do not; some decode twice, some cut
//! `;…` off, some take `\` for a slash, some drop dots and blanks at the end of a name. A rule would have to
//! be right for all of them, so what they disagree on does not pass. The bytes that go on are never touched.

use std::borrow::Cow;

use super::Refusal;
use crate::problem::Reason;
use crate::text::quotable;

/// What a byte of a path is, as far as rules are concerned.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Slash,
    /// May not stand at the end of a segment.
    Dot,
    /// May stand at neither end; never raw.
    Blank,
    Escape,
    /// Part of a longer character; never raw.
    Beyond,
    Odd,
}

const KINDS: [Kind; 256] = {
    let mut kinds = [Kind::Plain; 256];
    let mut byte = 0;
    while byte < 256 {
        if byte < 0x20 || byte == 0x7f {
            kinds[byte] = Kind::Odd;
        } else if byte >= 0x80 {
            kinds[byte] = Kind::Beyond;
        }
        byte += 1;
    }
    kinds[b'/' as usize] = Kind::Slash;
    kinds[b'.' as usize] = Kind::Dot;
    kinds[b' ' as usize] = Kind::Blank;
    kinds[b'%' as usize] = Kind::Escape;
    kinds[b'\\' as usize] = Kind::Odd;
    kinds[b';' as usize] = Kind::Odd;
    kinds
};

/// Why a path has more than one reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doubt {
    /// `%` without two hexadecimal digits.
    BrokenEscape,
    /// Raw or encoded: a separator, a control character, another `%`.
    OddByte(u8),
    /// What stands beyond ASCII was not encoded.
    RawText,
    /// What was encoded is no UTF-8, an overlong form for one.
    NotText,
    /// A character that some servers fold to an ASCII one, or that cannot be seen.
    Lookalike,
    /// `//`.
    EmptySegment,
    /// A segment that ends in a dot, `.` and `..` among them, or begins or ends with a blank.
    SegmentEnd,
}

impl Doubt {
    /// The answer to it.
    #[cold]
    pub(super) fn refusal(self) -> Refusal {
        let what = match self {
            Self::BrokenEscape => "has a % without two hexadecimal digits behind it".to_owned(),
            Self::OddByte(byte) if byte.is_ascii_graphic() => {
                format!("has a \"{}\" (%{byte:02X}), raw or encoded", shown_byte(byte))
            }
            Self::OddByte(byte) => format!("has a control character (%{byte:02X})"),
            Self::RawText => "has letters beyond ASCII that are not percent-encoded".to_owned(),
            Self::NotText => "has escapes that are not UTF-8".to_owned(),
            Self::Lookalike => {
                "has a character that some servers take for another, or ignore".to_owned()
            }
            Self::EmptySegment => "has an empty segment (//)".to_owned(),
            Self::SegmentEnd => {
                "has a segment that ends in a dot (/./ and /../ too), or begins or ends with a blank"
                    .to_owned()
            }
        };
        let detail = format!(
            "The path {what}. Servers read that in different ways, so it never passes where read_only, allow or deny is set."
        );
        Refusal::new(Reason::RuleRefused, detail)
    }
}

/// The one reading of a path without its query. Nothing is allocated where nothing is encoded.
pub(super) fn read(path: &str) -> Result<Cow<'_, str>, Doubt> {
    let Some(first) = memchr::memchr(b'%', path.as_bytes()) else {
        let mut before = Kind::Plain;
        for byte in path.bytes() {
            before = next(before, raw(byte)?)?;
        }
        end(before)?;
        return Ok(Cow::Borrowed(path));
    };
    let decoded = decode(path.as_bytes(), first)?;
    let text = String::from_utf8(decoded).map_err(|_| Doubt::NotText)?;
    // Most of what is encoded is ASCII.
    if !text.is_ascii()
        && text
            .chars()
            .any(|character| !character.is_ascii() && is_lookalike(character))
    {
        return Err(Doubt::Lookalike);
    }
    Ok(Cow::Owned(text))
}

/// Decodes a path whose first escape is at `first`; everything before it is copied as it is.
fn decode(path: &[u8], first: usize) -> Result<Vec<u8>, Doubt> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut before = Kind::Plain;
    for byte in &path[..first] {
        before = next(before, raw(*byte)?)?;
    }
    decoded.extend_from_slice(&path[..first]);
    let mut rest = &path[first..];
    while let [byte, after @ ..] = rest {
        let (byte, kind) = if *byte == b'%' {
            let [high, low, after @ ..] = after else {
                return Err(Doubt::BrokenEscape);
            };
            rest = after;
            let byte = escaped(*high, *low)?;
            (byte, harmless(byte)?)
        } else {
            rest = after;
            (*byte, raw(*byte)?)
        };
        before = next(before, kind)?;
        decoded.push(byte);
    }
    end(before)?;
    Ok(decoded)
}

/// What a hexadecimal digit stands for; `NO_DIGIT` where it is none.
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
fn escaped(high: u8, low: u8) -> Result<u8, Doubt> {
    let (high, low) = (DIGITS[usize::from(high)], DIGITS[usize::from(low)]);
    if high == NO_DIGIT || low == NO_DIGIT {
        return Err(Doubt::BrokenEscape);
    }
    Ok(high << 4 | low)
}

/// What a byte is that may stand in a path as it is.
#[inline]
fn raw(byte: u8) -> Result<Kind, Doubt> {
    match KINDS[usize::from(byte)] {
        kind @ (Kind::Plain | Kind::Slash | Kind::Dot) => Ok(kind),
        Kind::Beyond => Err(Doubt::RawText),
        Kind::Blank | Kind::Odd | Kind::Escape => Err(Doubt::OddByte(byte)),
    }
}

/// What a byte is that may stand in a path encoded: not what would mean something else once decoded.
#[inline]
fn harmless(byte: u8) -> Result<Kind, Doubt> {
    match KINDS[usize::from(byte)] {
        Kind::Slash | Kind::Escape | Kind::Odd => Err(Doubt::OddByte(byte)),
        Kind::Plain if matches!(byte, b'?' | b'#') => Err(Doubt::OddByte(byte)),
        kind @ (Kind::Plain | Kind::Dot | Kind::Blank | Kind::Beyond) => Ok(kind),
    }
}

/// Whether one byte may follow another.
#[inline]
fn next(before: Kind, kind: Kind) -> Result<Kind, Doubt> {
    match (before, kind) {
        (Kind::Slash, Kind::Slash) => Err(Doubt::EmptySegment),
        (Kind::Dot | Kind::Blank, Kind::Slash) | (Kind::Slash, Kind::Blank) => {
            Err(Doubt::SegmentEnd)
        }
        _ => Ok(kind),
    }
}

/// Whether a path may end so. A slash at the very end is an empty segment too, and as common as none.
#[inline]
fn end(last: Kind) -> Result<(), Doubt> {
    match last {
        Kind::Dot | Kind::Blank => Err(Doubt::SegmentEnd),
        Kind::Plain | Kind::Slash | Kind::Escape | Kind::Beyond | Kind::Odd => Ok(()),
    }
}

/// Characters whose compatibility form is or holds ASCII (Unicode's NFKC; Windows' "best fit"), marks that
/// combine with the letter before, and what cannot be seen.
fn is_lookalike(character: char) -> bool {
    matches!(u32::from(character),
        0x80..=0xa0 | 0xaa | 0xad | 0xb2 | 0xb3 | 0xb9 | 0xba | 0xbc..=0xbe // C1, no-break and soft, ª ² ³ ¹ º ¼
        | 0x130..=0x133 | 0x13f | 0x140 | 0x149 | 0x17f | 0x1c4..=0x1cc | 0x1f1..=0x1f3 // İ ı ĳ ŀ ŉ ſ ǆ ǉ ǳ
        | 0x2b0..=0x2b8 | 0x2bc | 0x2e0..=0x2e3 // ʰ ˢ and the like
        | 0x300..=0x36f | 0x1ab0..=0x1aff | 0x1dc0..=0x1dff | 0x20d0..=0x20ff | 0xfe20..=0xfe2f // combining
        | 0x1d2c..=0x1dbf // phonetic small capitals and modifiers
        | 0x2000..=0x20cf | 0x2100..=0x218f // blanks, marks, ⁿ, fraction slash, ℡ K Å ⅓ Ⅷ
        | 0x2212 | 0x2215 | 0x2216 | 0x2236 | 0x2460..=0x24ff | 0x29f5 | 0x29f8 | 0x29f9 // signs, ① ⓐ
        | 0x2c7c | 0x2c7d | 0x3000 | 0x3164 | 0x3200..=0x33ff | 0xa789 | 0xfb00..=0xfb06 // ideographic blank, squared, ﬁ
        | 0xfe00..=0xfe0f | 0xfe10..=0xfe19 | 0xfe30..=0xfe6f | 0xfeff | 0xff00..=0xffef // variants, wide forms
        | 0xfff0..=0xffff | 0x1d400..=0x1d7ff | 0x1f100..=0x1f1ff | 0x1fbf0..=0x1fbf9 // mathematical letters
        | 0xe0000..=0x10_ffff) // tags, private use
        || matches!(u32::from(character), 0x180b..=0x180f | 0xe000..=0xf8ff)
}

fn shown_byte(byte: u8) -> String {
    match byte {
        b'\\' => "backslash".to_owned(), // `shown` would hide it
        _ => quotable(&[byte]),
    }
}

#[cfg(test)]
mod tests;
