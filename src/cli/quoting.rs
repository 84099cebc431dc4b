//! Paths in text that a person copies: into a shell, or into a configuration.

use std::path::Path;

/// Quotes it as one word for a POSIX shell.
pub(super) fn shell_word(path: &Path) -> String {
    let text = path.to_string_lossy();
    // It fails only for a NUL, which no path contains.
    shlex::try_quote(&text).map_or_else(|_| text.to_string(), std::borrow::Cow::into_owned)
}

/// Quotes it as a TOML string.
pub(super) fn toml_string(path: &Path) -> String {
    crate::learn::toml_string(&path.to_string_lossy())
}

#[cfg(test)]
mod tests;
