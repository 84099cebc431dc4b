//! A digest of each key's value, to find out which keys changed between two readings without keeping the values.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};

use super::content::{Content, ValueSource};
use super::keys::{KEYS, KeyInfo};
use super::layers::Layers;

/// A digest for each key that has a value. Not cryptographic, since only the owner of the file can choose values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyDigests(BTreeMap<String, u64>);

impl KeyDigests {
    /// The digests of one proxy, without the keys that another proxy's file sets for the process.
    pub(crate) fn of(layers: &Layers) -> Self {
        let defaults = KEYS.iter().filter_map(|key: &KeyInfo| {
            let value = key.default()?;
            Some((key.path.to_owned(), digest(value.to_string().as_bytes())))
        });
        let callers = layers.callers.keys();
        let callers = callers.map(|name| (format!("guard.callers.{name}"), 0));
        let own = layers
            .values
            .iter()
            .filter(|(_, value)| match &value.source {
                ValueSource::File { path, .. } => layers.file.as_ref() == Some(path),
                ValueSource::Variable(_) | ValueSource::Flag(_) => true,
            });
        let set = own.map(|(path, value)| {
            let text = match &value.content {
                Content::Toml(value) => value.to_string(),
                // Where the secret is. Its users notice when the secret itself changes.
                Content::Secret(source) => format!("{source:?}"),
                Content::Invalid => String::new(),
            };
            (path.clone(), digest(text.as_bytes()))
        });
        Self(defaults.chain(callers).chain(set).collect())
    }

    /// Includes the content of the file that `key` names.
    pub fn note_content(&mut self, key: &str, content: &[u8]) {
        let named = self.0.entry(key.to_owned()).or_default();
        *named = named.rotate_left(1) ^ digest(content);
    }

    /// Whether the key has a value.
    pub(super) fn contains(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// The keys whose value differs from `before`, or that have a value in only one of the two.
    #[must_use]
    pub fn changed_from(&self, before: &Self) -> Vec<String> {
        let keys: std::collections::BTreeSet<&String> =
            self.0.keys().chain(before.0.keys()).collect();
        keys.into_iter()
            .filter(|key| self.0.get(*key) != before.0.get(*key))
            .cloned()
            .collect()
    }

    /// Copies the digest of `key` from `of`, or its absence.
    pub fn take_over(&mut self, key: &str, of: &Self) {
        match of.0.get(key) {
            Some(digest) => self.0.insert(key.to_owned(), *digest),
            None => self.0.remove(key),
        };
    }
}

/// The same in every run of one process, which is as long as it is kept.
fn digest(bytes: &[u8]) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(bytes)
}

#[cfg(test)]
mod tests;
