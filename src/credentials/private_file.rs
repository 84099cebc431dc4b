//! A file that only this user can read, and that is only ever replaced whole: written aside, synced and renamed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// Why such a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PrivateFileError {
    /// It, or what stands in its place, is not a regular file.
    #[error("is not a regular file")]
    Irregular,
    /// A symbolic link could lead to the file of someone else.
    #[error("is a symbolic link, which is not followed")]
    SymbolicLink,
    /// Another user could change it, or has put it there.
    #[error("belongs to another user (uid {owner})")]
    OfAnother {
        /// The owner.
        owner: u32,
    },
    /// Others may read it.
    #[error("can be read or written by other users")]
    Exposed,
    /// Others could move it away, and put back an older one.
    #[error("is in the directory {}, which other users can write to", directory.display())]
    ExposedDirectory {
        /// The directory.
        directory: PathBuf,
    },
    /// Its owner could do the same.
    #[error("is in the directory {}, which belongs to another user (uid {owner})", directory.display())]
    DirectoryOfAnother {
        /// The directory.
        directory: PathBuf,
        /// The owner.
        owner: u32,
    },
    /// It is longer than any file of its purpose should be.
    #[error("is longer than {limit} bytes")]
    TooLong {
        /// In bytes.
        limit: u64,
    },
    /// Another process keeps the lock.
    #[error("has been locked by another process for {seconds} s")]
    Busy {
        /// How long this process has waited.
        seconds: u64,
    },
    /// The operating system reports an error.
    #[error("cannot be {what}")]
    Failed {
        /// `read` or `written`.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
}

impl PrivateFileError {
    pub(super) const fn reading(source: io::Error) -> Self {
        Self::Failed {
            what: "read",
            source,
        }
    }

    pub(super) const fn writing(source: io::Error) -> Self {
        Self::Failed {
            what: "written",
            source,
        }
    }

    /// How to fix it.
    #[must_use]
    pub fn remedy(&self, path: &Path) -> String {
        let shown = path.display();
        match self {
            Self::Irregular | Self::SymbolicLink | Self::TooLong { .. } => {
                format!("remove {shown}, or name another file")
            }
            Self::ExposedDirectory { directory } => format!(
                "chmod go-w {}, or name a file in a directory that only you can write to",
                directory.display()
            ),
            Self::OfAnother { .. } | Self::DirectoryOfAnother { .. } => {
                "name a file in a directory that only you can write to".to_owned()
            }
            Self::Exposed => format!("chmod 600 {shown}"),
            Self::Busy { .. } if cfg!(unix) => {
                format!("find that process with `fuser {shown}`, and end it")
            }
            Self::Busy { .. } => format!("end the process that has {shown} open"),
            Self::Failed { .. } => {
                "make its directory writable for this user, check that the disk is not full, or name another file".to_owned()
            }
        }
    }
}

/// Creates the directory of the file, for this user alone, if it is missing.
///
/// # Errors
/// It cannot be created, or others could replace the file in it.
pub fn prepare_directory_of(path: &Path) -> Result<(), PrivateFileError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let directory = directory_of(path);
    builder
        .create(directory)
        .map_err(PrivateFileError::writing)?;
    check_directory_of(path)
}

/// Whether nobody else can replace the file, or any file beside it. A directory that does not exist passes.
///
/// # Errors
/// Somebody can: see [`PrivateFileError`].
pub fn check_directory_of(path: &Path) -> Result<(), PrivateFileError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let directory = directory_of(path);
        let found = match fs::metadata(directory) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(PrivateFileError::reading(error)),
        };
        let owner = found.uid();
        if owner != 0 && owner != rustix::process::geteuid().as_raw() {
            return Err(PrivateFileError::DirectoryOfAnother {
                directory: directory.to_owned(),
                owner,
            });
        }
        // In a sticky one, such as /tmp, each user can replace only his own files.
        let (is_writable, is_sticky) = (found.mode() & 0o022 != 0, found.mode() & 0o1000 != 0);
        if is_writable && !is_sticky {
            return Err(PrivateFileError::ExposedDirectory {
                directory: directory.to_owned(),
            });
        }
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// Where the file that will replace `destination` is written.
#[must_use]
pub fn aside_of(destination: &Path) -> PathBuf {
    let name = destination.file_name().unwrap_or_default();
    destination.with_file_name(format!(".{}.new", name.to_string_lossy()))
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        Some(_) | None => Path::new("."),
    }
}

/// Reads the file; `None` if it does not exist. No symbolic link is followed, and nothing blocks.
///
/// # Errors
/// See [`PrivateFileError`].
pub fn read_private(
    path: &Path,
    limit: u64,
) -> Result<Option<Zeroizing<Vec<u8>>>, PrivateFileError> {
    let mut options = OpenOptions::new();
    options.read(true);
    let Some(file) = open_private(path, &options)? else {
        return Ok(None);
    };
    let mut bytes = Zeroizing::new(Vec::with_capacity(
        usize::try_from(limit).unwrap_or_default() + 1,
    ));
    let read = file.take(limit + 1).read_to_end(&mut bytes);
    read.map_err(PrivateFileError::reading)?;
    if bytes.len() as u64 > limit {
        return Err(PrivateFileError::TooLong { limit });
    }
    Ok(Some(bytes))
}

/// Opens what only this user can read; `None` if there is nothing.
pub(super) fn open_private(
    path: &Path,
    options: &OpenOptions,
) -> Result<Option<File>, PrivateFileError> {
    #[cfg(unix)]
    let options = &{
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt as _;
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let mut options = options.clone();
        options.mode(0o600).custom_flags(flags.bits().cast_signed());
        options
    };
    if fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink()) {
        return Err(PrivateFileError::SymbolicLink);
    }
    let file = match options.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(PrivateFileError::reading(error)),
    };
    check(&file)?;
    Ok(Some(file))
}

fn check(file: &File) -> Result<(), PrivateFileError> {
    let metadata = file.metadata().map_err(PrivateFileError::reading)?;
    if !metadata.is_file() {
        return Err(PrivateFileError::Irregular);
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let owner = metadata.uid();
        if owner != rustix::process::geteuid().as_raw() {
            return Err(PrivateFileError::OfAnother { owner });
        }
        if metadata.mode() & 0o077 != 0 {
            return Err(PrivateFileError::Exposed);
        }
    }
    Ok(())
}

/// The file that will replace `destination`. It is removed unless it does: dropped, this uses the file system.
pub struct StagedPrivateFile {
    file: File,
    aside: PathBuf,
    destination: PathBuf,
    is_placed: bool,
}

impl StagedPrivateFile {
    /// Creates it with room for `reserve` bytes, so that a disk that is full or read-only shows now. Whoever calls this
    /// holds the lock: what an earlier process has left is removed.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn create(destination: &Path, reserve: usize) -> Result<Self, PrivateFileError> {
        let aside = aside_of(destination);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match fs::remove_file(&aside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(PrivateFileError::writing(error));
            }
            Ok(()) | Err(_) => {}
        }
        let file = options.open(&aside).map_err(PrivateFileError::writing)?;
        let mut staged = Self {
            file,
            aside,
            destination: destination.to_owned(),
            is_placed: false,
        };
        let reserved = staged.file.write_all(&vec![0; reserve]);
        let reserved = reserved.and_then(|()| staged.file.sync_all());
        reserved.map_err(PrivateFileError::writing)?;
        Ok(staged)
    }

    /// Replaces the destination. Once this returns, the new content is on the disk.
    ///
    /// # Errors
    /// The destination has its old content.
    pub fn place(mut self, bytes: &[u8]) -> Result<(), PrivateFileError> {
        self.write(bytes).map_err(PrivateFileError::writing)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.rewind()?;
        self.file.write_all(bytes)?;
        self.file.set_len(bytes.len() as u64)?;
        self.file.sync_all()?;
        fs::rename(&self.aside, &self.destination)?;
        self.is_placed = true;
        #[cfg(unix)]
        File::open(directory_of(&self.destination))?.sync_all()?;
        Ok(())
    }
}

impl Drop for StagedPrivateFile {
    fn drop(&mut self) {
        if !self.is_placed {
            let _ = fs::remove_file(&self.aside);
        }
    }
}

#[cfg(test)]
mod tests;
