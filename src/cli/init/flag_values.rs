//! Reads single values of flags.

use std::path::{Path, PathBuf};

use crate::config::{InvalidValue, is_confidential_field, is_confidential_name, is_credential};
use crate::text::quoted;

/// The flags for an authorization server, in whose place `token.source` stands.
pub(super) const OF_SERVER: [&str; 17] = [
    "token_endpoint",
    "client_id",
    "auth",
    "scope",
    "secret",
    "client_assertion_type",
    "grant",
    "private_key_file",
    "assertion_file",
    "claim",
    "subject_token_file",
    "subject_token_type",
    "actor_token_file",
    "actor_token_type",
    "param",
    "authorization_url",
    "device_url",
];

pub(super) fn flag<T>(
    problems: &mut Vec<String>,
    flag: &str,
    text: Option<&str>,
    read: impl FnOnce(&str) -> Result<T, InvalidValue>,
) -> Option<T> {
    match read(text?) {
        Ok(value) => Some(value),
        Err(invalid_value) => {
            problems.push(format!(
                "{flag}: {}: {}",
                invalid_value.problem, invalid_value.remedy
            ));
            None
        }
    }
}

/// The absolute path in a flag, which a configuration can contain only if it is UTF-8.
pub(super) fn file_flag(
    problems: &mut Vec<String>,
    flag: &str,
    path: Option<&Path>,
) -> Option<PathBuf> {
    let path = absolute(path?);
    if path.to_str().is_some() {
        return Some(path);
    }
    let shown = path.display();
    problems.push(format!("{flag}: {shown} is not UTF-8: rename the file"));
    None
}

/// Names and values, of which the name is not repeated. Nothing is quoted, since a value may be confidential.
pub(super) fn pairs(
    problems: &mut Vec<String>,
    flag: &str,
    texts: &[String],
    separator: char,
) -> Vec<(String, String)> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for text in texts {
        match text.split_once(separator) {
            Some((name, _)) if name.trim().is_empty() => {
                problems.push(format!(
                    "{flag}: the name is empty: write it before the {separator:?}"
                ));
            }
            Some((name, _)) if pairs.iter().any(|(other, _)| other == name.trim()) => {
                problems.push(format!(
                    "{flag}: the same name is given twice: keep one of them"
                ));
            }
            Some((name, value)) => pairs.push((name.trim().to_owned(), value.trim().to_owned())),
            None => problems.push(format!(
                "{flag}: there is no {separator:?}: write a name, {separator:?} and the value"
            )),
        }
    }
    pairs
}

/// That no header field contains a credential: other users can read the command line, and the file that is written.
pub(super) fn reject_confidential_fields(
    problems: &mut Vec<String>,
    flag: &str,
    fields: &[(String, String)],
) {
    let is_confidential =
        |(name, value): &&(String, String)| is_confidential_field(name, value.as_bytes());
    for (name, _) in fields.iter().filter(is_confidential) {
        let remedy = "use --token-command with a program that reads it from a safe place";
        problems.push(confidential(flag, name, remedy));
    }
}

/// The same for a parameter of the token request.
pub(super) fn reject_confidential_params(
    problems: &mut Vec<String>,
    flag: &str,
    params: &[(String, String)],
) {
    for (name, _) in params.iter().filter(|(name, _)| is_confidential_name(name)) {
        let remedy = "leave it out, and add it to token.params in the file, which only its owner may then read";
        problems.push(confidential(flag, name, remedy));
    }
}

fn confidential(flag: &str, name: &str, remedy: &str) -> String {
    let name = quoted(name);
    format!(
        "{flag}: {name} may contain a credential, which other users could read on the command line and in the file: {remedy}"
    )
}

/// A command as it would be typed into a shell, or as a list in TOML. It is run without a shell.
pub(super) fn command(text: &str) -> Result<Vec<String>, InvalidValue> {
    let text = text.trim();
    let words = if text.starts_with('[') {
        let table: Option<toml::Table> = toml::from_str(&format!("words = {text}")).ok();
        let words = table.and_then(|mut table| table.remove("words"));
        words.and_then(|words| words.try_into::<Vec<String>>().ok())
    } else {
        shlex::split(text)
    };
    match words {
        Some(words)
            if words.first().is_some_and(|program| !program.is_empty())
                && !words.iter().any(|word| word.contains('\0')) =>
        {
            Ok(words)
        }
        Some(_) | None => Err((
            "this is not a command",
            "write the program and its arguments: op read op://vault/item/field",
        )
            .into()),
    }
}

/// A relative path starts where `init` runs, but `run` may be started elsewhere. The name of a systemd credential
/// stays.
pub(super) fn absolute(path: &Path) -> PathBuf {
    if is_credential(path) {
        return path.to_owned();
    }
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
