//! The last line that a command wrote to its standard error, fit for the log: whatever looks like a token is cut out.
//! The same for a message of a server.

use serde_json::Value;
use zeroize::Zeroizing;

use super::named_values::{
    CUT, Spaces, is_common_scheme, is_name_of_secret, names_secret, without_values,
};
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
/// A shorter part of the output is not looked for: it would be found in ordinary words.
const SHORTEST_VALUE: usize = 4;
/// How many parts of the output are looked for, since each takes its time.
const MOST_VALUES: usize = 64;

/// The last line of `stderr`, if there is one to show. `stdout` is what the command printed as the secret.
pub(super) fn last_line(stderr: &[u8], stdout: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(stderr);
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    // A shell that traces itself (`set -x`) writes secrets, each line after a plus sign.
    let is_shown = |line: &&str| !line.is_empty() && !line.starts_with('+');
    let index = lines.iter().rposition(is_shown)?;
    let line = lines[index];
    if index == 0 && stderr.len() >= KEPT_BYTES {
        return Some("(withheld: the line is too long)".to_owned()); // its beginning may name what follows
    }
    let previous = lines[..index].iter().rfind(|line| !line.is_empty());
    if previous.is_some_and(|previous| announces_secret(previous)) {
        return Some(CUT.to_owned());
    }
    let plain = sanitize(&without_colours(line), Unprintable::Remove);
    let repeats = |secret: &[u8]| SecretEcho::of(secret).is_in(plain.as_bytes());
    let values = values_in(stdout.trim_ascii());
    if values.len() > MOST_VALUES {
        return Some("(withheld: the output has too many parts that it could repeat)".to_owned());
    }
    if values.iter().any(|value| repeats(value)) {
        return Some("(withheld: it repeats the output)".to_owned());
    }
    let words: Vec<&str> = plain.split_whitespace().collect();
    let plain = without_values(&words.join(" "), Spaces::Anywhere);
    let mut before = ["", ""];
    let shown: Vec<String> = plain
        .split_whitespace()
        .map(|word| {
            let shown = if are_before_credentials(before) {
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

/// A server's message without what looks like a token. A word is not cut because of the name before it: messages say
/// `invalid token: expired`.
#[must_use]
pub fn without_credentials(message: &str) -> String {
    let words: Vec<&str> = message.split_whitespace().collect();
    let plain = without_values(&words.join(" "), Spaces::AfterQuotes);
    let words: Vec<String> = plain.split_whitespace().map(without_tokens).collect();
    words.join(" ")
}

/// Whether the next line is a secret: this one ends with its name.
fn announces_secret(line: &str) -> bool {
    line.strip_suffix([':', '=']).is_some_and(|name| {
        let name = name.split_whitespace().next_back();
        name.is_some_and(names_secret)
    })
}

/// Whether the word after these two is a part of the credentials of a request.
fn are_before_credentials([first, last]: [&str; 2]) -> bool {
    is_common_scheme(last)
        || first.eq_ignore_ascii_case("authorization") && last.eq_ignore_ascii_case("token")
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
        let is_name = |word: &[u8]| std::str::from_utf8(word).is_ok_and(is_name_of_secret);
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

/// The word with each run of token characters (RFC 6750 2.1) cut out that may be a secret.
fn without_tokens(word: &str) -> String {
    if let Some(shown) = without_users(word) {
        return shown;
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

/// The word without tokens and without the users of its URLs, if it has such a URL. A word may consist of several URLs,
/// or contain one in the query of another.
fn without_users(word: &str) -> Option<String> {
    let (before, rest) = word.split_once("://")?;
    let mut shown = without_tokens(before);
    let mut has_user = false;
    for part in rest.split("://") {
        let (authority, path) = part.split_at(part.find(['/', '?', '#']).unwrap_or(part.len()));
        let host = authority.rsplit_once('@').map(|(_, host)| host);
        has_user |= host.is_some();
        shown.push_str("://");
        if let Some(host) = host {
            shown.push_str(CUT);
            shown.push('@');
            shown.push_str(host);
        } else {
            shown.push_str(authority);
        }
        shown.push_str(&without_tokens(path));
    }
    has_user.then_some(shown)
}

fn is_token(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "-._~+=%".contains(letter)
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
