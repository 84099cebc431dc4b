//! Where files go: which paths are the same file, which cannot be written, and what happens to an existing one.

use std::fs::{self, DirBuilder};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use super::answers::NewConfig;
use super::flag_values::absolute;
use super::identity::SecretLocation;
use crate::cli::staged_file::{StagedFile, directory_of, exists};
use crate::config::{InvalidValue, is_same_file, resolve_links};

/// What happens to an existing file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Existing {
    /// It is kept, and writing fails.
    Keep,
    /// It is replaced, since the user allowed it or this run wrote it.
    Replace,
}

/// The file for a typed secret: `config.client_secret` beside `config.toml`, and `config.x.client_secret` beside
/// `config.x`, so that `config.y` has another one. Its path is absolute, since the proxy may be started in another
/// directory.
pub(super) fn secret_path(configuration: &Path) -> PathBuf {
    path_beside(configuration, "client_secret")
}

/// The file for the callers' key, likewise.
pub(super) fn caller_key_path(configuration: &Path) -> PathBuf {
    path_beside(configuration, "caller_key")
}

fn path_beside(configuration: &Path, new_extension: &str) -> PathBuf {
    let extension = configuration.extension();
    // The second one is refused as a destination, because it is the name of a secret.
    let is_replaced = extension.is_none_or(|known| known == "toml" || known == new_extension);
    if is_replaced {
        return absolute(&configuration.with_extension(new_extension));
    }
    let mut name = configuration.as_os_str().to_owned();
    name.push(".");
    name.push(new_extension);
    absolute(Path::new(&name))
}

/// The files for secrets that are written together with the configuration.
pub(super) fn new_secret_files(configuration: &Path, config: &NewConfig) -> Vec<PathBuf> {
    let has_secret = matches!(config.identity.secret(), Some(SecretLocation::NewFile(_)));
    let secret = has_secret.then(|| secret_path(configuration));
    let key = config.caller_key.then(|| caller_key_path(configuration));
    secret.into_iter().chain(key).collect()
}

/// Why the configuration cannot be written to `path` if a secret or a token that it names is there.
pub(super) fn check_destination(path: &Path, config: &NewConfig) -> Result<(), InvalidValue> {
    check_name(path)?;
    for file in config.identity.files() {
        check_separate(path, file, "contains the secret")?;
    }
    if let Some(socket) = config.listen.as_deref().and_then(socket_of) {
        check_socket(socket, path, config)?;
    }
    if let Some(words) = config.identity.command()
        && let Some(file) = file_in_command(words, path)
    {
        check_separate(path, &file, "is named by the command")?;
    }
    for file in new_secret_files(path, config) {
        if fs::symlink_metadata(&file).is_ok_and(|metadata| metadata.is_dir()) {
            let problem = format!(
                "a secret would be stored in {}, which is a directory",
                file.display()
            );
            return Err((problem, "write another name").into());
        }
        check_separate(path, &file, "is where a secret would be stored")?;
        if fs::metadata(&file).is_ok_and(|metadata| !metadata.is_file()) {
            let problem = format!(
                "a secret would be stored in {}, which is not a regular file",
                file.display()
            );
            return Err((problem, "write another name").into());
        }
        if let Some(words) = config.identity.command()
            && let Some(named) = file_in_command(words, &file)
        {
            let problem = format!(
                "a secret would be stored in {}, which is named by the command ({})",
                file.display(),
                named.display()
            );
            return Err((problem, "write another name").into());
        }
        if let Some(named) = config
            .identity
            .files()
            .into_iter()
            .find(|named| is_same_file(&file, named))
        {
            let problem = format!(
                "a secret would be stored in {}, which is the file with another one ({})",
                file.display(),
                named.display()
            );
            return Err((problem, "write another name").into());
        }
    }
    Ok(())
}

fn socket_of(listen: &str) -> Option<&Path> {
    listen.strip_prefix("unix:").map(Path::new)
}

/// The proxy could not listen on a socket that is, or is below, a file that it reads.
fn check_socket(socket: &Path, path: &Path, config: &NewConfig) -> Result<(), InvalidValue> {
    let new = new_secret_files(path, config);
    let named = config.identity.files();
    let files = new.iter().map(PathBuf::as_path).chain(named).chain([path]);
    for file in files {
        if socket.ancestors().any(|part| is_same_file(part, file)) {
            let problem = format!(
                "the socket {} cannot be there, since {} is a file of the configuration",
                socket.display(),
                file.display()
            );
            return Err((problem, "write another name, or another path for --listen").into());
        }
    }
    Ok(())
}

/// Why no configuration can be written to `path`, wherever its secret is.
pub(super) fn check_name(path: &Path) -> Result<(), InvalidValue> {
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
        return Ok(());
    };
    Err((problem, "write the name of a file, such as cupbearer.toml").into())
}

/// What a command says of the file at `path`: one of its words, or of a script for a shell in it, is a path to it, or
/// its name occurs anywhere. Scripts can be read in many ways, and the secret could be overwritten otherwise.
fn file_in_command(words: &[String], path: &Path) -> Option<PathBuf> {
    if !exists(path) {
        return None; // the command has already printed the secret without it
    }
    let name = path.file_name()?.to_string_lossy();
    if words.iter().any(|word| names(word, &name)) {
        return Some(path.to_owned());
    }
    let parts = words.iter().flat_map(|word| {
        let pieces = word.split(|letter| !belongs_to_path(letter));
        std::iter::once(word.as_str()).chain(pieces)
    });
    let mut files = parts.map(Path::new).filter(|part| part.is_file());
    files
        .find(|file| is_same_file(file, path))
        .map(Path::to_owned)
}

/// Whether the text contains this name of a file, and not only as a part of a longer one.
fn names(text: &str, name: &str) -> bool {
    let belongs_to_name = |letter: char| belongs_to_path(letter) && letter != '/';
    text.match_indices(name).any(|(start, _)| {
        let before = text[..start].chars().next_back();
        let after = text[start + name.len()..].chars().next();
        !before.is_some_and(belongs_to_name) && !after.is_some_and(belongs_to_name)
    })
}

fn belongs_to_path(letter: char) -> bool {
    letter.is_alphanumeric() || "._-/~+@%,:\\".contains(letter)
}

fn check_separate(path: &Path, secret: &Path, what: &str) -> Result<(), InvalidValue> {
    if !is_same_file(path, secret) {
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

/// Where the configuration really goes. A symbolic link to it is followed, even if nothing is there yet, since people
/// keep configurations in repositories. One in place of a secret is not.
///
/// # Errors
/// The link leads nowhere, because it leads back to itself.
pub(super) fn target(path: &Path, existing: Existing) -> io::Result<PathBuf> {
    match existing {
        Existing::Replace => {
            let target = resolve_links(path);
            let is_link = fs::symlink_metadata(&target).is_ok_and(|found| found.is_symlink());
            if is_link {
                return fs::canonicalize(path);
            }
            Ok(target)
        }
        Existing::Keep => Ok(path.to_owned()),
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
    /// Another name for it, removed when this is dropped. `None` if there was nothing, or if it is kept.
    kept: Option<TempPath>,
}

impl PreviousFile {
    /// Keeps what is at `path` under another name if it is to be replaced.
    ///
    /// # Errors
    /// It cannot be kept, so it must not be replaced.
    pub(super) fn of(path: &Path, existing: Existing) -> io::Result<Self> {
        let mut previous = Self {
            path: path.to_owned(),
            kept: None,
        };
        if existing == Existing::Replace && exists(path) {
            let linked = Self::keep(path, |second| fs::hard_link(path, second));
            // Some file systems have no hard links, and Linux allows none to a file that this user cannot write.
            previous.kept = Some(linked.or_else(|_| Self::moved_aside(path))?);
        }
        Ok(previous)
    }

    /// As on a file system where no file can have a second name.
    #[cfg(test)]
    pub(super) fn of_unlinkable(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            kept: Some(Self::moved_aside(path)?),
        })
    }

    fn moved_aside(path: &Path) -> io::Result<TempPath> {
        Self::keep(path, |second| fs::rename(path, second))
    }

    fn keep(path: &Path, name_it: impl FnMut(&Path) -> io::Result<()>) -> io::Result<TempPath> {
        let mut name = tempfile::Builder::new();
        name.prefix(".cupbearer-");
        let kept = name.make_in(directory_of(path), name_it)?;
        Ok(kept.into_temp_path())
    }

    /// Puts it back, or removes what was written if there was nothing.
    pub(super) fn restore(self) {
        let _best_effort = match self.kept {
            Some(kept) => kept.persist(&self.path).map_err(|error| error.error),
            None => fs::remove_file(&self.path),
        };
    }

    /// Puts it back if nothing was written in its place.
    pub(super) fn restore_if_moved(self) {
        if !exists(&self.path) && self.kept.is_some() {
            self.restore();
        }
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
