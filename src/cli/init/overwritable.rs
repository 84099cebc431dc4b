//! What may be overwritten without asking: what this run has written, and what the user has agreed to replace.

use std::path::{Path, PathBuf};

use super::answers::NewConfig;
use super::files::{self, Existing};
use super::flag_values::absolute;
use super::identity::SecretLocation;
use crate::credentials::KeyringEntry;

#[derive(Debug, Default)]
pub(super) struct Overwritable {
    is_forced: bool,
    files: Vec<PathBuf>,
    /// Those of `files` that this run has written.
    written: Vec<PathBuf>,
    entries: Vec<KeyringEntry>,
}

impl Overwritable {
    /// Nothing yet, or with `--force` every file.
    pub(super) fn new(force: bool) -> Self {
        Self {
            is_forced: force,
            ..Self::default()
        }
    }

    /// What happens to `path` if it exists.
    pub(super) fn existing(&self, path: &Path) -> Existing {
        if self.is_forced || self.files.contains(&absolute(path)) {
            Existing::Replace
        } else {
            Existing::Keep
        }
    }

    /// Whether this run has written the file.
    pub(super) fn has_written(&self, path: &Path) -> bool {
        self.written.contains(&absolute(path))
    }

    /// The configuration that this run has written last.
    pub(super) fn last_written(&self) -> Option<&Path> {
        self.written.last().map(PathBuf::as_path)
    }

    /// Whether this run has stored a secret in the entry.
    pub(super) fn has_entry(&self, entry: &KeyringEntry) -> bool {
        self.entries.contains(entry)
    }

    /// The user has agreed that this file may be replaced, or this run has written it.
    pub(super) fn add(&mut self, path: &Path) {
        self.files.push(absolute(path));
    }

    /// This run has written the configuration to `path`, and its secret.
    pub(super) fn add_written(&mut self, config: &NewConfig, path: &Path) {
        self.add(path);
        self.written.push(absolute(path));
        for file in files::new_secret_files(path, config) {
            self.add(&file);
        }
        match config.identity.secret() {
            Some(SecretLocation::Keyring(entry, Some(_))) => self.entries.push(entry.clone()),
            // A new file is added above, and the others were only read.
            Some(
                SecretLocation::Keyring(_, None)
                | SecretLocation::NewFile(_)
                | SecretLocation::File(_)
                | SecretLocation::Command(_),
            )
            | None => {}
        }
    }
}
