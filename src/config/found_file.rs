//! Whether a configuration file that nobody named, but that was found in the working directory, can be trusted. It may
//! name any file, variable or keyring entry as a secret, and the server that receives it, so it must be the user's own.

use std::fs::Metadata;
use std::path::Path;

use super::problems::InvalidValue;

/// The directory of the packages and images. Only root can put a file there, whoever owns that file.
#[cfg(unix)]
const OF_THE_SYSTEM: &str = "/etc/cupbearer";

/// Root, who can change every file.
#[cfg(unix)]
const ROOT: u32 = 0;

/// Why the file must not be used, and what to do. `metadata` is that of the file that was read.
#[cfg(unix)]
pub(super) fn check(path: &Path, metadata: &Metadata) -> Result<(), InvalidValue> {
    use std::os::unix::fs::MetadataExt as _;
    if directory_of(path).is_some_and(|directory| directory == Path::new(OF_THE_SYSTEM)) {
        return Ok(());
    }
    let own = (
        rustix::process::geteuid().as_raw(),
        rustix::process::getegid().as_raw(),
    );
    let link = std::fs::symlink_metadata(path).ok();
    let owners = [Some(metadata.uid()), link.map(|link| link.uid())];
    let reason = other_writers(
        owners.into_iter().flatten(),
        metadata.gid(),
        metadata.mode(),
        own,
    );
    reason.map_or(Ok(()), |reason| Err(problem(path, &reason)))
}

/// Other systems have no owners and modes of this kind.
#[cfg(not(unix))]
pub(super) fn check(_: &Path, _: &Metadata) -> Result<(), InvalidValue> {
    Ok(())
}

#[cfg(unix)]
fn directory_of(path: &Path) -> Option<std::path::PathBuf> {
    std::path::absolute(path)
        .ok()?
        .parent()?
        .canonicalize()
        .ok()
}

/// Who else than this user and root can write a file of these owners (its own and that of a link to it), in words.
#[cfg(unix)]
fn other_writers(
    owners: impl IntoIterator<Item = u32>,
    group: u32,
    mode: u32,
    (own_user, own_group): (u32, u32),
) -> Option<String> {
    const GROUP_WRITES: u32 = 0o020;
    const OTHERS_WRITE: u32 = 0o002;
    let mut owners = owners.into_iter();
    if let Some(owner) = owners.find(|owner| ![own_user, ROOT].contains(owner)) {
        return Some(format!("belongs to user id {owner}"));
    }
    if mode & OTHERS_WRITE != 0 {
        return Some("can be changed by every user of this machine".to_owned());
    }
    // Many systems give each user a group of the user's own, and let it write.
    let is_foreign = ![own_group, ROOT].contains(&group);
    (mode & GROUP_WRITES != 0 && is_foreign).then(|| format!("can be changed by the group {group}"))
}

#[cfg(unix)]
fn problem(path: &Path, reason: &str) -> InvalidValue {
    (
        format!(
            "was only found in the working directory and {reason}, who could name any of this user's secrets in it"
        ),
        format!("if you trust it, name it: --config {}", path.display()),
    )
        .into()
}

#[cfg(all(test, unix))]
mod tests;
