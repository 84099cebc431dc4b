//! `token.store` as a type: where the refresh token of a person is kept.

use std::fs;
use std::path::{Path, PathBuf};

use super::problems::InvalidValue;
use crate::text::quoted;

/// `token.store`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginStore {
    /// Not set: the keyring where there is one, otherwise memory.
    Automatic,
    /// The keyring of the user.
    Keyring,
    /// Nowhere else than in the memory of this process.
    Memory,
    /// A file of this user.
    File(PathBuf),
}

impl LoginStore {
    /// The file that is locked while the file at `path` is used. It is beside it, so that processes with other state
    /// directories find it too.
    #[must_use]
    pub fn lock_of(path: &Path) -> PathBuf {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        path.with_file_name(format!("{name}.lock"))
    }
}

const REMEDY: &str =
    "write \"keyring\", \"memory\" or { file = \"/home/you/.local/state/cupbearer/login.json\" }";

/// Reads `"keyring"`, `"memory"` or `{ file = "…" }`.
pub(crate) fn login_store(value: &toml::Value) -> Result<LoginStore, InvalidValue> {
    if let Some(text) = value.as_str() {
        return match text {
            "keyring" => Ok(LoginStore::Keyring),
            "memory" => Ok(LoginStore::Memory),
            other => Err((
                format!("{} is not one of its values", quoted(other)),
                REMEDY,
            )
                .into()),
        };
    }
    let mut entries = value.as_table().into_iter().flatten();
    match (entries.next(), entries.next()) {
        (Some((name, toml::Value::String(path))), None) if name == "file" && !path.is_empty() => {
            match unusable(path) {
                None => Ok(LoginStore::File(PathBuf::from(path))),
                Some((problem, remedy)) => {
                    Err((format!("{} {problem}", quoted(path)), remedy).into())
                }
            }
        }
        _ => Err(("is neither a word nor a table with only a file", REMEDY).into()),
    }
}

/// Why a sign-in cannot be kept in a file of this name.
fn unusable(path: &str) -> Option<(&'static str, &'static str)> {
    const OTHER: &str = "name a file, which need not exist yet";
    if path.starts_with('~') {
        let remedy = "write the whole path; in the shell, $HOME stands for your directory";
        return Some(("begins with ~, which only a shell replaces", remedy));
    }
    let file = Path::new(path);
    if path.ends_with(std::path::is_separator) || file.file_name().is_none() {
        return Some(("is the name of a directory", OTHER));
    }
    let found = fs::metadata(file).ok()?;
    if found.is_dir() {
        return Some(("is a directory", OTHER));
    }
    (!found.is_file()).then_some(("is not a regular file", OTHER))
}
