//! The challenges of a 401 (`WWW-Authenticate`).

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

/// Whether any challenge has `error=insufficient_scope` (RFC 6750 section 3.1).
pub(super) fn has_insufficient_scope(headers: &HeaderMap) -> bool {
    headers
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .any(|line| line_has_insufficient_scope(line.as_bytes()))
}

/// Whether any challenge has this scheme.
pub(super) fn has_scheme(headers: &HeaderMap, scheme: &[u8]) -> bool {
    headers
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .any(|line| line_has_scheme(line.as_bytes(), scheme))
}

/// A scheme is the first word of an element of the list, unless that is a parameter.
fn line_has_scheme(line: &[u8], scheme: &[u8]) -> bool {
    let mut rest = line;
    let mut first = None;
    let mut is_start = true;
    while let Some((token, after)) = next_token(rest) {
        rest = after;
        match token {
            ChallengeToken::Text(word) if is_start => {
                first = Some(word);
                is_start = false;
                continue;
            }
            ChallengeToken::Equals if first.is_some() => first = None,
            ChallengeToken::Comma => is_start = true,
            ChallengeToken::Text(_) | ChallengeToken::Equals => {}
        }
        if first
            .take()
            .is_some_and(|word| word.eq_ignore_ascii_case(scheme))
        {
            return true;
        }
    }
    first.is_some_and(|word| word.eq_ignore_ascii_case(scheme))
}

/// Parses a line of challenges (RFC 9110 section 11.6.1) only as far as needed to tell a parameter from the content of
/// a quoted string.
fn line_has_insufficient_scope(line: &[u8]) -> bool {
    let mut rest = line;
    let mut name: &[u8] = b"";
    let mut is_value = false;
    while let Some((token, after)) = next_token(rest) {
        rest = after;
        match token {
            ChallengeToken::Equals => is_value = true,
            ChallengeToken::Comma => (name, is_value) = (b"", false),
            ChallengeToken::Text(value) if is_value => {
                if name.eq_ignore_ascii_case(b"error") && value == b"insufficient_scope" {
                    return true;
                }
                (name, is_value) = (b"", false);
            }
            ChallengeToken::Text(word) => name = word,
        }
    }
    false
}

/// A token of a line of challenges.
enum ChallengeToken<'a> {
    Equals,
    Comma,
    /// A word, or the content of a quoted string.
    Text(&'a [u8]),
}

fn next_token(line: &[u8]) -> Option<(ChallengeToken<'_>, &[u8])> {
    let line = line.trim_ascii_start();
    let (first, rest) = line.split_first()?;
    Some(match first {
        b'=' => (ChallengeToken::Equals, rest),
        b',' => (ChallengeToken::Comma, rest),
        b'"' => {
            let end = end_of_quoted(rest);
            (
                ChallengeToken::Text(&rest[..end]),
                rest.get(end + 1..).unwrap_or_default(),
            )
        }
        _ => {
            let is_word = |byte: &u8| !matches!(byte, b'=' | b',' | b'"' | b' ' | b'\t');
            let end = line.iter().take_while(|byte| is_word(byte)).count();
            (ChallengeToken::Text(&line[..end]), &line[end..])
        }
    })
}

/// The index of the closing quote, or of the end. A backslash escapes the character that follows it.
fn end_of_quoted(text: &[u8]) -> usize {
    let mut is_escaped = false;
    text.iter()
        .position(|byte| {
            let is_end = *byte == b'"' && !is_escaped;
            is_escaped = *byte == b'\\' && !is_escaped;
            is_end
        })
        .unwrap_or(text.len())
}

#[cfg(test)]
mod tests;
