//! The last line that a command wrote to its standard error, fit for the log: whatever looks like a token is cut out.

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

/// The last line of `stderr`, if there is one to show. `stdout` is what the command printed as the secret.
pub(super) fn last_line(stderr: &[u8], stdout: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(stderr);
    // A shell that traces itself (`set -x`) writes secrets, each line after a plus sign.
    let mut lines = text.lines().map(str::trim);
    let line = lines.rfind(|line| !line.is_empty() && !line.starts_with('+'))?;
    let plain = sanitize(&without_colours(line), Unprintable::Remove);
    let stdout = stdout.trim_ascii();
    if !stdout.is_empty() && SecretEcho::of(stdout).is_in(plain.as_bytes()) {
        return Some("(withheld: it repeats the output)".to_owned());
    }
    let words = plain.split_whitespace();
    let mut is_secret = false;
    let shown: Vec<String> = words
        .map(|word| {
            let shown = if is_secret {
                CUT.to_owned()
            } else {
                without_tokens(word)
            };
            is_secret = word.eq_ignore_ascii_case("bearer")
                || word.eq_ignore_ascii_case("basic")
                || word.strip_suffix([':', '=']).is_some_and(names_secret);
            shown
        })
        .collect();
    let line = shorten(&shown.join(" "), LONGEST_LINE);
    (!line.is_empty()).then_some(line)
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
    if has_slashed_secret(word) {
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
    const NAMES: [&str; 5] = ["token", "secret", "password", "assertion", "key"];
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

fn is_suspicious(run: &str) -> bool {
    let has = |is: fn(&u8) -> bool| run.bytes().any(|byte| is(&byte));
    let is_mixed = has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic);
    run.len() >= OPAQUE || run.len() >= SUSPICIOUS && is_mixed
}

#[cfg(test)]
mod tests;
