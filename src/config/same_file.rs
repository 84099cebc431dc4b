//! Which paths lead to the same file, however they are written.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// How many symbolic links are followed, as on Linux.
const MOST_LINKS: usize = 40;

/// Whether two paths lead to the same file, or would if it existed.
#[must_use]
pub fn is_same_file(one: &Path, other: &Path) -> bool {
    let (one, other) = (resolve_links(one), resolve_links(other));
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
#[must_use]
pub fn resolve_links(path: &Path) -> PathBuf {
    let mut path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for _ in 0..MOST_LINKS {
        if let Ok(real) = fs::canonicalize(&path) {
            return real;
        }
        // A link to a file that is missing, but may be written soon.
        match fs::read_link(&path) {
            Ok(target) => path = path.parent().unwrap_or(&path).join(target),
            Err(_) => break,
        }
    }
    let last = path.components().next_back();
    match (path.parent(), last) {
        (Some(parent), Some(Component::ParentDir)) => {
            let mut parent = resolve_links(parent);
            parent.pop();
            parent
        }
        (Some(parent), Some(Component::Normal(name))) => resolve_links(parent).join(name),
        _ => path,
    }
}

#[cfg(test)]
mod tests;
