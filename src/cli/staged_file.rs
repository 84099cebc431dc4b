//! A file that appears only when it is complete: it is written aside and then renamed.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use tempfile::NamedTempFile;

/// The permissions of a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileMode {
    /// Mode 0600.
    Owner,
    /// The default of the system.
    Default,
}

/// A file beside its destination. It is removed unless it is moved there.
pub(super) struct StagedFile {
    file: NamedTempFile,
}

impl StagedFile {
    /// Creates it in the directory of `destination`.
    pub(super) fn create(destination: &Path, mode: FileMode) -> io::Result<Self> {
        let mut new = tempfile::Builder::new();
        new.prefix(".cupbearer-");
        #[cfg(unix)]
        if mode == FileMode::Default {
            // The process's umask is applied to this.
            new.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        }
        let created = new.tempfile_in(directory_of(destination));
        let file = created.map_err(without_path)?;
        Ok(Self { file })
    }

    /// Writes all of it, so that it is on the disk.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let file = self.file.as_file_mut();
        file.write_all(bytes)?;
        file.sync_all()
    }

    /// Moves it to `destination`, where nothing may exist.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`], even for a dangling symbolic link.
    pub(super) fn place_new(self, destination: &Path) -> io::Result<()> {
        let placed = self.file.persist_noclobber(destination);
        placed.map(drop).map_err(|error| error.error)
    }

    /// Moves it to `destination`, in place of what exists there.
    pub(super) fn replace(self, destination: &Path) -> io::Result<()> {
        let placed = self.file.persist(destination);
        placed.map(drop).map_err(|error| error.error)
    }
}

/// The error of the system: `tempfile` adds the path of the temporary file, which tells the user nothing.
fn without_path(error: io::Error) -> io::Error {
    let cause = error.get_ref().and_then(std::error::Error::source);
    let cause = cause.and_then(|cause| cause.downcast_ref::<io::Error>());
    match cause.and_then(io::Error::raw_os_error) {
        Some(code) => io::Error::from_raw_os_error(code),
        None => error,
    }
}

/// Whether the name is taken, even by a dangling symbolic link.
pub(super) fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// The directory in which a file of this name is created.
pub(super) fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    }
}
