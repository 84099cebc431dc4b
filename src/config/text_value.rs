//! A value from the environment or the command line.

use super::content::{Content, ValueSource, toml_value};
use super::keys::{KeyInfo, ValueKind};
use super::layers::Layers;
use crate::text::quoted;

/// Sets a key that is not a secret to `text`: taken as it is, or read as TOML where the key has a list or a table.
pub(crate) fn set(layers: &mut Layers, key: &KeyInfo, path: &str, text: &str, source: ValueSource) {
    let read = if key.kind.takes_as_is(text) {
        Ok(toml::Value::String(text.to_owned()))
    } else {
        toml_value(text)
    };
    let content = if let Ok(value) = read {
        Content::Toml(value)
    } else {
        let problem = if may_hold_credentials(key.kind) {
            "is not TOML".to_owned()
        } else {
            format!("{} is not TOML", quoted(text))
        };
        let problem = (problem, format!("write it as in {}", key.example_at(path)));
        layers.problems.push(path, &source, problem);
        Content::Invalid
    };
    layers.set(path, content, source);
}

/// A command, a URL, and what is sent in header fields, parameters and claims may be confidential.
const fn may_hold_credentials(kind: ValueKind) -> bool {
    match kind {
        ValueKind::Map | ValueKind::Secret | ValueKind::TokenSource | ValueKind::Proxy => true,
        ValueKind::Text
        | ValueKind::Choice
        | ValueKind::Duration(_)
        | ValueKind::Size(..)
        | ValueKind::Count(..)
        | ValueKind::Switch
        | ValueKind::Users
        | ValueKind::LoginStore
        | ValueKind::Mode
        | ValueKind::Addresses
        | ValueKind::Texts => false,
    }
}
