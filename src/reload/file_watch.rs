//! Watches files that may change: by a rename, in place, or by the swap of the `..data` link of a Kubernetes volume. It
//! reads them periodically instead of comparing times, which works in all these cases and on every system.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::credentials::{FILE_TIMEOUT, read_regular, read_within};

/// How often files are read. Together with `SETTLE_TIME`, this is half of the 3 s within which a change must be
/// noticed.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How far apart two equal reads must be, because a half-written file may be valid.
const SETTLE_TIME: Duration = Duration::from_millis(500);

/// How long a file that the configuration names may take to be read. One on a file system that does not respond counts
/// as unchanged, so that it does not delay a change of the configuration itself.
const NAMED_FILE_TIMEOUT: Duration = Duration::from_millis(500);

/// After how many reads to stop waiting for the files that a configuration names. A file that is rewritten all the time
/// must not delay a change of the configuration itself.
const MAX_SETTLE_READS: u32 = 6;

/// After how many intervals a rejected configuration is tried again, because what it names may exist by now.
const RETRY_INTERVALS: u32 = 10;

/// The most bytes that any of the files may have. The largest are bundles of certificate authorities.
pub(super) const MAX_FILE_BYTES: u64 = 16 << 20;

/// Why a configuration is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReloadTrigger {
    /// The process has just started, and a file may have changed meanwhile.
    Start,
    /// A reload was requested, by SIGHUP.
    Requested,
    /// A file has changed.
    Changed,
    /// It was rejected, and what it names may exist by now.
    Retry,
}

/// Watched files, and their contents when they were last stable.
pub(super) struct FileWatch {
    files: Vec<PathBuf>,
    known: Option<Vec<FileDigest>>,
    requests: watch::Receiver<u64>,
    is_requested: bool,
    intervals: u32,
}

/// The digest of a file's content, or why it cannot be read.
type FileDigest = Result<u64, String>;

impl FileWatch {
    pub(super) fn new(requests: watch::Receiver<u64>) -> Self {
        Self {
            files: Vec::new(),
            known: None,
            requests,
            is_requested: false,
            intervals: 0,
        }
    }

    /// Sets the files to watch. The first is the configuration itself, if it comes from a file.
    pub(super) fn follow(&mut self, files: Vec<PathBuf>) {
        if self.files != files && !self.files.is_empty() {
            self.known = None;
        }
        self.files = files;
    }

    /// Waits until there is a reason to load the configuration, and its files are stable. Cancel safe.
    pub(super) async fn next(&mut self, is_rejected: bool) -> ReloadTrigger {
        loop {
            if !self.is_requested {
                tokio::select! {
                    () = sleep(POLL_INTERVAL) => {}
                    Ok(()) = self.requests.changed() => self.is_requested = true,
                }
            }
            self.intervals = self.intervals.wrapping_add(1);
            let digests = self.read().await;
            let trigger = match &self.known {
                _ if self.is_requested => ReloadTrigger::Requested,
                None => ReloadTrigger::Start,
                Some(known) if *known != digests => ReloadTrigger::Changed,
                Some(_) if is_rejected && self.intervals.is_multiple_of(RETRY_INTERVALS) => {
                    ReloadTrigger::Retry
                }
                Some(_) => continue,
            };
            self.known = Some(self.settled(digests).await);
            self.is_requested = false;
            return trigger;
        }
    }

    /// Whether the configuration itself is still the same as when it was stable, so that what was loaded in between is
    /// valid. A change of the other files is noticed at the next poll.
    pub(super) async fn is_unchanged(&self) -> bool {
        let now = self.read().await;
        self.known
            .as_ref()
            .is_some_and(|known| known.first() == now.first())
    }

    /// Waits until the files are stable again.
    pub(super) async fn settle(&mut self) {
        let digests = self.read().await;
        self.known = Some(self.settled(digests).await);
    }

    async fn settled(&self, mut before: Vec<FileDigest>) -> Vec<FileDigest> {
        let mut reads: u32 = 0;
        loop {
            sleep(SETTLE_TIME).await;
            let now = self.read().await;
            reads = reads.saturating_add(1);
            let is_stable = now == before;
            if is_stable || (reads >= MAX_SETTLE_READS && now.first() == before.first()) {
                return now;
            }
            before = now;
        }
    }

    async fn read(&self) -> Vec<FileDigest> {
        let reads = self.files.iter().enumerate().map(|(index, file)| {
            let known = self.known.as_ref().and_then(|known| known.get(index));
            let (limit, known) = match index {
                0 => (FILE_TIMEOUT, None),
                _ => (NAMED_FILE_TIMEOUT, known.cloned()),
            };
            let owned = file.clone();
            async move {
                let read = read_within(limit, file, move || digest(&owned)).await;
                read.unwrap_or_else(|error| known.unwrap_or_else(|| Err(error.to_string())))
            }
        });
        join_all(reads).await
    }
}

fn digest(file: &Path) -> FileDigest {
    let bytes = read_regular(file, MAX_FILE_BYTES).map_err(|error| error.to_string())?;
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    Ok(hasher.finish())
}

#[cfg(test)]
mod tests;
