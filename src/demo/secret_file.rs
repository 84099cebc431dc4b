//! The file from which the proxy reads the client secret. Only its owner can read it.
//!
//! A file rather than an environment variable, because the documentation recommends one, and because it can be
//! rewritten to try a rotation.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::dir_lock::{self, DirLock};
use crate::credentials::Secret;

/// What chooses the directory for temporary files.
const VARIABLE: &str = if cfg!(windows) { "TMP" } else { "TMPDIR" };

/// A file (mode 0600) in a new directory of its own (mode 0700). Both are removed when this is dropped.
///
/// If the process is killed, both remain until the next demo removes them. The secret is useless by then, since the
/// server that accepted it has ended too.
#[derive(Debug)]
pub(super) struct SecretFile {
    directory: PathBuf,
    path: PathBuf,
    /// `None` if the file system does not support locks. Other demos then leave the directory alone.
    _lock: Option<DirLock>,
}

impl SecretFile {
    /// # Errors
    /// The directory for temporary files cannot be written to.
    pub(super) fn write(secret: &Secret) -> io::Result<Self> {
        let directory = std::env::temp_dir().join(dir_lock::new_name());
        // Fails if the directory exists, so another user cannot have put a link in its place.
        owner_only_directory().create(&directory).map_err(|error| {
            let place = std::env::temp_dir();
            let words = format!(
                "{}, the directory for temporary files, cannot be written to: {error}; choose another one with {VARIABLE}",
                place.display()
            );
            io::Error::new(error.kind(), words)
        })?;
        let file = Self {
            path: directory.join("client-secret"),
            _lock: DirLock::acquire(&directory).ok(),
            directory,
        };
        // Exposed to be written to a file that only its owner can read.
        owner_only_file()
            .open(&file.path)?
            .write_all(secret.expose())?;
        Ok(file)
    }

    /// Writes another file to the same directory.
    pub(super) fn beside(&self, name: &str, text: &str) -> io::Result<PathBuf> {
        let path = self.directory.join(name);
        owner_only_file().open(&path)?.write_all(text.as_bytes())?;
        Ok(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SecretFile {
    fn drop(&mut self) {
        // Nothing can be done about a failure here.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn owner_only_directory() -> DirBuilder {
    #[allow(unused_mut, reason = "only Unix has file modes")]
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

fn owner_only_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(test)]
mod tests;
