//! The kinds of values: for each a constructor of its keys, and the parser of its values.

use std::time::Duration;

use super::key::{Fallback, Key, KeyInfo, ParseError, SecretKey, ValueKind};
use crate::config::content::toml_value;
use crate::config::guard::LocalUsers;
use crate::config::login_store::{LoginStore, login_store};
use crate::config::problems::InvalidValue;
use crate::config::token_source::SourceTable;
use crate::config::units;
use crate::text::quoted;

type Parsed<T> = Result<T, ParseError>;
type Path = &'static str;
type Help = &'static str;

/// A key whose value is a string that is not empty.
pub(super) const fn text(path: Path, fallback: Fallback, help: Help) -> Key<String> {
    Key::new(
        KeyInfo::new(path, ValueKind::Text, fallback, help),
        parse_text,
    )
}

/// A key whose value is a string that may be empty.
pub(super) const fn any_text(path: Path, fallback: Fallback, help: Help) -> Key<String> {
    Key::new(
        KeyInfo::new(path, ValueKind::Text, fallback, help),
        |_, value| {
            value
                .as_str()
                .map(str::to_owned)
                .ok_or(ParseError::WrongType)
        },
    )
}

fn parse_text(_: &KeyInfo, value: &toml::Value) -> Parsed<String> {
    let text = value.as_str().ok_or(ParseError::WrongType)?;
    if text.trim().is_empty() {
        return Err(ParseError::invalid((
            "is empty",
            "give it a value, or remove it",
        )));
    }
    Ok(text.to_owned())
}

/// A key whose value is `"system"`, `"none"` or a proxy's URL.
pub(super) const fn proxy(path: Path, fallback: Fallback, help: Help) -> Key<String> {
    Key::new(
        KeyInfo::new(path, ValueKind::Proxy, fallback, help),
        parse_text,
    )
}

/// A key whose value is one of these words, each with what it means.
pub(super) const fn choice<T>(
    path: Path,
    words: &'static [(&'static str, T)],
    fallback: Fallback,
    help: Help,
) -> Key<T> {
    Key::one_of(KeyInfo::new(path, ValueKind::Choice, fallback, help), words)
}

/// A key whose value is a duration of at least `least`.
pub(super) const fn duration(
    path: Path,
    least: Duration,
    fallback: Fallback,
    help: Help,
) -> Key<Duration> {
    Key::new(
        KeyInfo::new(path, ValueKind::Duration(least), fallback, help),
        parse_duration,
    )
}

fn parse_duration(key: &KeyInfo, value: &toml::Value) -> Parsed<Duration> {
    let least = match key.kind {
        ValueKind::Duration(least) => least,
        _ => Duration::ZERO,
    };
    Ok(units::duration(&quantity(key, value)?, least)?)
}

/// A key whose value is a number of bytes, between these.
pub(super) const fn size(
    path: Path,
    (least, most): (u64, u64),
    fallback: Fallback,
    help: Help,
) -> Key<usize> {
    Key::new(
        KeyInfo::new(path, ValueKind::Size(least, most), fallback, help),
        parse_size,
    )
}

fn parse_size(key: &KeyInfo, value: &toml::Value) -> Parsed<usize> {
    let (least, most) = match key.kind {
        ValueKind::Size(least, most) => (least, most),
        _ => (0, u64::MAX),
    };
    let bytes = units::size(&quantity(key, value)?, least..=most)?;
    Ok(usize::try_from(bytes).unwrap_or(usize::MAX))
}

/// A duration's or size's text. A number is taken for one, so that the message is about its missing unit.
fn quantity(key: &KeyInfo, value: &toml::Value) -> Parsed<String> {
    match value {
        toml::Value::Integer(number) => Ok(number.to_string()),
        toml::Value::Float(number) => Ok(number.to_string()),
        _ => parse_text(key, value),
    }
}

/// A key whose value is a whole number between these.
pub(super) const fn count(
    path: Path,
    (least, most): (u32, u32),
    fallback: Fallback,
    help: Help,
) -> Key<u32> {
    Key::new(
        KeyInfo::new(path, ValueKind::Count(least, most), fallback, help),
        parse_count,
    )
}

fn parse_count(key: &KeyInfo, value: &toml::Value) -> Parsed<u32> {
    let number = value.as_integer().ok_or(ParseError::WrongType)?;
    let (least, most) = match key.kind {
        ValueKind::Count(least, most) => (least, most),
        _ => (0, u32::MAX),
    };
    u32::try_from(number)
        .ok()
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| {
            ParseError::invalid((
                format!("{number} is out of range"),
                format!("write {least} to {most}"),
            ))
        })
}

/// A key whose value is `true` or `false`.
pub(super) const fn switch(path: Path, fallback: Fallback, help: Help) -> Key<bool> {
    Key::new(
        KeyInfo::new(path, ValueKind::Switch, fallback, help),
        |_, value| value.as_bool().ok_or(ParseError::WrongType),
    )
}

/// A key whose value says which users of this machine may connect.
pub(super) const fn users(path: Path, fallback: Fallback, help: Help) -> Key<LocalUsers> {
    Key::new(
        KeyInfo::new(path, ValueKind::Users, fallback, help),
        parse_users,
    )
}

fn parse_users(_: &KeyInfo, value: &toml::Value) -> Parsed<LocalUsers> {
    if let Some(list) = value.as_array() {
        let ids = list.iter().map(|id| u32::try_from(id.as_integer()?).ok());
        return match ids.collect::<Option<Vec<u32>>>() {
            Some(ids) if !ids.is_empty() => Ok(LocalUsers::Only(ids)),
            Some(_) | None => Err(ParseError::invalid((
                "is not a list of user ids",
                "write user ids as `id -u NAME` prints them, such as [0, 1000]",
            ))),
        };
    }
    match value.as_str() {
        Some("same") => Ok(LocalUsers::Same),
        Some("any") => Ok(LocalUsers::Any),
        Some(text) => Err(ParseError::invalid((
            format!("{} is not one of its values", quoted(text)),
            "write \"same\" (this user and root), user ids such as [0, 1000], or \"any\" (every user of this machine)",
        ))),
        None => Err(ParseError::WrongType),
    }
}

/// A key whose value is a file's permissions, a string: some would read a number as decimal, others as octal.
pub(super) const fn mode(path: Path, fallback: Fallback, help: Help) -> Key<u32> {
    Key::new(
        KeyInfo::new(path, ValueKind::Mode, fallback, help),
        parse_mode,
    )
}

fn parse_mode(key: &KeyInfo, value: &toml::Value) -> Parsed<u32> {
    let text = parse_text(key, value)?;
    let is_octal = (3..=4).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    match u32::from_str_radix(&text, 8) {
        Ok(mode) if is_octal && mode <= 0o777 && mode & 0o600 == 0o600 => Ok(mode),
        Ok(_) | Err(_) => Err(ParseError::invalid((
            format!("{} is not a usable mode", quoted(&text)),
            "write \"0600\" (this user), \"0660\" (its group too) or \"0666\" (every user)",
        ))),
    }
}

/// A key whose value is one address or a list of them.
pub(super) const fn addresses(path: Path, fallback: Fallback, help: Help) -> Key<Vec<String>> {
    Key::new(
        KeyInfo::new(path, ValueKind::Addresses, fallback, help),
        parse_addresses,
    )
}

/// From the environment a list arrives as TOML text, which no address is.
fn parse_addresses(_: &KeyInfo, value: &toml::Value) -> Parsed<Vec<String>> {
    match value.as_str() {
        None => strings(value).ok_or(ParseError::WrongType),
        Some(text) => match toml_value(text) {
            Ok(list @ toml::Value::Array(_)) => strings(&list).ok_or(ParseError::WrongType),
            Ok(_) | Err(_) => Ok(vec![text.to_owned()]),
        },
    }
}

/// A key whose value is a list of strings.
pub(super) const fn texts(path: Path, fallback: Fallback, help: Help) -> Key<Vec<String>> {
    Key::new(
        KeyInfo::new(path, ValueKind::Texts, fallback, help),
        |_, value| strings(value).ok_or(ParseError::WrongType),
    )
}

fn strings(value: &toml::Value) -> Option<Vec<String>> {
    let texts = value.as_array()?.iter().map(toml::Value::as_str);
    texts.map(|text| text.map(str::to_owned)).collect()
}

/// A key whose value is a table of strings.
pub(super) const fn map(path: Path, fallback: Fallback, help: Help) -> Key<Vec<(String, String)>> {
    Key::new(
        KeyInfo::new(path, ValueKind::Map, fallback, help),
        parse_map,
    )
}

fn parse_map(_: &KeyInfo, value: &toml::Value) -> Parsed<Vec<(String, String)>> {
    let table = value.as_table().ok_or(ParseError::WrongType)?;
    table
        .iter()
        .map(|(name, text)| Some((name.clone(), text.as_str()?.to_owned())))
        .collect::<Option<_>>()
        .ok_or(ParseError::WrongType)
}

/// A key whose value says where the refresh token of a person is kept.
pub(super) const fn store(path: Path, fallback: Fallback, help: Help) -> Key<LoginStore> {
    Key::new(
        KeyInfo::new(path, ValueKind::LoginStore, fallback, help),
        |_, value| login_store(value).map_err(ParseError::Invalid),
    )
}

/// A key whose value says where a secret is.
pub(super) const fn secret(path: Path, fallback: Fallback, help: Help) -> SecretKey {
    SecretKey {
        info: KeyInfo::new(path, ValueKind::Secret, fallback, help),
    }
}

/// A key whose value says what obtains access tokens.
pub(super) const fn token_source(path: Path, fallback: Fallback, help: Help) -> Key<SourceTable> {
    Key::new(
        KeyInfo::new(path, ValueKind::TokenSource, fallback, help),
        parse_token_source,
    )
}

/// The problems quote nothing: arguments and header fields may be confidential.
fn parse_token_source(key: &KeyInfo, value: &toml::Value) -> Parsed<SourceTable> {
    let table = value.as_table().ok_or(ParseError::WrongType)?;
    let invalid = |problem: &str| {
        ParseError::invalid((
            problem,
            format!("write it as in {}", key.example_at(key.path)),
        ))
    };
    let word = |name: &str| match table.get(name).map(toml::Value::as_str) {
        Some(Some(text)) if !text.trim().is_empty() => Ok(text.to_owned()),
        _ => Err(invalid(&format!("{name} is not a string, or is empty"))),
    };
    let is_only = |names: &[&str]| table.keys().all(|name| names.contains(&name.as_str()));
    if table.contains_key("command") && is_only(&["command"]) {
        let words = table.get("command").and_then(strings).unwrap_or_default();
        return match words.first() {
            Some(program) if !program.trim().is_empty() => Ok(SourceTable::Command(words)),
            Some(_) | None => Err(invalid(
                "command is not a list of a program and its arguments",
            )),
        };
    }
    if table.contains_key("file") && is_only(&["file"]) {
        return Ok(SourceTable::File(word("file")?));
    }
    if table.contains_key("http") && is_only(&["http", "headers"]) {
        let url = word("http")?;
        let headers = match table.get("headers").map(|headers| parse_map(key, headers)) {
            Some(Ok(headers)) => headers,
            Some(Err(_)) => return Err(invalid("headers is not a table of strings")),
            None => Vec::new(),
        };
        return Ok(SourceTable::Http { url, headers });
    }
    Err(invalid(
        "must have exactly one of command, file and http, and headers only beside http",
    ))
}

impl From<InvalidValue> for ParseError {
    fn from(value: InvalidValue) -> Self {
        Self::Invalid(value)
    }
}
