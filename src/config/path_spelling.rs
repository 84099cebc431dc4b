//! Different spellings of one path: letters that servers fold into each other, and alternative names in a file system.

use std::borrow::Cow;

use icu_casemap::CaseMapper;
use icu_normalizer::ComposingNormalizerBorrowed;

/// Text in which two spellings are the same that differ only in case (Unicode, section 3.13: full case folding, which
/// also takes `ς` and `Σ` for one letter) or in what Unicode's NFKC takes for the same letter, such as the forms of
/// Arabic letters.
#[must_use]
pub(super) fn fold(text: &str) -> String {
    let nfkc = ComposingNormalizerBorrowed::new_nfkc();
    // Folding takes some letters apart.
    let folded = fold_case(&nfkc.normalize(text)).into_owned();
    nfkc.normalize(&folded).into_owned()
}

fn fold_case(text: &str) -> Cow<'_, str> {
    CaseMapper::new().fold_string(text)
}

/// Whether servers may compare this text differently, because some of them normalize it (Unicode's NFC), take letters
/// for others or ignore them: letters whose compatibility form (NFKC) or case folding contains ASCII or several
/// letters, and characters that are combined with others or invisible. No form of such a letter is compared in the same
/// way by all servers.
#[must_use]
pub fn is_ambiguous_text(text: &str) -> bool {
    if text.is_ascii() {
        return false;
    }
    let folded = fold_case(text);
    !ComposingNormalizerBorrowed::new_nfc().is_normalized(text)
        || ascii(&ComposingNormalizerBorrowed::new_nfkc().normalize(text)) != ascii(text)
        || ascii(&folded) != ascii(text)
        || letters(&folded) != letters(text)
        || text.chars().any(is_lookalike)
}

/// How many characters are ASCII.
fn ascii(text: &str) -> usize {
    text.bytes().filter(u8::is_ascii).count()
}

/// How many characters are not accents: `ß` folds to two letters, but `ΐ` to one with accents.
fn letters(text: &str) -> usize {
    let is_accent = |letter: &char| matches!(u32::from(*letter), 0x300..=0x36f);
    text.chars().filter(|letter| !is_accent(letter)).count()
}

/// Combining and invisible characters, and those that look like ASCII or that Windows converts to it ("best fit"),
/// except letters of living languages (`ā` to `a`).
fn is_lookalike(character: char) -> bool {
    matches!(u32::from(character),
        0x80..=0xa6 | 0xa8..=0xaf | 0xb2..=0xb4 | 0xb6..=0xbf | 0xd7 | 0xf7 // C1, signs except § ° ± µ
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
        || matches!(u32::from(character), 0x180b..=0x180f | 0xe000..=0xf8ff
            | 0x61c | 0x115f | 0x1160 | 0x1680 | 0x2800 | 0x17b4 | 0x17b5 | 0x1bca0..=0x1bca3 | 0x1d173..=0x1d17a)
}

/// Whether a decoded path has a name that NTFS resolves to another one: a short name (`SECRE~1`) or a stream
/// (`secret::$DATA`, `secret:$I30:$INDEX_ALLOCATION`).
#[must_use]
pub fn has_ntfs_alias(path: &str) -> bool {
    let bytes = path.as_bytes();
    memchr::memchr2_iter(b'~', b':', bytes).any(|at| match (bytes[at], bytes.get(at + 1)) {
        (b'~', Some(next)) => next.is_ascii_digit(),
        (_, next) => next == Some(&b'$'),
    })
}

/// Whether a decoded path has a segment that begins like `(S(…))`, which ASP.NET removes together with the session that
/// it names.
#[must_use]
pub fn has_session_segment(path: &str) -> bool {
    let segments = path.as_bytes().split(|byte| *byte == b'/');
    path.contains("/(")
        && segments.skip(1).any(
            |segment| matches!(segment, [b'(', letter, b'(', ..] if letter.is_ascii_alphabetic()),
        )
}

#[cfg(test)]
mod tests;
