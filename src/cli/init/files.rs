//! Puts what was written where it belongs: whole or not at all, and over nothing unasked.

use std::fs::{self, DirBuilder};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::answers::absolute;

/// What happens to a file that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Existing {
    /// It stays, and that is an error.
    Keep,
    /// It was asked about, or is our own.
    Replace,
}

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readers {
    /// Mode 0600.
    Owner,
    /// What the system gives a new file.
    Usual,
}

/// Where a typed secret goes: `config.client_secret` beside `config.toml`, absolute, since the proxy
/// may be started elsewhere.
pub(super) fn secret_path(configuration: &Path) -> PathBuf {
    absolute(&configuration.with_extension("client_secret"))
}

/// Makes the directories that are missing, for their owner only.
pub(super) fn make_parent(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(parent(path))
}

/// Writes a whole file, by a new one that takes its place: whoever reads meanwhile sees all of the old one or
/// all of the new one, and the mode is the new one's.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] where it is to be kept, for a symbolic link too, also a dangling one.
pub(super) fn write(
    path: &Path,
    bytes: &[u8],
    readers: Readers,
    existing: Existing,
) -> io::Result<()> {
    let target = match (existing, readers) {
        // A link to a configuration (from a repository of such) stays one; one to a secret does not.
        (Existing::Replace, Readers::Usual) => {
            fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
        }
        (Existing::Replace, Readers::Owner) | (Existing::Keep, _) => path.to_owned(),
    };
    let mut new = tempfile::Builder::new();
    new.prefix(".cupbearer-");
    #[cfg(unix)]
    if readers == Readers::Usual {
        // Less what the process's mask takes away.
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

/// Whether there is anything of this name, be it a link that leads nowhere.
pub(super) fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    }
}

/// What was in the way, and what to do.
pub(super) fn refusal(path: &Path, error: &io::Error) -> String {
    let shown = path.display();
    match error.kind() {
        io::ErrorKind::AlreadyExists => format!(
            "{shown} exists and is not overwritten: choose another with --out FILE, or say --force"
        ),
        _ => format!("{shown} cannot be written: {error}; choose another place with --out FILE"),
    }
}

/// Whether two names lead to the same file.
pub(super) fn is_same(one: &Path, other: &Path) -> bool {
    match (fs::canonicalize(one), fs::canonicalize(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}
