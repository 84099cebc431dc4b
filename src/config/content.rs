//! What was set for a key, before it has a type, and where it was set.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize as _;
use toml::Spanned;
use toml::de::{DeValue, ValueDeserializer};

use crate::credentials::SecretSource;

/// A key's value and where it was set.
#[derive(Clone)]
pub(crate) struct SetValue {
    pub(crate) content: Content,
    pub(crate) source: ValueSource,
}

/// A value as it was written.
#[derive(Clone)]
pub(crate) enum Content {
    Toml(toml::Value),
    Secret(SecretSource),
    /// The key was set, but to something unreadable. That has been reported, and the key is not missing.
    Invalid,
}

/// Where a value was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ValueSource {
    File { path: PathBuf, line: usize },
    Variable(String),
    Flag(&'static str),
}

impl SetValue {
    /// A value that is not a secret, as TOML.
    pub(crate) fn text(&self) -> Option<String> {
        match &self.content {
            Content::Toml(value) => Some(value.to_string()),
            Content::Secret(_) | Content::Invalid => None,
        }
    }
}

impl fmt::Display for ValueSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// One value as TOML, from the environment or the command line.
pub(crate) fn toml_value(text: &str) -> Result<toml::Value, toml::de::Error> {
    owned_value(&DeValue::parse(text)?)
}

/// A value that no longer borrows from the text.
pub(crate) fn owned_value(value: &Spanned<DeValue<'_>>) -> Result<toml::Value, toml::de::Error> {
    toml::Value::deserialize(ValueDeserializer::from(value.clone()))
}
