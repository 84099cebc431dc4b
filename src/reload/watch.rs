//! Files that may change: by a rename, in place, or by the swap of a Kubernetes volume's `..data` link. They are
//! read, not asked for their times: that sees every way alike, on every system.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use crate::credentials::read_regular;

/// Between two looks. With `SETTLE`, half of the 3 s within which a change must be noticed.
const LOOK: Duration = Duration::from_secs(1);

/// How far apart two equal reads are: an editor's half-written file may be a valid one.
const SETTLE: Duration = Duration::from_millis(500);

/// How many reads the files that a configuration names have to settle. One that is rewritten for ever must not hold
/// back what the configuration itself says.
const PATIENCE: u32 = 6;

/// What was refused is looked at again after so many looks, since what it names may be there by now.
const AGAIN: u32 = 10;

/// As much as any of the files may have, in bytes: a bundle of certificate authorities.
const LONGEST: u64 = 16 << 20;

/// Why a configuration is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occasion {
    /// For the first time after the start: a file may have changed while that was under way.
    First,
    /// Somebody asked.
    Asked,
    /// A file has changed.
    Changed,
    /// What it was refused for may be over.
    Again,
}

/// Files, and what was in them when they were last looked at.
pub(super) struct Watch {
    files: Vec<PathBuf>,
    known: Option<Vec<Read>>,
    asked: watch::Receiver<u64>,
    is_asked: bool,
    looks: u32,
}

/// A digest, or why there is none.
type Read = Result<u64, String>;

impl Watch {
    pub(super) fn new(asked: watch::Receiver<u64>) -> Self {
        Self {
            files: Vec::new(),
            known: None,
            asked,
            is_asked: false,
            looks: 0,
        }
    }

    /// These files from here on; the first is the configuration itself, where there is one.
    pub(super) fn follow(&mut self, files: Vec<PathBuf>) {
        if self.files != files && !self.files.is_empty() {
            self.known = None;
        }
        self.files = files;
    }

    /// Waits until there is something to look at, and its files have settled. Can be dropped at any point and
    /// called anew.
    pub(super) async fn next(&mut self, is_refused: bool) -> Occasion {
        loop {
            if !self.is_asked {
                tokio::select! {
                    () = sleep(LOOK) => {}
                    Ok(()) = self.asked.changed() => self.is_asked = true,
                }
            }
            self.looks = self.looks.wrapping_add(1);
            let reads = self.read().await;
            let occasion = match &self.known {
                _ if self.is_asked => Occasion::Asked,
                None => Occasion::First,
                Some(known) if *known != reads => Occasion::Changed,
                Some(_) if is_refused && self.looks.is_multiple_of(AGAIN) => Occasion::Again,
                Some(_) => continue,
            };
            self.known = Some(self.settled(reads).await);
            self.is_asked = false;
            return occasion;
        }
    }

    /// Whether the configuration itself is as it has settled: then what was read of it in between is that. Of the
    /// other files, a change since then is seen at the next look.
    pub(super) async fn is_still(&self) -> bool {
        let now = self.read().await;
        self.known
            .as_ref()
            .is_some_and(|known| known.first() == now.first())
    }

    /// Waits until the files have settled once more.
    pub(super) async fn settle(&mut self) {
        let reads = self.read().await;
        self.known = Some(self.settled(reads).await);
    }

    async fn settled(&self, mut before: Vec<Read>) -> Vec<Read> {
        let mut reads: u32 = 0;
        loop {
            sleep(SETTLE).await;
            let now = self.read().await;
            reads = reads.saturating_add(1);
            let is_settled = now == before;
            if is_settled || (reads >= PATIENCE && now.first() == before.first()) {
                return now;
            }
            before = now;
        }
    }

    /// On another thread: a file system that does not answer must not hold up requests.
    async fn read(&self) -> Vec<Read> {
        let files = self.files.clone();
        let read =
            tokio::task::spawn_blocking(move || files.iter().map(|file| read(file)).collect());
        read.await.unwrap_or_default()
    }
}

fn read(file: &Path) -> Read {
    let bytes = read_regular(file, LONGEST).map_err(|error| error.to_string())?;
    let mut digest = DefaultHasher::new();
    bytes.hash(&mut digest);
    Ok(digest.finish())
}

#[cfg(test)]
mod tests;
