//! A directory that says whether its owner is alive, and the end of those whose owner is not: a killed demo cannot
//! clean up after itself.
//!
//! The sign is a lock on a file in it, which the system takes back from a dead process; a process id may by then be
//! somebody else's.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use uuid::Uuid;

/// What their names begin with; a UUID follows.
const PREFIX: &str = "cupbearer-demo-";

/// The file that is locked.
const LOCK: &str = "lock";

/// The name of a directory that nobody has yet.
pub(super) fn new_name() -> String {
    format!("{PREFIX}{}", Uuid::new_v4())
}

/// Holds a directory for as long as it lives.
#[derive(Debug)]
pub(super) struct Claim(#[allow(dead_code, reason = "it is held, and nothing else")] File);

impl Claim {
    /// On `directory`, which is ours and new.
    ///
    /// # Errors
    /// It cannot be written to, or its file system knows no locks.
    pub(super) fn on(directory: &Path) -> io::Result<Self> {
        let unlocked = directory.join(format!("{LOCK}.new"));
        let file = File::create_new(&unlocked)?;
        file.lock()?;
        // Under its name it is locked from the first moment on.
        fs::rename(unlocked, directory.join(LOCK))?;
        Ok(Self(file))
    }
}

/// Removes the directories in `parent` that demos of this user have left behind. What cannot be looked at stays.
pub(super) fn remove_abandoned(parent: &Path) {
    remove_abandoned_of(own_user(), parent);
}

fn remove_abandoned_of(user: u32, parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_named = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX))
            .is_some_and(|id| Uuid::try_parse(id).is_ok());
        if is_named && let Some(_claim) = abandoned(user, &entry.path()) {
            // Whatever is left of it is there for the next one.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// The claim of an owner who is gone. Without a lock it is just being made, or is none of ours.
fn abandoned(user: u32, directory: &Path) -> Option<Claim> {
    let metadata = fs::symlink_metadata(directory).ok()?;
    if !metadata.is_dir() || owner(&metadata) != user {
        return None;
    }
    let file = File::open(directory.join(LOCK)).ok()?;
    file.try_lock().ok()?;
    Some(Claim(file))
}

#[cfg(unix)]
fn own_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(unix)]
fn owner(metadata: &fs::Metadata) -> u32 {
    std::os::unix::fs::MetadataExt::uid(metadata)
}

/// Elsewhere each user has a directory for temporary files.
#[cfg(not(unix))]
fn own_user() -> u32 {
    0
}

#[cfg(not(unix))]
fn owner(_metadata: &fs::Metadata) -> u32 {
    0
}

#[cfg(test)]
mod tests;
