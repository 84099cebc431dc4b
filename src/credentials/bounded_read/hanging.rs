//! Files whose file system does not respond, for tests.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::Duration;

static HANGING: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// A file that cannot be read until this is dropped.
pub(crate) struct HangingFile(PathBuf);

impl HangingFile {
    pub(crate) fn new(path: &Path) -> Self {
        hanging().insert(path.to_owned());
        Self(path.to_owned())
    }
}

impl Drop for HangingFile {
    fn drop(&mut self) {
        hanging().remove(&self.0);
    }
}

/// Calls `read` once the file system responds.
#[expect(
    clippy::disallowed_methods,
    reason = "it blocks its own thread, as the file system would"
)]
pub(super) fn after_response<T, F: FnOnce() -> T>(
    path: &Path,
    read: F,
) -> impl FnOnce() -> T + use<T, F> {
    let path = path.to_owned();
    move || {
        while hanging().contains(&path) {
            sleep(Duration::from_millis(10));
        }
        read()
    }
}

fn hanging() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    HANGING.lock().unwrap_or_else(PoisonError::into_inner)
}
