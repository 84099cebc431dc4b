//! The last line that a command wrote to its standard error, fit for the log: whatever looks like a token is cut out.
//! The same for a message of a server.

use serde_json::Value;
use zeroize::Zeroizing;

use super::secret_echo::SecretEcho;
use crate::text::{Unprintable, sanitize, shorten};

/// How much of the line is shown, in characters.
const LONGEST_LINE: usize = 200;
/// How much of the end of the output is kept, in bytes.
pub(super) const KEPT_BYTES: usize = 4 << 10;
/// A word of this length that has letters and digits may be a token or a password.
const SUSPICIOUS: usize = 16;
/// A word of this length may be one whatever it consists of.
const OPAQUE: usize = 40;
const CUT: &str = "(cut)";
const NAMES: [&str; 5] = ["token", "secret", "password", "assertion", "key"];
/// A shorter part of the output is not looked for: it would be found in ordinary words.
const SHORTEST_VALUE: usize = 4;
/// How many parts of the output are looked for, since each takes its time.
const MOST_VALUES: usize = 64;

/// The last line of `stderr`, if there is one to show. `stdout` is what the command printed as the secret.
pub(super) fn last_line(stderr: &[u8], stdout: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(stderr);
    // A shell that traces itself (`set -x`) writes secrets, each line after a plus sign.
    let mut lines = text.lines().map(str::trim);
    let line = lines.rfind(|line| !line.is_empty() && !line.starts_with('+'))?;
    let plain = sanitize(&without_colours(line), Unprintable::Remove);
    let repeats = |secret: &[u8]| SecretEcho::of(secret).is_in(plain.as_bytes());
    let values = values_in(stdout.trim_ascii());
    if values.len() > MOST_VALUES {
        return Some("(withheld: the output has too many parts that it could repeat)".to_owned());
    }
    if values.iter().any(|value| repeats(value)) {
        return Some("(withheld: it repeats the output)".to_owned());
    }
    let mut before = ["", ""];
    let shown: Vec<String> = plain
        .split_whitespace()
        .map(|word| {
            let shown = if is_sign(word) {
                word.to_owned()
            } else if announce_secret(before) {
                CUT.to_owned()
            } else {
                without_tokens(word)
            };
            before = [before[1], word];
            shown
        })
        .collect();
    let line = shorten(&shown.join(" "), LONGEST_LINE);
    (!line.is_empty()).then_some(line)
}

/// A server's message without the words that look like a token. Words are not cut because of the one before: messages
/// say `invalid token: expired`.
#[must_use]
pub fn without_credentials(message: &str) -> String {
    let words: Vec<String> = message.split_whitespace().map(without_tokens).collect();
    words.join(" ")
}

/// Whether the word only assigns the next one to the one before.
fn is_sign(word: &str) -> bool {
    matches!(word, ":" | "=")
}

/// Whether the word after these two is a secret: the value of a name, or of an option, or credentials.
fn announce_secret([first, last]: [&str; 2]) -> bool {
    let is_scheme = |word: &str| {
        ["bearer", "basic"]
            .iter()
            .any(|scheme| word.eq_ignore_ascii_case(scheme))
    };
    let name = first.trim_end_matches(':');
    let is_field = name.eq_ignore_ascii_case("authorization")
        && (name.len() < first.len() || last.eq_ignore_ascii_case("token"));
    is_scheme(last)
        || is_field
        || is_sign(last) && names_secret(first)
        || last.strip_suffix([':', '=']).is_some_and(names_secret)
        || last.starts_with('-') && !last.contains('=') && names_secret(last)
}

/// An output, and the parts of it of which one may be the secret: the words, or in JSON only the strings, since the
/// names of its members occur in messages.
fn values_in(stdout: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    let mut values = Vec::new();
    if let Ok(json @ (Value::Object(_) | Value::Array(_) | Value::String(_))) =
        serde_json::from_slice(stdout)
    {
        strings_in(json, &mut values);
    } else {
        let is_between = |byte: &u8| byte.is_ascii_whitespace() || b"\"'=:,;{}".contains(byte);
        let is_name = |word: &[u8]| {
            NAMES
                .iter()
                .any(|name| word.eq_ignore_ascii_case(name.as_bytes()))
        };
        let words = stdout.split(is_between).filter(|word| !is_name(word));
        values.extend(words.map(|word| word.to_vec().into()));
        values.retain(|value: &Zeroizing<Vec<u8>>| value.len() >= SHORTEST_VALUE);
        values.push(stdout.to_vec().into());
    }
    values.retain(|value| !value.is_empty());
    values
}

fn strings_in(json: Value, strings: &mut Vec<Zeroizing<Vec<u8>>>) {
    match json {
        Value::String(text) if text.len() >= SHORTEST_VALUE => {
            strings.push(text.into_bytes().into());
        }
        Value::Array(all) => {
            for one in all {
                strings_in(one, strings);
            }
        }
        Value::Object(all) => {
            for (_, one) in all {
                strings_in(one, strings);
            }
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Without the escape sequences that colour a terminal (ECMA-48 CSI).
fn without_colours(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            let is_end = |next: char| next.is_ascii_alphabetic() || next == '~';
            let _ = characters.by_ref().find(|next| is_end(*next));
        } else {
            plain.push(character);
        }
    }
    plain
}

/// The word with each run of token characters (RFC 6750 2.1) cut out that may be a secret, and the value of each
/// assignment whose name says that it is one.
fn without_tokens(word: &str) -> String {
    if let Some((name, value)) = word.split_once(['=', ':'])
        && !value.is_empty()
        && !value.starts_with('/')
        && names_secret(name)
    {
        return format!("{}{CUT}", &word[..=name.len()]);
    }
    if let Some((scheme, rest)) = word.split_once("://")
        && let Some((_, host)) = rest.split('/').next().unwrap_or_default().rsplit_once('@')
    {
        let path = &rest[rest.find('/').unwrap_or(rest.len())..];
        return format!("{scheme}://{CUT}@{host}{}", without_tokens(path));
    }
    if has_slashed_secret(word) || has_odd_secret(word) {
        return CUT.to_owned();
    }
    let mut shown = String::with_capacity(word.len());
    for piece in word.split_inclusive(|letter| !is_token(letter)) {
        let run = piece.trim_end_matches(|letter| !is_token(letter));
        if is_suspicious(run) {
            shown.push_str(CUT);
        } else {
            shown.push_str(run);
        }
        shown.push_str(&piece[run.len()..]);
    }
    shown
}

fn is_token(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "-._~+=%".contains(letter)
}

fn names_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    NAMES.iter().any(|secret| name.contains(secret))
}

/// Whether the word may be base64, which can contain slashes, and not a path or a URL.
fn has_slashed_secret(word: &str) -> bool {
    let inner = word.trim_matches(|letter: char| !letter.is_ascii_alphanumeric() && letter != '/');
    let has = |is: fn(&u8) -> bool| inner.bytes().any(|byte| is(&byte));
    inner.contains('/')
        && !inner.starts_with('/')
        && !inner.contains("://")
        && inner.len() >= SUSPICIOUS
        && inner
            .chars()
            .all(|letter| is_token(letter) || letter == '/')
        && has(u8::is_ascii_digit)
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_uppercase)
}

/// Whether the word is one with signs that words of a language do not have.
fn has_odd_secret(word: &str) -> bool {
    let has = |is: fn(&u8) -> bool| word.bytes().any(|byte| is(&byte));
    word.len() >= SUSPICIOUS
        && !word.contains('/')
        && has(|byte| b"!$*#^&|".contains(byte))
        && has(u8::is_ascii_digit)
        && has(u8::is_ascii_alphabetic)
}

fn is_suspicious(run: &str) -> bool {
    let has = |is: fn(&u8) -> bool| run.bytes().any(|byte| is(&byte));
    let is_mixed = has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic);
    run.len() >= OPAQUE || run.len() >= SUSPICIOUS && is_mixed
}

#[cfg(test)]
mod tests;
