//! Text from other people, made fit to show: error chains on one line, and no character that steers a terminal.
//!
//! Depends on no other room. Nothing here knows what is secret: callers must withhold credentials.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::Write as _;
use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use percent_encoding::{CONTROLS, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// An error and everything that caused it, outermost first.
///
/// An [`io::Error`] that wraps another error counts as that error's effect, although
/// [`source`](Error::source) skips over it.
pub fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| {
        match error.downcast_ref().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}

/// An error and its causes on one line, joined by `: `. A cause whose words the line already ends with is left out.
#[must_use]
pub fn error_chain(error: &(dyn Error + 'static)) -> String {
    let mut line = String::new();
    for cause in causes(error) {
        let words = cause.to_string();
        if line.ends_with(&words) {
            continue;
        }
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(&words);
    }
    line
}

/// A number and what is counted: `1 request`, `2 requests`.
#[must_use]
pub fn counted<N: Copy + std::fmt::Display + PartialEq + From<u8>>(
    number: N,
    noun: &str,
) -> String {
    let plural = if number == N::from(1) { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// The date and time as in RFC 3339, to the second. `None` for a time that it cannot express: before 1970, or after the
/// year 9999.
#[must_use]
pub fn date_and_time(time: SystemTime) -> Option<String> {
    /// The year 10000, in seconds since 1970.
    const TOO_LATE: u64 = 253_402_300_800;
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    (since.as_secs() < TOO_LATE).then(|| humantime::format_rfc3339_seconds(time).to_string())
}

/// Whether a character is visible and has no side effects: it is not a control character (C0, DEL, C1), and it does not
/// change the direction of the text after it.
#[must_use]
pub fn is_printable(character: char) -> bool {
    !character.is_control()
        && !matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e01ef}'
        )
}

/// What [`sanitize`] does with a character that is not printable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unprintable {
    /// A question mark takes its place.
    Mark,
    /// A space takes its place, and that of any other white space.
    Space,
    /// It is removed; white space becomes a space.
    Remove,
    /// It is written as a Rust escape: `\u{1b}`, `\n`; so that the text cannot contain one, a backslash is doubled.
    Escape,
}

/// `text` on one line, with nothing in it that steers a terminal or deceives the eye.
#[must_use]
pub fn sanitize(text: &str, unprintable: Unprintable) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        match unprintable {
            Unprintable::Space | Unprintable::Remove if character.is_whitespace() => line.push(' '),
            Unprintable::Escape if character == '\\' => line.push_str("\\\\"),
            _ if is_printable(character) => line.push(character),
            Unprintable::Mark => line.push('?'),
            Unprintable::Space => line.push(' '),
            Unprintable::Remove => {}
            Unprintable::Escape => line.extend(character.escape_default()),
        }
    }
    line
}

/// [`sanitize`] for text of several lines: each line is kept as a line.
#[must_use]
pub fn sanitize_lines(text: &str, unprintable: Unprintable) -> String {
    let lines: Vec<_> = text
        .lines()
        .map(|line| sanitize(line, unprintable))
        .collect();
    lines.join("\n")
}

/// The same JSON without characters that are not printable, which JSON allows in strings.
#[must_use]
pub fn escape_json(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '\n' => text.push('\n'),
            '\r' | '\t' => text.push(' '),
            _ if is_printable(character) => text.push(character),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    let _infallible = write!(text, "\\u{unit:04x}");
                }
            }
        }
    }
    text
}

/// Reads JSON from another program, and replaces in its strings what steers a terminal or deceives the eye. `None` if
/// it cannot be read as a `T`.
#[must_use]
pub fn printable_json<T: DeserializeOwned>(json: &str) -> Option<T> {
    let mut value = serde_json::from_str(json).ok()?;
    clean(&mut value);
    serde_json::from_value(value).ok()
}

fn clean(value: &mut Value) {
    match value {
        Value::String(text) => {
            if !text.chars().all(is_printable) {
                *text = sanitize_lines(text, Unprintable::Mark);
            }
        }
        Value::Array(all) => all.iter_mut().for_each(clean),
        Value::Object(all) => all.values_mut().for_each(clean),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The first `longest` characters of `text` without the white space around it, and `…` if that was not all.
#[must_use]
pub fn shorten(text: &str, longest: usize) -> String {
    let text = text.trim();
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// At most `longest` characters of untrusted text, on one line.
#[must_use]
pub fn excerpt(text: &str, longest: usize) -> String {
    shorten(&sanitize(text, Unprintable::Space), longest)
}

/// At most 60 characters of a value, in quotes, with control characters escaped: for messages about the value.
#[must_use]
pub fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    // `https://user:password@host`, or the part of it after the scheme. An encoded or full-width `@` is meant as one.
    let has_user = ["@", "%40", "\u{ff20}"].iter().any(|at| {
        text.split_once(at)
            .is_some_and(|(before, _)| before.contains(':'))
    });
    if has_user {
        return "the text with a user name or password".to_owned();
    }
    if has_odd_port(text) {
        return "the text, whose port is not a number,".to_owned();
    }
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// Whether a URL has something else than a port where one would be: a password, if the `@` and the host are missing.
fn has_odd_port(url: &str) -> bool {
    const MOST_DIGITS: usize = 5;
    let Some((_, rest)) = url.split_once("//") else {
        return false;
    };
    let authority = rest.split(['/', '\\', '?', '#']).next();
    let authority = authority.unwrap_or_default();
    let after_address = authority.rsplit_once(']').map(|(_, after)| after);
    let port = after_address.unwrap_or(authority).split_once(':');
    port.is_some_and(|(_, port)| {
        port.len() > MOST_DIGITS || !port.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// How many bytes of a request's value [`quotable`] repeats.
const QUOTABLE_BYTES: usize = 64;

/// A value taken from a request, cut after 64 bytes and fit to stand between quotes in a log line, a header or a
/// page: quotes, angle brackets, backslashes, control characters and non-ASCII bytes become `?`.
#[must_use]
pub fn quotable(value: &[u8]) -> String {
    let replace = |byte: &u8| match byte {
        b'"' | b'\'' | b'\\' | b'<' | b'>' | b'`' => '?',
        0x20..=0x7e => char::from(*byte),
        _ => '?',
    };
    let mut text: String = value.iter().take(QUOTABLE_BYTES).map(replace).collect();
    if value.len() > QUOTABLE_BYTES {
        text.push_str("...");
    }
    text
}

/// [`quotable`] for a value that may hold an authority, such as `Host` or `Origin`. Everything up to the last `@` may
/// be a user name and a password, and is replaced by `...`; only the scheme before it is kept.
#[must_use]
pub fn quotable_authority(value: &[u8]) -> String {
    let Some(at) = memchr::memrchr(b'@', value) else {
        return quotable(value);
    };
    let scheme = ["http://", "https://"].into_iter().find(|scheme| {
        let start = value[..at].split_at_checked(scheme.len());
        start.is_some_and(|(start, _)| start.eq_ignore_ascii_case(scheme.as_bytes()))
    });
    let scheme = scheme.unwrap_or_default().as_bytes();
    quotable(&[scheme, b"...", &value[at..]].concat())
}

/// A path without the user names and passwords of the authorities in it, which are there if a program appends a whole
/// URL to the address of the proxy: each is replaced by `...`. An authority follows an empty segment, or has a colon
/// before its last `@`. Each of these characters may be percent-encoded.
#[must_use]
pub fn without_user_info(path: &str) -> Cow<'_, str> {
    if memchr::memchr(b'@', path.as_bytes()).is_none() && !path.contains("%40") {
        return path.into();
    }
    let has_colon = |text: &str| text.contains(':') || text.contains("%3A") || text.contains("%3a");
    let mut is_after_empty = false;
    let segments = path.split('/').enumerate().map(|(index, segment)| {
        let ends = [segment.rfind('@'), segment.rfind("%40")];
        let shown = match ends.into_iter().max().flatten() {
            Some(end) if is_after_empty || has_colon(&segment[..end]) => {
                let rest = &segment[end..];
                let host = rest.strip_prefix("%40").unwrap_or(&rest[1..]);
                format!("...@{host}").into()
            }
            Some(_) | None => Cow::from(segment),
        };
        // A program may have made one slash of two.
        is_after_empty = index > 0 && segment.is_empty() || segment.ends_with(':');
        shown
    });
    segments.collect::<Vec<_>>().join("/").into()
}

/// How many bytes of a path [`loggable`] repeats.
const LOGGABLE_BYTES: usize = 2 << 10;

/// A request's path or method as the log and the status show it: ASCII without control characters, everything else
/// percent-encoded (RFC 3986 section 2.1). It is cut after 2 KiB with an ellipsis, which no path can contain.
#[must_use]
pub fn loggable(text: &str) -> Cow<'_, str> {
    let length = text.len();
    let start = &text[..text.floor_char_boundary(LOGGABLE_BYTES)];
    let mut encoded = Cow::from(utf8_percent_encode(start, CONTROLS));
    if start.len() < length {
        encoded.to_mut().push('…');
    }
    encoded
}

#[cfg(test)]
mod tests;
