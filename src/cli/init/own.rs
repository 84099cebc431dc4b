//! What this run has put somewhere itself, or was told to replace. Only that is overwritten unasked.

use std::path::{Path, PathBuf};

use super::answers::{Credential, Plan, absolute};
use super::files::{self, Existing};
use crate::credentials::KeyringEntry;

/// Exactly that, by its names.
#[derive(Debug, Default)]
pub(super) struct Own {
    is_forced: bool,
    files: Vec<PathBuf>,
    entries: Vec<KeyringEntry>,
}

impl Own {
    /// Nothing yet; with `--force` every file counts as ours.
    pub(super) fn of_flag(force: bool) -> Self {
        Self {
            is_forced: force,
            ..Self::default()
        }
    }

    /// What becomes of a file that is there.
    pub(super) fn existing(&self, path: &Path) -> Existing {
        if self.is_forced || self.files.contains(&absolute(path)) {
            Existing::Replace
        } else {
            Existing::Keep
        }
    }

    pub(super) fn has_entry(&self, entry: &KeyringEntry) -> bool {
        self.entries.contains(entry)
    }

    /// Somebody has said that this file may be replaced.
    pub(super) fn add(&mut self, path: &Path) {
        self.files.push(absolute(path));
    }

    /// All that was written for this plan.
    pub(super) fn add_written(&mut self, plan: &Plan, path: &Path) {
        self.add(path);
        match &plan.credential {
            Credential::Typed(_) => self.add(&files::secret_path(path)),
            Credential::Keyring(entry, Some(_)) => self.entries.push(entry.clone()),
            // Somebody else's, which we have only read.
            Credential::Keyring(_, None) | Credential::File(_) | Credential::Command(_) => {}
        }
    }
}
