//! A file that appears only when it is complete: it is written aside and then renamed.

use std::fs::{self, OpenOptions};
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
    /// Creates it in the directory of `destination`. An error does not name the file, whose name tells the user
    /// nothing.
    pub(super) fn create(destination: &Path, mode: FileMode) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(
            &mut options,
            match mode {
                FileMode::Owner => 0o600,
                FileMode::Default => 0o666, // without what the process's umask excludes
            },
        );
        #[cfg(not(unix))]
        let _ = mode;
        let mut new = tempfile::Builder::new();
        new.prefix(".cupbearer-");
        let file = new.make_in(directory_of(destination), |path| options.open(path))?;
        Ok(Self { file })
    }

    /// Gives it the permissions of the file that it is to replace, if there is one.
    pub(super) fn take_permissions_of(&mut self, replaced: &Path) -> io::Result<()> {
        match fs::metadata(replaced) {
            Ok(metadata) if metadata.is_file() => {
                self.file.as_file().set_permissions(metadata.permissions())
            }
            Ok(_) | Err(_) => Ok(()),
        }
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

#[cfg(test)]
mod tests;
