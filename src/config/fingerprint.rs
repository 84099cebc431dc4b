//! What a configuration says of its own proxy, as far as it can be read: enough to tell a running cupbearer from
//! another. Judges nothing; what is unreadable is as good as not there.

use super::layers::{Content, Layers};
use super::{Listen, Overrides, Surroundings, address};

/// What one proxy would be known by. A key that was not set says nothing.
#[derive(Debug, Clone, Default)]
pub struct ProxyFingerprint {
    /// Where it was read, for people: a file, or other words.
    pub named: String,
    /// `name`.
    pub name: Option<String>,
    /// `upstream.url`: scheme, host and port.
    pub upstream: Option<String>,
    /// `listen`.
    pub listen: Option<Listen>,
}

/// Reads it from all layers.
#[must_use]
pub fn fingerprint(overrides: &Overrides, surroundings: &Surroundings) -> ProxyFingerprint {
    let layers = Layers::read(overrides, surroundings);
    let text = |key: &str| match &layers.given.get(key)?.content {
        Content::Toml(toml::Value::String(text)) => Some(text.clone()),
        Content::Toml(_) | Content::Secret(_) | Content::Broken => None,
    };
    let upstream = text("upstream.url").and_then(|text| address::origin(&text, true).ok());
    ProxyFingerprint {
        named: layers.file.as_ref().map_or_else(
            || "this environment".to_owned(),
            |file| file.display().to_string(),
        ),
        name: text("name"),
        upstream: upstream.map(|origin| format!("{}://{}", origin.scheme, origin.authority)),
        listen: text("listen").and_then(|text| address::listen(&text).ok()),
    }
}

#[cfg(test)]
mod tests;
