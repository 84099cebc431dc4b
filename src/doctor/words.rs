//! Other people's words on a line of ours.

use std::error::Error;
use std::fmt::Write as _;

use crate::config::is_plain;

/// An error and its causes on one line.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let _infallible = write!(text, ": {inner}");
        cause = inner.source();
    }
    text
}

/// Shortened, on one line, without what steers a terminal.
pub(super) fn shown(text: &str, longest: usize) -> String {
    let clean = |letter: char| {
        if letter.is_whitespace() || !is_plain(letter) {
            ' '
        } else {
            letter
        }
    };
    let mut shown: String = text.trim().chars().take(longest).map(clean).collect();
    if text.trim().chars().count() > longest {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangers_words_stay_on_one_line_and_steer_nothing() {
        assert_eq!(shown(" a\nb\u{1b}[2J\u{202e}c ", 20), "a b [2J c");
        assert_eq!(shown("abcdef", 3), "abc…");
    }
}
