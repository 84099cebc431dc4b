//! `token.store` as a type: where the refresh token of a person is kept.

use std::path::PathBuf;

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
            Ok(LoginStore::File(PathBuf::from(path)))
        }
        _ => Err(("is neither a word nor a table with only a file", REMEDY).into()),
    }
}
