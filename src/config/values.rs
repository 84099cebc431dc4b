//! One key's value as its type, or a problem with the key's name and source.
//!
//! Every reader returns `None` for a key that is not set and has no default, or after it has reported a problem.

use super::address::Origin;
use super::content::Content;
use super::keys::{Key, KeyInfo, ParseError, SecretKey, ValueKind, variable};
use super::layers::Layers;
use super::named_sources::NamedSources;
use super::problems::InvalidValue;
use crate::credentials::SecretSource;

/// The layers, read key by key.
pub(crate) struct Values {
    pub(crate) layers: Layers,
    /// The secrets and files that have been read of so far.
    pub(crate) named: NamedSources,
    /// The API, even if another key of it is invalid.
    pub(crate) upstream: Option<Origin>,
    /// The server of token requests with the key that names it, even if another key of it is invalid.
    pub(crate) token_server: Option<(url::Url, &'static str)>,
}

impl Values {
    pub(crate) fn new(layers: Layers) -> Self {
        let named = NamedSources::default();
        Self {
            layers,
            named,
            upstream: None,
            token_server: None,
        }
    }

    /// The value that was set, else the default.
    pub(crate) fn read<T: Clone>(&mut self, key: &Key<T>) -> Option<T> {
        self.read_at(key.path(), key)
    }

    /// The value of a caller's key, at the path that has the caller's name.
    pub(crate) fn read_at<T: Clone>(&mut self, path: &str, key: &Key<T>) -> Option<T> {
        let value = match self.layers.values.get(path).map(|set| &set.content) {
            Some(Content::Toml(value)) => value.clone(),
            Some(Content::Invalid | Content::Secret(_)) => return None,
            None => key.info.default()?,
        };
        let problem = match key.parse(&value) {
            Ok(value) => return Some(value),
            Err(ParseError::Invalid(problem)) => problem,
            Err(ParseError::WrongType) => {
                let (found, wanted) = (value.type_str(), key.info.kind.describe());
                let remedy = format!("write it as in {}", key.info.example_at(path));
                (format!("is a TOML {found}, not {wanted}"), remedy).into()
            }
        };
        self.reject(path, problem);
        None
    }

    /// The value of a key that must be set.
    pub(crate) fn required<T: Clone>(&mut self, key: &Key<T>) -> Option<T> {
        self.report_if_missing(&key.info);
        self.read(key)
    }

    /// Where a secret is.
    pub(crate) fn secret(&self, path: &str) -> Option<SecretSource> {
        match &self.layers.values.get(path)?.content {
            Content::Secret(source) => Some(source.clone()),
            Content::Toml(_) | Content::Invalid => None,
        }
    }

    /// Where a secret is that must be set.
    pub(crate) fn required_secret(&mut self, key: &SecretKey) -> Option<SecretSource> {
        self.report_if_missing(&key.info);
        self.secret(key.path())
    }

    /// Whether a key was set, readably or not.
    pub(crate) fn is_set(&self, path: &str) -> bool {
        self.layers.values.contains_key(path)
    }

    /// Whether a key was set to this text.
    pub(crate) fn is_text(&self, path: &str, text: &str) -> bool {
        let set = self.layers.values.get(path).map(|set| &set.content);
        matches!(set, Some(Content::Toml(toml::Value::String(set))) if set == text)
    }

    /// Where a key was set.
    pub(crate) fn source(&self, path: &str) -> String {
        let set = self.layers.values.get(path);
        set.map_or_else(|| "not set".to_owned(), |set| set.source.to_string())
    }

    /// The result of a parser, its problem reported.
    pub(crate) fn checked<T>(
        &mut self,
        path: &str,
        parsed: Result<T, impl Into<InvalidValue>>,
    ) -> Option<T> {
        parsed.map_err(|problem| self.reject(path, problem)).ok()
    }

    /// Reports what is wrong with a key's value.
    pub(crate) fn reject(&mut self, path: &str, problem: impl Into<InvalidValue>) {
        let source = self.source(path);
        self.layers.problems.push(path, source, problem);
    }

    /// Reports what is suspicious but not an error.
    pub(crate) fn warn(&mut self, warning: String) {
        self.layers.warnings.push(warning);
    }

    /// An unreadable value is not missing: it has been reported before.
    fn report_if_missing(&mut self, key: &KeyInfo) {
        if self.is_set(key.path) || self.layers.incomplete {
            return;
        }
        let name = variable(key.path);
        let variable = if key.kind == ValueKind::Secret {
            format!("{name}__FILE or {name}")
        } else {
            name
        };
        let remedy = format!("write {}, or set {variable}", key.example_at(key.path));
        self.reject(key.path, ("is missing", remedy));
    }
}
