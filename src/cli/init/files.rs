//! Writes files: completely or not at all, and over an existing file only if that is allowed.

use std::fs::{self, DirBuilder};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::parse::absolute;

/// What happens to an existing file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Existing {
    /// It is kept, and writing fails.
    Keep,
    /// It is replaced, since the user allowed it or this run wrote it.
    Replace,
}

/// The permissions of a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileMode {
    /// Mode 0600.
    Owner,
    /// The default of the system.
    Default,
}

/// The file for a typed secret: `config.client_secret` beside `config.toml`. Its path is absolute, since the proxy may be
/// started in another directory.
pub(super) fn secret_path(configuration: &Path) -> PathBuf {
    absolute(&configuration.with_extension("client_secret"))
}

/// Creates missing directories, accessible to their owner only.
pub(super) fn make_parent(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(parent(path))
}

/// Writes a new file and moves it to `path`, so that a reader sees either the old content or the new one, and the mode
/// is that of the new file.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] if an existing file is to be kept; a symbolic link counts, even a dangling one.
pub(super) fn write(
    path: &Path,
    bytes: &[u8],
    mode: FileMode,
    existing: Existing,
) -> io::Result<()> {
    let target = match (existing, mode) {
        // A symbolic link to a configuration is followed, since people keep those in repositories. One to a secret is not.
        (Existing::Replace, FileMode::Default) => {
            fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
        }
        (Existing::Replace, FileMode::Owner) | (Existing::Keep, _) => path.to_owned(),
    };
    let mut new = tempfile::Builder::new();
    new.prefix(".cupbearer-");
    #[cfg(unix)]
    if mode == FileMode::Default {
        // The process's umask is applied to this.
        new.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    }
    let mut file = new.tempfile_in(parent(&target))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    let placed = match existing {
        Existing::Keep => file.persist_noclobber(&target),
        Existing::Replace => file.persist(&target),
    };
    placed.map(drop).map_err(|error| error.error)
}

/// Whether the name is taken, even by a dangling symbolic link.
pub(super) fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    }
}

/// Why the file was not written, and the remedy.
pub(super) fn not_written(path: &Path, error: &io::Error) -> String {
    let shown = path.display();
    match error.kind() {
        io::ErrorKind::AlreadyExists => format!(
            "{shown} exists and is not overwritten: choose another file with --out FILE, or use --force"
        ),
        _ => format!("{shown} cannot be written: {error}; choose another file with --out FILE"),
    }
}

/// Whether two paths lead to the same file.
pub(super) fn is_same(one: &Path, other: &Path) -> bool {
    match (fs::canonicalize(one), fs::canonicalize(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}
