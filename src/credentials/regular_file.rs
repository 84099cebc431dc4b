//! Reads a file without ever blocking on it: a directory, a FIFO or an endless file is an error, not a hang.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

use zeroize::Zeroizing;

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// There is no file of that name.
    #[error("does not exist")]
    Missing,
    /// The file exists, but this process may not read it.
    #[error("permission denied")]
    Denied,
    /// It is a directory.
    #[error("is a directory")]
    Directory,
    /// A FIFO, a socket or a device: reading it could block forever.
    #[error("is not a regular file")]
    Irregular,
    /// It is longer than any file of its purpose should be.
    #[error("is longer than {limit} bytes")]
    TooLong {
        /// In bytes.
        limit: u64,
    },
    /// Any other error of the operating system.
    #[error("cannot be read")]
    Other(#[source] io::Error),
}

impl FileError {
    /// How to fix it.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Missing => {
                "check the name; a relative name starts at the working directory".into()
            }
            Self::Denied => format!("make it readable for this process{}", user_of_process()),
            Self::Directory => "name a file in that directory".into(),
            Self::Irregular => "name a regular file, not a FIFO, socket or device".into(),
            Self::TooLong { .. } => "check that this is the right file".into(),
            Self::Other(error) => format!("the operating system reports: {error}"),
        }
    }
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::Missing,
            io::ErrorKind::PermissionDenied => Self::Denied,
            io::ErrorKind::IsADirectory => Self::Directory,
            _ => Self::Other(error),
        }
    }
}

/// A warning if more than the owner's group can read this file.
pub(super) fn exposed(path: &Path) -> Option<String> {
    let shown = path.display();
    let readers = other_readers(path)?;
    Some(format!(
        "{shown} can be read by {readers}: chmod 600 {shown}"
    ))
}

/// Who else can read this file, in words: every user of the machine, or another group.
///
/// A Kubernetes volume, which is a symbolic link through `..data`, counts as read by nobody else: its files have mode
/// 0644 by default, and a container has no other users.
#[cfg(unix)]
pub(super) fn other_readers(path: &Path) -> Option<String> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    const OTHERS_READ: u32 = 0o004;
    const GROUP_READS: u32 = 0o040;
    let metadata = std::fs::metadata(path).ok()?;
    let mode = metadata.permissions().mode();
    let by_data = |path: &Path| path.components().any(|part| part.as_os_str() == "..data");
    if by_data(path) || std::fs::read_link(path).is_ok_and(|to| by_data(&to)) {
        return None;
    }
    if mode & OTHERS_READ != 0 {
        return Some("every user of this machine".to_owned());
    }
    // Only if this user owns it: otherwise the group may be what lets this process read it.
    let is_owner = metadata.uid() == rustix::process::geteuid().as_raw();
    let group = metadata.gid();
    let is_foreign = is_owner && group != rustix::process::getegid().as_raw();
    (mode & GROUP_READS != 0 && is_foreign).then(|| format!("the group {group}"))
}

/// Only Unix has such file modes.
#[cfg(not(unix))]
pub(super) fn other_readers(_: &Path) -> Option<String> {
    None
}

/// Reads a regular file of at most `limit` bytes; symbolic links are followed. The bytes are wiped when they are
/// dropped, since they may be a secret.
///
/// # Errors
/// See [`FileError`]. Never waits for a writer: the file's type is checked before and after it is opened, so that a
/// FIFO is an error.
pub fn read_regular(path: &Path, limit: u64) -> Result<Zeroizing<Vec<u8>>, FileError> {
    Ok(read_regular_described(path, limit)?.0)
}

/// The same, with what the system says about the file that was read.
///
/// # Errors
/// As for [`read_regular`].
pub fn read_regular_described(
    path: &Path,
    limit: u64,
) -> Result<(Zeroizing<Vec<u8>>, Metadata), FileError> {
    check_type(&std::fs::metadata(path)?)?;
    let file = open_without_blocking(path)?;
    let metadata = file.metadata()?;
    check_type(&metadata)?;
    // Allocated once: a vector that grows leaves copies behind that are not wiped.
    let capacity = usize::try_from(metadata.len().min(limit)).unwrap_or(0) + 1024;
    let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(FileError::TooLong { limit });
    }
    Ok((bytes, metadata))
}

fn check_type(metadata: &Metadata) -> Result<(), FileError> {
    if metadata.is_dir() {
        return Err(FileError::Directory);
    }
    if !metadata.is_file() {
        return Err(FileError::Irregular);
    }
    Ok(())
}

#[cfg(unix)]
fn open_without_blocking(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

#[cfg(not(unix))]
fn open_without_blocking(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).open(path)
}

#[cfg(unix)]
fn user_of_process() -> String {
    format!(
        ", which runs as uid {}",
        rustix::process::geteuid().as_raw()
    )
}

#[cfg(not(unix))]
fn user_of_process() -> String {
    String::new()
}

#[cfg(test)]
mod tests;
