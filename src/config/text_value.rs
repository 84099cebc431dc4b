//! A value from the environment or the command line.

use super::content::{Content, ValueSource, toml_value};
use super::keys::KeyInfo;
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
        let problem = (
            format!("{} is not TOML", quoted(text)),
            format!("write it as in {}", key.example_at(path)),
        );
        layers.problems.push(path, &source, problem);
        Content::Invalid
    };
    layers.set(path, content, source);
}
