//! The table of keys in `docs/configuration.md`.

use std::fmt::Write as _;

use super::key::{Fallback, KeyInfo};
use super::table::{CALLER_KEYS, KEYS};

/// Every key with its default and its help, as a Markdown table.
#[must_use]
pub fn markdown_table() -> String {
    let mut text = String::from("| key | default | meaning |\n| --- | --- | --- |\n");
    let (until_guard, after) = KEYS.split_at(
        KEYS.iter()
            .rposition(|key| key.path.starts_with("guard."))
            .map_or(KEYS.len(), |last| last + 1),
    );
    for key in until_guard.iter().chain(&CALLER_KEYS).chain(after) {
        write_row(&mut text, key);
    }
    text
}

fn write_row(text: &mut String, key: &KeyInfo) {
    let default = match key.fallback {
        Fallback::Default(value) => format!("`{value}`"),
        Fallback::Unset(_) => "–".to_owned(),
        Fallback::Required(_) => "required".to_owned(),
    };
    let meaning = key.help.replace('|', "\\|").replace('*', "\\*");
    let _infallible = writeln!(text, "| `{}` | {default} | {meaning} |", key.path);
}
