//! Reads a secret source as it is written. The secret itself is rejected.

use std::path::Path;

use super::content::toml_value;
use super::keys::{KeyInfo, variable};
use super::problems::InvalidValue;
use crate::credentials::{KeyringEntry, SecretSource};

/// Reads `{ file = … }`, `{ env = … }`, `{ command = … }` or `{ keyring = … }`.
pub(crate) fn from_toml(
    key: &KeyInfo,
    path: &str,
    value: &toml::Value,
    credentials: Option<&Path>,
) -> Result<SecretSource, InvalidValue> {
    let remedy = || {
        let (written, variable) = (key.example_at(path), variable(path));
        format!("write {written}, or set {variable}__FILE or {variable}")
    };
    let Some(table) = value.as_table() else {
        return Err((
            "is a secret, which must not be in the file itself",
            remedy(),
        )
            .into());
    };
    let mut entries = table.iter();
    let (Some((name, value)), None) = (entries.next(), entries.next()) else {
        return Err((
            "must have exactly one of file, env, command and keyring",
            remedy(),
        )
            .into());
    };
    let text = value.as_str().filter(|text| !text.is_empty());
    match (name.as_str(), text) {
        ("file", Some(path)) => file(path, credentials),
        ("env", Some(name)) => Ok(SecretSource::Env(name.to_owned())),
        ("keyring", Some(entry)) => keyring_entry(entry),
        ("command", _) => command_words(value),
        ("file" | "env" | "keyring", None) => {
            let is_text = value.is_str();
            let what = if is_text {
                "is empty"
            } else {
                "is not a string"
            };
            Err((format!("{name} {what}"), remedy()).into())
        }
        _ => Err((
            "must have exactly one of file, env, command and keyring",
            remedy(),
        )
            .into()),
    }
}

/// A file's name. One that begins with `$CREDENTIALS_DIRECTORY/` is below `credentials`, where systemd puts a unit's
/// credentials (systemd.exec(5), `LoadCredential=`).
pub(crate) fn file(name: &str, credentials: Option<&Path>) -> Result<SecretSource, InvalidValue> {
    let Some(credential) = credential_name(name) else {
        return Ok(SecretSource::File(Path::new(name).to_owned()));
    };
    match credentials {
        Some(directory) => Ok(SecretSource::File(directory.join(credential))),
        None => Err((
            "names a systemd credential, and CREDENTIALS_DIRECTORY is not set",
            format!(
                "start it from a systemd unit with LoadCredential={credential}:PATH, or name the file itself"
            ),
        )
            .into()),
    }
}

/// Whether a text is a source as it is written in the file, or the words of a command, rather than a secret.
pub(crate) fn looks_like_source(text: &str) -> bool {
    const QUOTES: [char; 2] = ['"', '\''];
    let text = text.trim();
    let names_source = |inner: &str| {
        let inner = inner.trim_start().trim_start_matches(QUOTES);
        ["file", "env", "command", "keyring"].iter().any(|name| {
            let after = inner.strip_prefix(name);
            let after = after.map(|after| after.trim_start_matches(QUOTES).trim_start());
            after.is_some_and(|after| after.starts_with(['=', ':']))
        })
    };
    text.strip_prefix('{').is_some_and(names_source)
        || text.starts_with('[') && toml_value(text).is_ok_and(|value| value.is_array())
}

/// Whether a text is the name of a file rather than a secret. A secret in base64 may begin with a slash too.
pub(crate) fn looks_like_path(text: &str) -> bool {
    let is_drive = |bytes: &[u8]| matches!(bytes, [drive, b':', b'/' | b'\\', ..] if drive.is_ascii_alphabetic());
    let begins_like_one = ["/", "./", "../", "~/"]
        .iter()
        .any(|start| text.starts_with(start))
        || credential_name(text).is_some()
        || is_drive(text.as_bytes());
    let is_base64 = text.contains(|sign: char| sign.is_ascii_uppercase())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
    begins_like_one && !is_base64 && !text.contains(char::is_whitespace)
}

/// The name of a systemd credential, in the name of its file.
fn credential_name(file: &str) -> Option<&str> {
    ["$CREDENTIALS_DIRECTORY/", "${CREDENTIALS_DIRECTORY}/"]
        .iter()
        .find_map(|start| file.strip_prefix(start))
}

/// Whether a file is a systemd credential, whose folder is known only once the unit runs.
pub(crate) fn is_credential(file: &Path) -> bool {
    file.to_str().and_then(credential_name).is_some()
}

/// The text of `…__COMMAND`: a TOML list.
pub(crate) fn command_from_text(text: &str) -> Result<SecretSource, InvalidValue> {
    match toml_value(text) {
        Ok(value) => command_words(&value),
        Err(_) => command_words(&toml::Value::Boolean(false)),
    }
}

fn keyring_entry(text: &str) -> Result<SecretSource, InvalidValue> {
    match KeyringEntry::parse(text) {
        Some(entry) => Ok(SecretSource::Keyring(entry)),
        None => Err((
            "the keyring entry is not SERVICE/ACCOUNT",
            "write both, as it was stored: { keyring = \"cupbearer/NAME\" }",
        )
            .into()),
    }
}

fn command_words(value: &toml::Value) -> Result<SecretSource, InvalidValue> {
    let words: Option<Vec<String>> =
        value
            .as_array()
            .filter(|words| !words.is_empty())
            .and_then(|words| {
                words
                    .iter()
                    .map(|word| word.as_str().map(str::to_owned))
                    .collect()
            });
    match words {
        Some(words) if words[0].is_empty() => Err((
            "the command's program is empty",
            "write the program and each argument: [\"op\", \"read\", \"op://vault/item/field\"]",
        )
            .into()),
        Some(words) => Ok(SecretSource::Command(words)),
        None => Err((
            "the command is not a list of strings",
            "write the program and each argument: [\"op\", \"read\", \"op://vault/item/field\"]",
        )
            .into()),
    }
}
