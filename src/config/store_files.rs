//! A sign-in replaces the file of `token.store`, so it must be none that a configuration names for something else.

use std::path::{Path, PathBuf};

use super::content::{Content, SetValue};
use super::keys;
use super::layers::Layers;
use super::login_store::{LoginStore, login_store};
use super::problems::InvalidValue;
use super::same_file::is_same_file;
use crate::credentials::aside_of;
use crate::text::quoted;

pub(super) const STORE: &str = keys::TOKEN_STORE.path();

const REMEDY: &str =
    "name a file that holds nothing else, such as /home/you/.local/state/cupbearer/login.json";

/// A file that a configuration names.
struct NamedFile {
    /// `None` for the configuration itself.
    key: Option<String>,
    path: PathBuf,
}

/// A file that belongs to the store.
struct StoreFile {
    what: &'static str,
    path: PathBuf,
}

/// Reports the files of this configuration that its store would replace.
pub(super) fn reject_own(layers: &mut Layers) {
    reject_store(layers, None);
}

/// Reports the files of another proxy that the store of this one would replace.
pub(super) fn reject_store_for(layers: &mut Layers, other: &Layers) {
    reject_store(layers, Some(other));
}

fn reject_store(layers: &mut Layers, other: Option<&Layers>) {
    let Some(source) = layers.values.get(STORE).map(|set| set.source.clone()) else {
        return;
    };
    let place = other.map_or_else(String::new, |other| format!(" in {}", other.file_name));
    let named = named_files(other.unwrap_or(layers));
    for file in store_files(layers) {
        let is_taken = |named: &&NamedFile| clash(&file, named);
        if let Some(taken) = named.iter().find(is_taken) {
            let owner = match &taken.key {
                None if other.is_none() => "the configuration itself".to_owned(),
                None => format!("the configuration{place}"),
                Some(key) => format!("named by {key}{place}"),
            };
            let path = quoted(&file.path.display().to_string());
            let problem = format!("{}{path} is also {owner}", file.what);
            layers.problems.push(STORE, &source, (problem, REMEDY));
        }
    }
}

/// The keys of this configuration that name a file which the store of another proxy would replace.
pub(super) fn keys_in_store_of(layers: &Layers, other: &Layers) -> Vec<(String, InvalidValue)> {
    let of_store = store_files(other);
    let taken = |named: NamedFile| {
        of_store.iter().find(|file| clash(file, &named))?;
        let path = quoted(&named.path.display().to_string());
        let problem = format!("{path} belongs to {STORE} in {}", other.file_name);
        Some((named.key?, (problem, "name another file").into()))
    };
    named_files(layers).into_iter().filter_map(taken).collect()
}

fn clash(file: &StoreFile, named: &NamedFile) -> bool {
    // Several proxies may share a store.
    let is_shared = file.what.is_empty() && named.key.as_deref() == Some(STORE);
    !is_shared && is_same_file(&file.path, &named.path)
}

fn store_files(layers: &Layers) -> Vec<StoreFile> {
    let Some(path) = layers.values.get(STORE).and_then(store_file) else {
        return Vec::new();
    };
    vec![
        StoreFile {
            what: "its lock ",
            path: LoginStore::lock_of(&path),
        },
        StoreFile {
            what: "its new content ",
            path: aside_of(&path),
        },
        StoreFile { what: "", path },
    ]
}

fn store_file(set: &SetValue) -> Option<PathBuf> {
    match &set.content {
        Content::Toml(value) => match login_store(value) {
            Ok(LoginStore::File(path)) => Some(path),
            Ok(_) | Err(_) => None,
        },
        Content::Secret(_) | Content::Invalid => None,
    }
}

fn named_files(layers: &Layers) -> Vec<NamedFile> {
    let own = layers.file.iter().map(|file| NamedFile {
        key: None,
        path: file.clone(),
    });
    let set = layers.values.iter().flat_map(|(key, set)| {
        paths_in(key, set).into_iter().map(|path| NamedFile {
            key: Some(key.clone()),
            path,
        })
    });
    own.chain(set).collect()
}

/// The files that one key names.
fn paths_in(key: &str, set: &SetValue) -> Vec<PathBuf> {
    if key == STORE {
        return store_file(set).into_iter().collect();
    }
    let value = match &set.content {
        Content::Secret(source) => return source.file().map(Path::to_owned).into_iter().collect(),
        Content::Invalid => return Vec::new(),
        Content::Toml(value) => value,
    };
    let texts = match value {
        toml::Value::Array(several) => several.iter().filter_map(toml::Value::as_str).collect(),
        toml::Value::Table(table) if key == keys::TOKEN_SOURCE.path() => table
            .get("file")
            .and_then(toml::Value::as_str)
            .into_iter()
            .collect(),
        one => one.as_str().into_iter().collect::<Vec<_>>(),
    };
    let is_file = key.ends_with("_file") || key == keys::TOKEN_SOURCE.path();
    let is_listener = key == keys::LISTEN.path() || key == keys::ADMIN_LISTEN.path();
    let path = |text: &str| match text.strip_prefix("unix:") {
        Some(socket) if is_listener => Some(PathBuf::from(socket)),
        Some(_) | None => is_file.then(|| PathBuf::from(text)),
    };
    texts.into_iter().filter_map(path).collect()
}

#[cfg(test)]
mod tests;
