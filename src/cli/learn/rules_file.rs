//! The file of `--output`: opened before the program runs, so that its rules are not lost because a directory is
//! missing.

use std::io;
use std::path::{Path, PathBuf};

use super::failure::LearnFailure;
use crate::cli::exit::Exit;
use crate::cli::staged_file::{FileMode, StagedFile, exists};

pub(super) struct RulesFile {
    path: PathBuf,
    staged: StagedFile,
}

impl RulesFile {
    /// Fails if the file exists.
    pub(super) fn check(path: &Path) -> Result<(), LearnFailure> {
        if exists(path) {
            let message = format!("{} exists and is not overwritten", path.display());
            return Err((Exit::Failed, message));
        }
        Ok(())
    }

    /// Fails if the file exists, or if it could not be created.
    pub(super) fn open(path: &Path) -> Result<Self, LearnFailure> {
        Self::check(path)?;
        let shown = path.display();
        let staged = StagedFile::create(path, FileMode::Default).map_err(|error| {
            let message =
                format!("{shown} cannot be written: {error}; the program has not been run");
            (Exit::Failed, message)
        })?;
        Ok(Self {
            path: path.to_owned(),
            staged,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the rules and gives the file its name.
    pub(super) fn write(mut self, text: &str) -> io::Result<()> {
        self.staged.write(text.as_bytes())?;
        self.staged.place_new(&self.path)
    }
}
