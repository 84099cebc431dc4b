//! What a configuration says of its own proxy, as far as it can be read: enough to tell a running cupbearer from
//! another. Judges nothing; what is unreadable is as good as not there.

use super::layers::{Content, Layers};
use super::{Listen, Overrides, Surroundings, address};

/// What one proxy would be known by. A key that was not set says nothing.
#[derive(Debug, Clone, Default)]
pub struct Own {
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
pub fn own(overrides: &Overrides, surroundings: &Surroundings) -> Own {
    let layers = Layers::read(overrides, surroundings);
    let text = |key: &str| match &layers.given.get(key)?.content {
        Content::Toml(toml::Value::String(text)) => Some(text.clone()),
        Content::Toml(_) | Content::Secret(_) | Content::Broken => None,
    };
    let upstream = text("upstream.url").and_then(|text| address::origin(&text, true).ok());
    Own {
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
mod tests {
    use super::*;

    #[test]
    fn what_can_be_read_is_there_however_broken_the_rest_is() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("c.toml");
        let text = "listen = 7\nno_key = 1\n[upstream]\nurl = \"https://API.example.com:443\"\n";
        std::fs::write(&file, text).unwrap();
        let overrides = Overrides {
            file: Some(file.clone()),
            ..Overrides::default()
        };
        let own = own(&overrides, &Surroundings::default());
        assert_eq!(own.upstream.as_deref(), Some("https://api.example.com"));
        assert_eq!(own.named, file.display().to_string());
        assert!(own.name.is_none() && own.listen.is_none(), "{own:?}");
    }
}
