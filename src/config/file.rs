//! Which file is read, and reading it without ever waiting: a directory, a FIFO or an endless file
//! is an error, not a hang.

use std::ffi::OsString;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hyper_util::client::proxy::matcher::Matcher;
use zeroize::Zeroizing;

/// Where the configuration is looked for, besides `--config`: an argument, so that tests are pure.
///
/// No `Debug`: a variable may hold a secret.
#[derive(Clone, Default)]
pub struct Surroundings {
    /// The environment variables.
    pub variables: Vec<(OsString, OsString)>,
    /// `cupbearer.toml` is looked for here; empty is the process's own working directory.
    pub working_directory: PathBuf,
    /// `cupbearer/config.toml` is looked for here, if there is such a place.
    pub user_configuration: Option<PathBuf>,
    /// The proxies of the operating system's own settings, where it has such (macOS, Windows).
    pub system_proxies: Option<Arc<Matcher>>,
}

impl Surroundings {
    /// What this process was started with.
    #[must_use]
    pub fn of_this_process() -> Self {
        use etcetera::BaseStrategy as _;
        Self {
            variables: std::env::vars_os().collect(),
            working_directory: PathBuf::new(),
            user_configuration: etcetera::choose_base_strategy()
                .ok()
                .map(|places| places.config_dir()),
            system_proxies: cfg!(any(target_os = "macos", windows))
                .then(|| Arc::new(Matcher::from_system())),
        }
    }

    /// A variable that is not ours and names a place; empty is as good as unset.
    pub(crate) fn variable(&self, name: &str) -> Option<PathBuf> {
        let mut found = self.variables.iter().filter(|(known, _)| known == name);
        let (_, value) = found.next()?;
        (!value.is_empty()).then(|| PathBuf::from(value))
    }

    /// The places where a file may or may not be, the first one that is there counts.
    pub(crate) fn optional_files(&self) -> impl Iterator<Item = PathBuf> {
        let user = self.user_configuration.as_ref();
        [
            Some(self.working_directory.join("cupbearer.toml")),
            user.map(|directory| directory.join("cupbearer").join("config.toml")),
        ]
        .into_iter()
        .flatten()
    }
}

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Nothing has that name.
    #[error("does not exist")]
    Missing,
    /// It is there, and not for us.
    #[error("permission denied")]
    Denied,
    /// It is a directory.
    #[error("is a directory")]
    Directory,
    /// A FIFO, a socket or a device: reading could wait for ever.
    #[error("is not a regular file")]
    Irregular,
    /// It is longer than any such file has reason to be.
    #[error("is longer than {limit} bytes")]
    TooLong {
        /// In bytes.
        limit: u64,
    },
    /// The system says something else.
    #[error("cannot be read")]
    Other(#[source] io::Error),
}

impl FileError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Missing => "check the name; relative names start at the working directory".into(),
            Self::Denied => format!("make it readable for this process{}", whose()),
            Self::Directory => "name a file in it".into(),
            Self::Irregular => "name a regular file, not a FIFO, socket or device".into(),
            Self::TooLong { .. } => "name the right file".into(),
            Self::Other(error) => format!("the system says: {error}"),
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

/// A warning, if every user of the machine may read this file.
///
/// Not for a Kubernetes volume, which is a link through `..data`: its files are 0644 unless somebody says
/// otherwise, and nobody else lives in the container.
#[cfg(unix)]
pub(super) fn readable_by_all(path: &Path) -> Option<String> {
    use std::os::unix::fs::PermissionsExt as _;
    const OTHERS_READ: u32 = 0o004;
    let mode = std::fs::metadata(path).ok()?.permissions().mode();
    let by_data = |path: &Path| path.components().any(|part| part.as_os_str() == "..data");
    let projected = by_data(path) || std::fs::read_link(path).is_ok_and(|to| by_data(&to));
    let shown = path.display();
    (mode & OTHERS_READ != 0 && !projected)
        .then(|| format!("{shown} can be read by every user of this machine: chmod 600 {shown}"))
}

/// Only unix has such modes.
#[cfg(not(unix))]
pub(super) fn readable_by_all(_: &Path) -> Option<String> {
    None
}

/// Reads a regular file of at most `limit` bytes; symbolic links are followed. What was read is
/// wiped when dropped: it may be a secret.
///
/// # Errors
/// See [`FileError`]. Never waits for a writer: a FIFO is refused before and after it is opened.
pub fn read_regular(path: &Path, limit: u64) -> Result<Zeroizing<Vec<u8>>, FileError> {
    regular(&std::fs::metadata(path)?)?;
    let file = open_without_waiting(path)?;
    let length = regular(&file.metadata()?)?.len();
    // Room for all of it at once: a vector that grows leaves unwiped copies behind.
    let room = usize::try_from(length.min(limit)).unwrap_or(0) + 1024;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(FileError::TooLong { limit });
    }
    Ok(bytes)
}

fn regular(metadata: &Metadata) -> Result<&Metadata, FileError> {
    if metadata.is_dir() {
        return Err(FileError::Directory);
    }
    if !metadata.is_file() {
        return Err(FileError::Irregular);
    }
    Ok(metadata)
}

#[cfg(unix)]
fn open_without_waiting(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

#[cfg(not(unix))]
fn open_without_waiting(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).open(path)
}

#[cfg(unix)]
fn whose() -> String {
    format!(
        ", which runs as uid {}",
        rustix::process::geteuid().as_raw()
    )
}

#[cfg(not(unix))]
fn whose() -> String {
    String::new()
}

#[cfg(test)]
mod tests;
