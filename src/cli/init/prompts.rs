//! The kinds of questions. Each is asked again until the answer is valid.

use super::error::InitError;
use super::terminal::Dialogue;
use crate::config::InvalidValue;

pub(super) fn ask<T>(
    dialogue: &mut dyn Dialogue,
    question: &str,
    default: Option<&str>,
    read: impl Fn(&str) -> Result<T, InvalidValue>,
) -> Result<T, InitError> {
    dialogue.show(question);
    let prompt = match default {
        Some(default) => format!("  [{default}] "),
        None => "  > ".to_owned(),
    };
    loop {
        let typed = dialogue.read_line(&prompt)?.ok_or(InitError::Abandoned)?;
        let text = match default {
            Some(default) if typed.trim().is_empty() => default,
            Some(_) | None => &typed,
        };
        match read(text) {
            Ok(value) => return Ok(value),
            Err(invalid) => dialogue.show(&explain(&invalid)),
        }
    }
}

/// What leaves an answer empty in place of a default.
const NOTHING: &str = "-";

/// Asks for a text that may be empty. Since Enter accepts the default, another character leaves it empty then.
pub(super) fn ask_optional<T>(
    dialogue: &mut dyn Dialogue,
    question: &str,
    empty_means: &str,
    default: &str,
    read: impl Fn(&str) -> Result<T, InvalidValue>,
) -> Result<T, InitError> {
    let how = if default.is_empty() {
        format!("leave it empty {empty_means}")
    } else {
        format!("write {NOTHING} {empty_means}")
    };
    ask(
        dialogue,
        &format!("{question} ({how}):"),
        Some(default),
        |text| match text.trim() {
            NOTHING => read(""),
            text => read(text),
        },
    )
}

/// Asks for one of `choices`, by its number or its text, and returns its index.
pub(super) fn choose(
    dialogue: &mut dyn Dialogue,
    question: &str,
    choices: &[&str],
    default: usize,
) -> Result<usize, InitError> {
    let list: Vec<String> = choices
        .iter()
        .enumerate()
        .map(|(index, choice)| format!("\n  {}  {choice}", index + 1))
        .collect();
    let question = format!("{question}{}", list.concat());
    let default = (default + 1).to_string();
    ask(dialogue, &question, Some(&default), |text| {
        let text = text.trim();
        let number = text.parse::<usize>().ok();
        number
            .and_then(|number| number.checked_sub(1))
            .filter(|index| *index < choices.len())
            .or_else(|| choices.iter().position(|choice| *choice == text))
            .ok_or_else(|| {
                let remedy = format!("write a number from 1 to {}", choices.len());
                ("this is not one of the choices".to_owned(), remedy).into()
            })
    })
}

/// Asks for yes or no.
pub(super) fn confirm(
    dialogue: &mut dyn Dialogue,
    question: &str,
    default: bool,
) -> Result<bool, InitError> {
    let default = if default { "yes" } else { "no" };
    ask(dialogue, question, Some(default), |text| {
        match text.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => Ok(true),
            "n" | "no" => Ok(false),
            _ => Err(("this is neither yes nor no", "write yes or no").into()),
        }
    })
}

pub(super) fn explain(invalid: &InvalidValue) -> String {
    format!("  {}: {}", invalid.problem, invalid.remedy)
}
