//! Other people's text as it may be printed for people. Escapes nothing and shortens nothing.

/// Whether a letter is only what it looks like: no control (C0, DEL, C1), nothing that turns the direction of what
/// follows, nothing that cannot be seen.
#[must_use]
pub fn is_plain(letter: char) -> bool {
    !letter.is_control()
        && !matches!(
            letter,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// On one line, with a question mark for each letter that is not plain.
#[must_use]
pub fn plain(text: &str) -> String {
    let clean = |letter| if is_plain(letter) { letter } else { '?' };
    text.chars().map(clean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_or_an_eye_is_a_question_mark() {
        let steering =
            "\n\t\u{1b}\u{7f}\u{9b}\u{85}\u{202e}\u{2066}\u{200b}\u{200f}\u{61c}\u{feff}\u{e0041}";
        assert_eq!(plain(steering), "?".repeat(steering.chars().count()));
        assert_eq!(plain("/a b\"ü…漢"), "/a b\"ü…漢");
    }
}
