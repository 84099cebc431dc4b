//! The client secret where the proxy in front reads it: a file that only its owner can read.
//!
//! A file and not a variable, because that is what a user is advised to do, and because it can be
//! rewritten to watch a rotation.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::claim::{self, Claim};
use crate::credentials::Secret;

/// A file in a new directory of its own (0700, the file 0600); both go when this is dropped.
///
/// What a killed process leaves behind opens nothing: the server that knew the secret is gone too. The next demo
/// removes it.
#[derive(Debug)]
pub(super) struct SecretFile {
    directory: PathBuf,
    path: PathBuf,
    /// None where the file system knows no locks: then nobody takes it away.
    _claim: Option<Claim>,
}

impl SecretFile {
    /// # Errors
    /// The directory for temporary files cannot be written to.
    pub(super) fn write(secret: &Secret) -> io::Result<Self> {
        let directory = std::env::temp_dir().join(claim::new_name());
        // Fails if it exists, so nobody else can have put a link in its place.
        owner_only_directory().create(&directory)?;
        let file = Self {
            path: directory.join("client-secret"),
            _claim: Claim::on(&directory).ok(),
            directory,
        };
        // Exposed to be written where only the owner reads it.
        owner_only_file()
            .open(&file.path)?
            .write_all(secret.expose())?;
        Ok(file)
    }

    /// A file beside it, for what the proxy in front is configured with.
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
        // Nobody is left who could do something about a failure.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn owner_only_directory() -> DirBuilder {
    #[allow(unused_mut, reason = "only unix has modes")]
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
