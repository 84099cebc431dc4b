//! What every key was set to, so that two readings of a configuration can be told apart, key by key, without
//! keeping any value.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};

use super::keys::{KEYS, Key};
use super::layers::{Content, Layers, ValueSource};
use super::values::default;

/// A digest for each key that has a value. Not cryptographic: who could choose the values owns the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyDigests(BTreeMap<String, u64>);

impl KeyDigests {
    /// Of one proxy's own layers: a key that another proxy's file sets is that file's to change.
    pub(crate) fn of(layers: &Layers) -> Self {
        let defaults = KEYS.iter().filter_map(|key: &Key| {
            let value = default(key)?;
            Some((key.path.to_owned(), digest(value.to_string().as_bytes())))
        });
        let callers = layers.callers.keys();
        let callers = callers.map(|name| (format!("guard.callers.{name}"), 0));
        let own = layers
            .given
            .iter()
            .filter(|(_, given)| match &given.source {
                ValueSource::File { path, .. } => layers.file.as_ref() == Some(path),
                ValueSource::Variable(_) | ValueSource::Flag(_) => true,
            });
        let given = own.map(|(path, given)| {
            let text = match &given.content {
                Content::Toml(value) => value.to_string(),
                // Where it is; what is there is followed by who uses it.
                Content::Secret(source) => format!("{source:?}"),
                Content::Broken => String::new(),
            };
            (path.clone(), digest(text.as_bytes()))
        });
        Self(defaults.chain(callers).chain(given).collect())
    }

    /// Also what stands in the file that `key` names.
    pub fn note_content(&mut self, key: &str, content: &[u8]) {
        let named = self.0.entry(key.to_owned()).or_default();
        *named = named.rotate_left(1) ^ digest(content);
    }

    /// The keys that have another value than `before`, or only here one, or only there.
    #[must_use]
    pub fn changed_from(&self, before: &Self) -> Vec<String> {
        let keys: std::collections::BTreeSet<&String> =
            self.0.keys().chain(before.0.keys()).collect();
        keys.into_iter()
            .filter(|key| self.0.get(*key) != before.0.get(*key))
            .cloned()
            .collect()
    }

    /// Takes over what `of` says about `key`, be it nothing.
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
