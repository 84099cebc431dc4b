//! Reloads a changed configuration, on SIGHUP or when a file has changed: validates it, and replaces the live one.
//!
//! What happens on SIGHUP: `cli` receives the signal and calls [`Reloads::reload_now`] (if standard input was a
//! terminal at start, SIGHUP means that the terminal was closed, and the process stops instead; `demo`, which never
//! reloads, ignores it otherwise). It wakes one `reload_task` per proxy. The task waits until the files are stable
//! (`file_watch`), loads the configuration, decides what the changed keys require (`plan`), prepares a new generation,
//! and swaps it in (`instance`). Until everything that the new configuration needs is there, which for a new identity
//! includes its first token, only what it forbids may apply. A configuration that cannot be read is reported, and
//! admits no request that was not admitted before.

mod examination;
mod file_watch;
mod followed_files;
mod hooks;
mod pending_reload;
mod plan;
mod reload_target;
mod reload_task;
mod reports;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use tokio::sync::watch::Sender;
use tokio::task::JoinSet;

use crate::config::{Loaded, Overrides, Surroundings};
use crate::credentials::withhold_only_what_is_in_use;
use crate::instance::RunningProxy;

use hooks::merge_overlapping;
use reload_target::ReloadTarget;
use reload_task::ReloadTask;

pub use hooks::{Examine, ReloadHooks, ReloadProgress};

/// A running proxy, and the configuration that it was started with.
pub struct ReloadSource<'a> {
    /// The proxy.
    pub running: &'a RunningProxy,
    /// Its configuration as read at the start.
    pub loaded: &'a Loaded,
    /// The index of its configuration among those of the command line.
    pub index: usize,
}

/// The tasks that follow the configurations of a process. They end when this is dropped.
pub struct Reloads {
    requests: Sender<u64>,
    _tasks: JoinSet<()>,
}

impl Reloads {
    /// Follows the configuration of each of these proxies. Each is read as at the start: from the same file, overridden
    /// by the environment and by the flags in `all`.
    #[must_use]
    pub fn follow(
        sources: &[ReloadSource<'_>],
        all: &[Overrides],
        surroundings: &Surroundings,
        hooks: &ReloadHooks,
    ) -> Self {
        let requests = Sender::new(0);
        let mut tasks = JoinSet::new();
        let in_progress = Arc::new(AtomicUsize::new(0));
        let process_turn = Arc::default();
        let mut pinned = all.to_vec();
        for source in sources {
            // If the file is deleted, report that instead of using a file in the next default location.
            let pinned = &mut pinned[source.index];
            pinned.file.clone_from(&source.loaded.file);
            // That it is read again does not mean that someone named it.
            pinned.is_found_here = source.loaded.is_found_here;
        }
        // Nor is a file read that was not there at the start.
        let mut surroundings = surroundings.clone();
        surroundings.ignores_optional_files = true;
        surroundings.has_running_proxies = true;
        for source in sources {
            let target = ReloadTarget {
                name: source.running.name.clone(),
                all: pinned.clone(),
                index: source.index,
                surroundings: surroundings.clone(),
                live_config: Arc::clone(source.running.live_config()),
                metrics: Arc::clone(&source.running.metrics),
                hooks: ReloadHooks {
                    progress: merge_overlapping(&hooks.progress, &in_progress),
                    ..hooks.clone()
                },
                process_turn: Arc::clone(&process_turn),
            };
            let stopped_tasks = target.live_config.stopped_tasks().clone();
            let task = ReloadTask::new(target, source.loaded, requests.subscribe());
            tasks.spawn(stopped_tasks.watch("configuration reload", task.run()));
        }
        withhold_only_what_is_in_use();
        Self {
            requests,
            _tasks: tasks,
        }
    }

    /// Reloads every configuration now: what SIGHUP does.
    pub fn reload_now(&self) {
        self.requests.send_modify(|count| *count += 1);
    }
}
