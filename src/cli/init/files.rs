//! Where files go: which paths are the same file, which cannot be written, and what happens to an existing one.

use std::fs::{self, DirBuilder};
use std::io;
use std::path::{Component, Path, PathBuf};

use tempfile::TempPath;

use super::answers::SecretLocation;
use super::parse::absolute;
use crate::cli::staged_file::{StagedFile, directory_of, exists};
use crate::config::InvalidValue;

/// How many symbolic links are followed, as on Linux.
const MOST_LINKS: usize = 40;

/// What happens to an existing file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Existing {
    /// It is kept, and writing fails.
    Keep,
    /// It is replaced, since the user allowed it or this run wrote it.
    Replace,
}

/// The file for a typed secret: `config.client_secret` beside `config.toml`. Its path is absolute, since the proxy may
/// be started in another directory.
pub(super) fn secret_path(configuration: &Path) -> PathBuf {
    absolute(&configuration.with_extension("client_secret"))
}

/// Why the configuration cannot be written to `path` if its secret is there.
pub(super) fn check_destination(path: &Path, secret: &SecretLocation) -> Result<(), InvalidValue> {
    let shown = path.display();
    let problem = if path.file_name().is_none() || ends_in_separator(path) {
        format!("{shown} is not the name of a file")
    } else if path.is_dir() {
        format!("{shown} is a directory")
    } else if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        // Moved there, the configuration would take the place of a device such as /dev/null.
        format!("{shown} is not a regular file")
    } else if path.to_str().is_none() {
        format!("{shown} is not UTF-8")
    } else {
        return match secret {
            SecretLocation::File(file) => check_separate(path, file, "contains the secret"),
            SecretLocation::NewFile(_) => {
                let file = secret_path(path);
                if fs::symlink_metadata(&file).is_ok_and(|metadata| metadata.is_dir()) {
                    let problem = format!(
                        "the secret would be stored in {}, which is a directory",
                        file.display()
                    );
                    return Err((problem, "write another name").into());
                }
                check_separate(path, &file, "is where the secret would be stored")
            }
            SecretLocation::Command(_) | SecretLocation::Keyring(..) => Ok(()),
        };
    };
    Err((problem, "write the name of a file, such as cupbearer.toml").into())
}

fn check_separate(path: &Path, secret: &Path, what: &str) -> Result<(), InvalidValue> {
    if !is_same(path, secret) {
        return Ok(());
    }
    let problem = format!(
        "{} {what}, so the configuration cannot be written there",
        path.display()
    );
    Err((problem, "write another name").into())
}

fn ends_in_separator(path: &Path) -> bool {
    let bytes = path.as_os_str().as_encoded_bytes();
    bytes
        .last()
        .is_some_and(|byte| std::path::is_separator(char::from(*byte)))
}

/// Whether two paths lead to the same file, or would if it existed.
pub(super) fn is_same(one: &Path, other: &Path) -> bool {
    let (one, other) = (resolve(one), resolve(other));
    // The file systems of these ignore case by default.
    let ignores_case = cfg!(any(target_os = "macos", windows));
    one == other
        || ignores_case && one.as_os_str().eq_ignore_ascii_case(other.as_os_str())
        || is_same_inode(&one, &other)
}

#[cfg(unix)]
fn is_same_inode(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    match (fs::metadata(one), fs::metadata(other)) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_same_inode(_: &Path, _: &Path) -> bool {
    false
}

/// The path without symbolic links and `..`, as far as it exists.
fn resolve(path: &Path) -> PathBuf {
    let mut path = absolute(path);
    for _ in 0..MOST_LINKS {
        if let Ok(real) = fs::canonicalize(&path) {
            return real;
        }
        // A link to a file that is missing, but may be written soon.
        match fs::read_link(&path) {
            Ok(target) => path = directory_of(&path).join(target),
            Err(_) => break,
        }
    }
    let last = path.components().next_back();
    match (path.parent(), last) {
        (Some(parent), Some(Component::ParentDir)) => {
            let mut parent = resolve(parent);
            parent.pop();
            parent
        }
        (Some(parent), Some(Component::Normal(name))) => resolve(parent).join(name),
        _ => path,
    }
}

/// Creates missing directories, accessible to their owner only.
pub(super) fn make_parent(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let created = builder.create(directory_of(path));
    created.map_err(|error| match error.kind() {
        // Something else has the name of a directory.
        io::ErrorKind::AlreadyExists => io::ErrorKind::NotADirectory.into(),
        _ => error,
    })
}

/// Where the configuration really goes. A symbolic link to it is followed, since people keep those in repositories. One
/// in place of a secret is not.
pub(super) fn target(path: &Path, existing: Existing) -> PathBuf {
    match existing {
        Existing::Replace => fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()),
        Existing::Keep => path.to_owned(),
    }
}

/// Moves a complete file to its place.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] if an existing file is to be kept.
pub(super) fn place(staged: StagedFile, path: &Path, existing: Existing) -> io::Result<()> {
    match existing {
        Existing::Keep => staged.place_new(path),
        Existing::Replace => staged.replace(path),
    }
}

/// What was at a path before it was written.
pub(super) struct PreviousFile {
    path: PathBuf,
    existed: bool,
    /// A second name for it, removed when this is dropped.
    kept: Option<TempPath>,
}

impl PreviousFile {
    pub(super) fn of(path: &Path) -> Self {
        let mut name = tempfile::Builder::new();
        name.prefix(".cupbearer-");
        let kept = name.make_in(directory_of(path), |second| fs::hard_link(path, second));
        Self {
            path: path.to_owned(),
            existed: exists(path),
            kept: kept.ok().map(tempfile::NamedTempFile::into_temp_path),
        }
    }

    /// Puts it back, or removes what was written if there was nothing.
    pub(super) fn restore(self) {
        let _best_effort = match self.kept {
            Some(kept) => kept.persist(&self.path).map_err(|error| error.error),
            // The file system does not support hard links.
            None if self.existed => Ok(()),
            None => fs::remove_file(&self.path),
        };
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

/// Whether the path is taken by a file that must be kept.
pub(super) fn is_kept(path: &Path, existing: Existing) -> bool {
    existing == Existing::Keep && exists(path)
}
