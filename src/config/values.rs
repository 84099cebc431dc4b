//! One key's value as its type, or a problem with the key's name and source.
//!
//! Every reader returns `None` only after it has reported why, or for a key that is simply unset.

use std::time::Duration;

use super::LocalUsers;
use super::document;
use super::keys::{Fallback, Key, ValueKind, variable};
use super::layers::{Content, Layers};
use super::problems::InvalidValue;
use super::units;
use crate::credentials::SecretSource;
use crate::text::quoted;

/// The layers, read key by key.
pub(crate) struct Values {
    pub(crate) layers: Layers,
}

impl Values {
    pub(crate) const fn new(layers: Layers) -> Self {
        Self { layers }
    }

    /// Whether a key was set, readably or not.
    pub(crate) fn is_given(&self, path: &str) -> bool {
        self.layers.given.contains_key(path)
    }

    /// Reports what is wrong with a key's value.
    pub(crate) fn wrong(&mut self, path: &str, complaint: impl Into<InvalidValue>) {
        let source = self.source(path);
        self.layers.problems.push(path, source, complaint);
    }

    /// Where a key was set.
    pub(crate) fn source(&self, path: &str) -> String {
        let given = self.layers.given.get(path);
        given.map_or_else(|| "not set".to_owned(), |given| given.source.to_string())
    }

    /// Says what is suspicious and no error.
    pub(crate) fn warn(&mut self, warning: String) {
        self.layers.warnings.push(warning);
    }

    /// Reports a key that must be set and is not; a broken one has been reported before.
    pub(crate) fn missing(&mut self, path: &str) {
        if self.is_given(path) || self.layers.incomplete {
            return;
        }
        let key = known(path);
        let name = variable(path);
        let variable = if key.kind == ValueKind::Secret {
            format!("{name}__FILE or {name}")
        } else {
            name
        };
        let remedy = format!("write {}, or set {variable}", key.example_at(path));
        self.wrong(path, ("is missing", remedy));
    }

    /// A parser's answer, its complaint reported.
    pub(crate) fn checked<T>(
        &mut self,
        path: &str,
        read: Result<T, impl Into<InvalidValue>>,
    ) -> Option<T> {
        read.map_err(|complaint| self.wrong(path, complaint)).ok()
    }

    /// A string; an empty one is a mistake.
    pub(crate) fn text(&mut self, path: &str) -> Option<String> {
        let value = self.value(path)?;
        let Some(text) = value.as_str() else {
            return self.wrong_type(path, &value);
        };
        if text.trim().is_empty() {
            self.wrong(path, ("is empty", "give it a value, or leave it out"));
            return None;
        }
        Some(text.to_owned())
    }

    /// A string that must be there.
    pub(crate) fn required(&mut self, path: &str) -> Option<String> {
        self.missing(path);
        self.text(path)
    }

    pub(crate) fn switch(&mut self, path: &str) -> Option<bool> {
        let value = self.value(path)?;
        value.as_bool().or_else(|| self.wrong_type(path, &value))
    }

    pub(crate) fn duration(&mut self, path: &str) -> Option<Duration> {
        let text = self.quantity(path)?;
        let duration = self.checked(path, units::duration(&text))?;
        if let ValueKind::Duration(least) = known(path).kind
            && duration < least
        {
            let complaint = (
                format!("{} leaves no time at all", quoted(&text)),
                format!(
                    "write at least {:?}",
                    humantime::format_duration(least).to_string()
                ),
            );
            self.wrong(path, complaint);
            return None;
        }
        Some(duration)
    }

    pub(crate) fn size(&mut self, path: &str) -> Option<usize> {
        let text = self.quantity(path)?;
        let bytes = self.checked(path, units::size(&text))?;
        if let ValueKind::Size(least, most) = known(path).kind
            && !(least..=most).contains(&bytes)
        {
            let (least, most) = (least >> 10, most >> 10);
            let complaint = (
                format!("{} is out of range", quoted(&text)),
                format!("write \"{least}KiB\" to \"{most}KiB\""),
            );
            self.wrong(path, complaint);
            return None;
        }
        usize::try_from(bytes).ok()
    }

    pub(crate) fn count(&mut self, path: &str) -> Option<usize> {
        let value = self.value(path)?;
        let Some(number) = value.as_integer() else {
            return self.wrong_type(path, &value);
        };
        if let ValueKind::Count(least, most) = known(path).kind
            && !(i64::from(least)..=i64::from(most)).contains(&number)
        {
            let remedy = format!("write {least} to {most}");
            self.wrong(path, (format!("{number} is out of range"), remedy));
            return None;
        }
        usize::try_from(number).ok()
    }

    /// One of the key's words, as its place among them.
    pub(crate) fn choice<T: Copy>(&mut self, path: &str, meanings: &[T]) -> Option<T> {
        let text = self.text(path)?;
        let ValueKind::Choice(words) = known(path).kind else {
            return None;
        };
        debug_assert_eq!(words.len(), meanings.len(), "{path}: one meaning a word");
        let place = words.iter().position(|word| *word == text);
        if place.is_none() {
            let all: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
            let remedy = format!("write {}", all.join(" or "));
            self.wrong(
                path,
                (format!("{} is none of its values", quoted(&text)), remedy),
            );
        }
        meanings.get(place?).copied()
    }

    pub(crate) fn texts(&mut self, path: &str) -> Option<Vec<String>> {
        let value = self.value(path)?;
        value
            .as_array()
            .and_then(|list| {
                list.iter()
                    .map(|one| one.as_str().map(str::to_owned))
                    .collect()
            })
            .or_else(|| self.wrong_type(path, &value))
    }

    /// Who may connect: a word, or user ids.
    pub(crate) fn users(&mut self, path: &str) -> Option<LocalUsers> {
        let value = self.value(path)?;
        if let Some(list) = value.as_array() {
            let ids = list.iter().map(|id| u32::try_from(id.as_integer()?).ok());
            let ids: Option<Vec<u32>> = ids.collect();
            return match ids {
                Some(ids) if !ids.is_empty() => Some(LocalUsers::Only(ids)),
                Some(_) | None => {
                    let remedy = "write user ids as `id -u NAME` prints them, such as [0, 1000]";
                    self.wrong(path, ("is no list of user ids", remedy));
                    None
                }
            };
        }
        match value.as_str() {
            Some("same") => Some(LocalUsers::Same),
            Some("any") => Some(LocalUsers::Any),
            Some(text) => {
                let remedy = "write \"same\", \"any\" or user ids such as [0, 1000]";
                self.wrong(path, (format!("{} is neither", quoted(text)), remedy));
                None
            }
            None => self.wrong_type(path, &value),
        }
    }

    /// A file's permissions. A number would be read as decimal by some and as octal by others.
    pub(crate) fn mode(&mut self, path: &str) -> Option<u32> {
        let text = self.text(path)?;
        let is_octal = (3..=4).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        match u32::from_str_radix(&text, 8) {
            Ok(mode) if is_octal && mode <= 0o777 && mode & 0o600 == 0o600 => Some(mode),
            Ok(_) | Err(_) => {
                let remedy = "write \"0600\" (this user), \"0660\" (its group too) or \"0666\"";
                self.wrong(
                    path,
                    (format!("{} is no usable mode", quoted(&text)), remedy),
                );
                None
            }
        }
    }

    /// One string or a list of them; as text a list is TOML, which no address is by itself.
    pub(crate) fn one_or_more(&mut self, path: &str) -> Option<Vec<String>> {
        let value = match self.value(path)? {
            toml::Value::String(text) => match document::value(&text) {
                Ok(list @ toml::Value::Array(_)) => list,
                Ok(_) | Err(_) => toml::Value::Array(vec![toml::Value::String(text)]),
            },
            other => other,
        };
        value
            .as_array()
            .and_then(|list| {
                list.iter()
                    .map(|one| one.as_str().map(str::to_owned))
                    .collect()
            })
            .or_else(|| self.wrong_type(path, &value))
    }

    pub(crate) fn map(&mut self, path: &str) -> Option<Vec<(String, String)>> {
        let value = self.value(path)?;
        value
            .as_table()
            .and_then(|table| {
                let entries = table.iter();
                entries
                    .map(|(name, text)| Some((name.clone(), text.as_str()?.to_owned())))
                    .collect()
            })
            .or_else(|| self.wrong_type(path, &value))
    }

    pub(crate) fn secret(&mut self, path: &str) -> Option<SecretSource> {
        match &self.layers.given.get(path)?.content {
            Content::Secret(source) => Some(source.clone()),
            Content::Toml(_) | Content::Broken => None,
        }
    }

    /// A duration's or size's text; a number is taken for one, to be told about its unit.
    fn quantity(&mut self, path: &str) -> Option<String> {
        match self.value(path)? {
            toml::Value::Integer(number) => Some(number.to_string()),
            toml::Value::Float(number) => Some(number.to_string()),
            _ => self.text(path),
        }
    }

    /// What was set, else the default; `None` if neither, or if what was set is broken.
    fn value(&self, path: &str) -> Option<toml::Value> {
        match self.layers.given.get(path).map(|given| &given.content) {
            Some(Content::Toml(value)) => Some(value.clone()),
            Some(Content::Broken | Content::Secret(_)) => None,
            None => default(known(path)),
        }
    }

    fn wrong_type<T>(&mut self, path: &str, value: &toml::Value) -> Option<T> {
        let key = known(path);
        let remedy = format!("write it as in {}", key.example_at(path));
        self.wrong(
            path,
            (
                format!("is a TOML {}, not {}", value.type_str(), wanted(key.kind)),
                remedy,
            ),
        );
        None
    }
}

/// A key's default, if it has one.
pub(crate) fn default(key: &Key) -> Option<toml::Value> {
    match key.fallback {
        Fallback::Default(text) => {
            Some(document::value(text).expect("a default is TOML: a test holds it"))
        }
        Fallback::Unset(_) | Fallback::Required(_) => None,
    }
}

fn known(path: &str) -> &'static Key {
    Key::find(path).expect("every key that is asked for is in the table")
}

const fn wanted(kind: ValueKind) -> &'static str {
    match kind {
        ValueKind::Text
        | ValueKind::Proxy
        | ValueKind::Choice(_)
        | ValueKind::Duration(_)
        | ValueKind::Size(..)
        | ValueKind::Mode => "a string",
        ValueKind::Users => "\"same\", \"any\" or a list of user ids",
        ValueKind::Count(..) => "a whole number",
        ValueKind::Switch => "true or false",
        ValueKind::Addresses => "an address, a list of them or \"off\"",
        ValueKind::Texts => "a list of strings",
        ValueKind::Map => "a table of strings",
        ValueKind::Secret => "a secret source",
    }
}
