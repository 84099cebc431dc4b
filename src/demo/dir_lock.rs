//! Locks the temporary directory of a demo while the demo runs, and removes directories whose demo no longer runs: a
//! killed demo cannot clean up after itself.
//!
//! The lock is a file lock, because the operating system releases it when the process ends. A process id would not do:
//! another process may have it by then.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use uuid::Uuid;

/// The beginning of the directory names; a UUID follows.
const PREFIX: &str = "cupbearer-demo-";

/// The file in the directory that is locked.
const LOCK: &str = "lock";

/// A unique name for a directory.
pub(super) fn new_name() -> String {
    format!("{PREFIX}{}", Uuid::new_v4())
}

/// Holds the lock on a directory until it is dropped.
#[derive(Debug)]
pub(super) struct DirLock(
    #[expect(dead_code, reason = "an open file holds its lock; nothing reads it")] File,
);

impl DirLock {
    /// Locks `directory`, which this process has just created.
    ///
    /// # Errors
    /// The directory cannot be written to, or its file system does not support locks.
    pub(super) fn acquire(directory: &Path) -> io::Result<Self> {
        let unlocked = directory.join(format!("{LOCK}.new"));
        let file = File::create_new(&unlocked)?;
        file.lock()?;
        // Renamed only when locked, so that the file is never seen unlocked under its final name.
        fs::rename(unlocked, directory.join(LOCK))?;
        Ok(Self(file))
    }
}

/// Removes the directories in `parent` that demos of this user have left behind. Directories that cannot be read stay.
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
        if is_named && let Some(_lock) = lock_abandoned(user, &entry.path()) {
            // The next demo tries again to remove what is left.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Locks a directory whose demo has ended. A directory without a lock file has just been created, or belongs to
/// another program.
fn lock_abandoned(user: u32, directory: &Path) -> Option<DirLock> {
    let metadata = fs::symlink_metadata(directory).ok()?;
    if !metadata.is_dir() || owner(&metadata) != user {
        return None;
    }
    let file = File::open(directory.join(LOCK)).ok()?;
    file.try_lock().ok()?;
    Some(DirLock(file))
}

#[cfg(unix)]
fn own_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(unix)]
fn owner(metadata: &fs::Metadata) -> u32 {
    std::os::unix::fs::MetadataExt::uid(metadata)
}

/// On other systems each user has a directory for temporary files.
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
