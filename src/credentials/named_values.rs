//! Cuts the values of names such as `password` and `access_token` out of a text, however they are written: as JSON, in
//! a query, a header field, an option or an element, and also where all that is escaped once more.

use super::secret_echo::without_escapes;
use crate::text::{Unprintable, sanitize};

/// What is shown in place of a value.
pub(super) const CUT: &str = "(cut)";
/// A name that contains one of these names a secret, in ordinary text too: `Password: …`.
const NAMES: [&str; 9] = [
    "token",
    "secret",
    "password",
    "assertion",
    "key",
    "passwd",
    "passphrase",
    "pwd",
    "cookie",
];
/// So does one that contains one of these, but not where a space follows: messages say `credentials: not found`.
const MORE_NAMES: [&str; 5] = ["credential", "signature", "jwt", "bearer", "authorization"];
/// One that contains one of these names a file, although it may contain one of the others too: `token_file`.
const NAMES_OF_FILES: [&str; 4] = ["file", "path", "dir", "folder"];
/// So does one of these alone.
const WHOLE_NAMES: [&str; 5] = ["auth", "pass", "pw", "sid", "sig"];
/// So does one of these in a query. Elsewhere it is a number that helps: `exit code: 1`.
const QUERY_NAMES: [&str; 2] = ["code", "state"];
/// What may stand before credentials in `Authorization`.
const SCHEMES: [&str; 5] = ["bearer", "basic", "token", "dpop", "negotiate"];
/// What an element may begin with whose content has no escapes, and how that ends.
const CDATA: &[u8] = b"<![CDATA[";
const CDATA_END: &[u8] = b"]]>";
/// How many layers of escapes are looked through.
const DEEPEST: usize = 4;

/// Where a space may stand between a name and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spaces {
    /// After any name.
    Anywhere,
    /// Only after a name in quotes: messages say `invalid token: expired`.
    AfterQuotes,
}

/// The text without these values. If some are only found once escapes are decoded, it is the decoded text.
pub(super) fn without_values(text: &str, spaces: Spaces) -> String {
    let mut shown = cut_values(text, spaces);
    let mut plain = shown.clone();
    for _ in 0..DEEPEST {
        let decoded = without_escapes(plain.as_bytes());
        let decoded = sanitize(&String::from_utf8_lossy(&decoded), Unprintable::Space);
        if decoded == plain {
            break;
        }
        plain = cut_values(&decoded, spaces);
        if plain != decoded {
            shown.clone_from(&plain);
        }
    }
    shown
}

/// Whether the text contains a name that says that its value is a secret, whatever else is there.
pub(super) fn names_secret(text: &str) -> bool {
    contains_one(&text.to_ascii_lowercase(), &NAMES)
}

/// Whether the word is just such a name.
pub(super) fn is_name_of_secret(name: &str) -> bool {
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Whether the word ends with a scheme of `Authorization` that credentials follow in any text.
pub(super) fn is_common_scheme(word: &str) -> bool {
    let mut parts = word.rsplit(|letter: char| !letter.is_ascii_alphanumeric());
    let last = parts.next().unwrap_or_default();
    SCHEMES[..2]
        .iter()
        .any(|scheme| last.eq_ignore_ascii_case(scheme))
}

fn cut_values(text: &str, spaces: Spaces) -> String {
    let bytes = text.as_bytes();
    let mut shown = String::with_capacity(text.len());
    let mut copied = 0;
    let mut at = 0;
    while at < bytes.len() {
        if !is_of_name(bytes[at]) {
            at += 1;
            continue;
        }
        let end = end_of(bytes, at, is_of_name);
        let Some(value) = value_of(bytes, at, end, spaces) else {
            at = end;
            continue;
        };
        shown.push_str(&text[copied..value.start]);
        if value.start < value.end {
            shown.push_str(CUT);
        }
        copied = value.end;
        at = value.end.max(end);
    }
    shown.push_str(&text[copied..]);
    shown
}

/// Where the value of the name at `from..to` is, if it has one and names a secret.
fn value_of(
    bytes: &[u8],
    from: usize,
    to: usize,
    spaces: Spaces,
) -> Option<std::ops::Range<usize>> {
    let name = std::str::from_utf8(&bytes[from..to]).ok()?;
    let name = name.to_ascii_lowercase();
    let before = from.checked_sub(1).map(|before| bytes[before]);
    let is_in_query = matches!(before, Some(b'?' | b'&'));
    let is_option = name.starts_with('-');
    let closed = end_of(bytes, to, |byte| b"\"'`])\\".contains(&byte));
    let is_quoted = bytes[to..closed].iter().any(|byte| b"\"'`".contains(byte));
    let may_have_spaces = spaces == Spaces::Anywhere || is_quoted;
    let after_spaces = end_of(bytes, closed, is_space);
    let is_assigned = |at: usize| bytes.get(at).is_some_and(|byte| b":=>".contains(byte));
    let after = if may_have_spaces && is_assigned(after_spaces) {
        after_spaces
    } else {
        closed
    };
    let start = if is_assigned(after) {
        let signs = bytes[after..].iter().take(3);
        let signs = signs.take_while(|byte| b":=>".contains(byte)).count();
        let value = after + signs;
        let unspaced = end_of(bytes, value, is_space);
        let is_apart = after > closed || unspaced > value;
        if is_apart && !may_have_spaces {
            return None;
        }
        let is_secret = contains_one(&name, &NAMES)
            || name.contains("authorization")
            || (!is_apart || is_quoted) && contains_one(&name, &MORE_NAMES)
            || !is_apart && WHOLE_NAMES.contains(&name.as_str())
            || is_in_query && QUERY_NAMES.contains(&name.as_str());
        let is_path =
            !is_apart && !is_quoted && !is_in_query && is_path_for(&name, &bytes[unspaced..]);
        if !is_secret || is_path {
            return None;
        }
        unspaced
    } else {
        // An option and its value, or the two as members of a list.
        let value = end_of(bytes, closed, |byte| is_space(byte) || byte == b',');
        let is_secret = contains_one(&name, &NAMES)
            || contains_one(&name, &MORE_NAMES)
            || WHOLE_NAMES.contains(&name.trim_start_matches('-'));
        if !is_option || value == closed || !is_secret {
            return None;
        }
        value
    };
    let form = if is_in_query {
        Form::Query
    } else if is_quoted {
        Form::Member
    } else if before == Some(b'<') {
        Form::Element
    } else {
        Form::Word
    };
    Some(value_from(bytes, &name, start, form))
}

/// The value that begins at `start`, without the scheme, the quotes and the marks around it.
fn value_from(bytes: &[u8], name: &str, start: usize, form: Form) -> std::ops::Range<usize> {
    let is_field = name.contains("authorization");
    let schemes = if is_field {
        &SCHEMES[..]
    } else {
        &SCHEMES[..2]
    };
    let after_scheme = end_of_scheme(bytes, start, schemes);
    let has_scheme = after_scheme > start;
    let start = after_scheme;
    let (start, mut end) = match bytes[start..].strip_prefix(CDATA) {
        Some(rest) if form == Form::Element => {
            let start = start + CDATA.len();
            let mut ends = rest.windows(CDATA_END.len());
            let length = ends.position(|end| end == CDATA_END);
            (start, length.map_or(bytes.len(), |length| start + length))
        }
        _ => (start, end_of_value(bytes, start, form)),
    };
    // An unknown scheme, and what follows it.
    if is_field && !has_scheme && form == Form::Word && bytes.get(end) == Some(&b' ') {
        end = end_of(bytes, end + 1, |byte| !is_space(byte));
    }
    if name.contains("cookie") && form == Form::Word {
        // Further cookies follow, each with a name of its own.
        while bytes[..end].ends_with(b";") && bytes.get(end) == Some(&b' ') {
            end = end_of(bytes, end + 1, |byte| !is_space(byte));
        }
    }
    let (start, end) = inside_quotes(bytes, start, end);
    start..end
}

/// How a value ends if it is not in quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// At a space.
    Word,
    /// At an ampersand too.
    Query,
    /// At the end of a member of JSON too.
    Member,
    /// At the next element too.
    Element,
}

fn end_of_value(bytes: &[u8], start: usize, form: Form) -> usize {
    // Rust and Python write some strings with a letter before them.
    let letters = end_of(bytes, start, |byte| {
        b"bfru".contains(&byte.to_ascii_lowercase())
    });
    let open = match bytes.get(letters) {
        Some(b'"' | b'\'' | b'`') if letters - start <= 2 => letters,
        _ => start,
    };
    match bytes.get(open) {
        Some(quote @ (b'"' | b'\'' | b'`')) => {
            let end = end_of_quotes(bytes, open + 1, *quote);
            let is_over = bytes
                .get(end)
                .is_none_or(|byte| is_space(*byte) || b",;:.!?}])>/\\".contains(byte));
            if is_over {
                end
            } else {
                end_of_word(bytes, end, form)
            }
        }
        Some(b'{' | b'[' | b'(') => end_of_brackets(bytes, start),
        _ => end_of_word(bytes, start, form),
    }
}

/// A quote in a word, such as `Some("a b")`, hides the spaces up to the next one.
fn end_of_word(bytes: &[u8], start: usize, form: Form) -> usize {
    let mut at = start;
    while let Some(byte) = bytes.get(at) {
        let is_end = is_space(*byte)
            || match form {
                Form::Word => false,
                Form::Query => *byte == b'&',
                Form::Member => b",}]".contains(byte),
                Form::Element => *byte == b'<',
            };
        if is_end {
            return at;
        }
        at = if matches!(byte, b'"' | b'\'') {
            end_of_quotes(bytes, at + 1, *byte)
        } else {
            at + 1
        };
    }
    at
}

/// The position after the closing quote, or the end of the text if the quote is never closed.
fn end_of_quotes(bytes: &[u8], start: usize, quote: u8) -> usize {
    let mut at = start;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            byte if *byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The position after the closing bracket, or the end of the text if the bracket is never closed.
fn end_of_brackets(bytes: &[u8], start: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = start;
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'"' => at = end_of_quotes(bytes, at, b'"'),
            b'{' | b'[' | b'(' => depth += 1,
            b'}' | b']' | b')' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at;
                }
            }
            _ => {}
        }
    }
    bytes.len()
}

/// Without the quotes around the value, if it is in one pair of them.
fn inside_quotes(bytes: &[u8], start: usize, end: usize) -> (usize, usize) {
    match (
        bytes.get(start),
        end.checked_sub(1).and_then(|last| bytes.get(last)),
    ) {
        (Some(open @ (b'"' | b'\'' | b'`')), Some(close)) if open == close && end - start >= 2 => {
            (start + 1, end - 1)
        }
        _ => (start, end),
    }
}

/// The place after a scheme and its space, if the value begins with one.
fn end_of_scheme(bytes: &[u8], start: usize, schemes: &[&str]) -> usize {
    let end = end_of(bytes, start, |byte| byte.is_ascii_alphabetic());
    let is_scheme = schemes
        .iter()
        .any(|scheme| scheme.as_bytes().eq_ignore_ascii_case(&bytes[start..end]));
    let next = end_of(bytes, end, is_space);
    if is_scheme && next > end && next < bytes.len() {
        next
    } else {
        start
    }
}

/// Whether the value that begins here is the absolute path of a file, and no secret: base64 can begin with a slash too,
/// and contain others, but no dot.
fn is_path_for(name: &str, bytes: &[u8]) -> bool {
    let word = bytes.split(|byte| is_space(*byte)).next();
    let word = word.unwrap_or_default();
    let mut parts = word.rsplit(|byte| *byte == b'/');
    let has_ending = parts.next().is_some_and(|last| last.contains(&b'.'));
    let names_key =
        name.contains("key") && NAMES.iter().filter(|known| name.contains(*known)).count() == 1;
    word.starts_with(b"/")
        && parts.count() > 1
        && (contains_one(name, &NAMES_OF_FILES) || names_key && has_ending)
}

fn end_of(bytes: &[u8], start: usize, belongs: impl Fn(u8) -> bool) -> usize {
    let rest = bytes.get(start..).unwrap_or_default();
    start + rest.iter().take_while(|byte| belongs(**byte)).count()
}

fn contains_one(name: &str, names: &[&str]) -> bool {
    names.iter().any(|known| name.contains(known))
}

const fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

const fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace()
}

#[cfg(test)]
mod tests;
