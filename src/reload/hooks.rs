//! What a reload needs from the code that runs the process.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::config::{Config, ConfigProblems, Loaded};

/// Checks what a configuration names, such as secrets and certificates.
pub type Examine = Arc<
    dyn Fn(Loaded) -> Pin<Box<dyn Future<Output = Result<Loaded, ConfigProblems>> + Send>>
        + Send
        + Sync,
>;

/// Callbacks of a reload.
#[derive(Clone)]
pub struct ReloadHooks {
    /// Called before a configuration is used.
    pub examine: Examine,
    /// Called first when a configuration that was rejected is tried again: it runs no program and asks no keyring, and
    /// finds everything else.
    pub examine_again: Examine,
    /// Applies `log.*` and `drain*` to the whole process.
    pub process: Arc<dyn Fn(&Config) + Send + Sync>,
    /// Called when a reload begins and when it ends, whatever the result.
    pub progress: Arc<dyn Fn(ReloadProgress) + Send + Sync>,
}

/// Whether a reload is in progress; for a service manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReloadProgress {
    /// A reload has begun.
    Reloading,
    /// It has ended: a valid configuration is in use, or waits for the first token of its identity.
    Ready,
}

/// Merges reloads that overlap: reports the beginning of the first and the end of the last.
pub(super) fn merge_overlapping(
    progress: &Arc<dyn Fn(ReloadProgress) + Send + Sync>,
    in_progress: &Arc<AtomicUsize>,
) -> Arc<dyn Fn(ReloadProgress) + Send + Sync> {
    let (progress, in_progress) = (Arc::clone(progress), Arc::clone(in_progress));
    Arc::new(move |now| {
        let is_edge = match now {
            ReloadProgress::Reloading => in_progress.fetch_add(1, Ordering::SeqCst) == 0,
            ReloadProgress::Ready => in_progress.fetch_sub(1, Ordering::SeqCst) == 1,
        };
        if is_edge {
            progress(now);
        }
    })
}

#[cfg(test)]
mod tests;
