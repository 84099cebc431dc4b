//! Changed configurations: noticed, looked at, and put in the place of the one that serves, or refused.
//!
//! One task a proxy; a proxy's file is nobody else's matter. `watch` says when to look, `plan` what a changed key
//! takes, `running` does it. Nothing changes for requests before everything that the new configuration needs is
//! there; for a new identity that is its first token.

mod plan;
mod task;
mod watch;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::watch::Sender;
use tokio::task::JoinSet;

use crate::config::{Config, ConfigProblems, Loaded, Overrides, Surroundings};
use crate::instance::{Running, Serving};
use crate::metrics::Metrics;

use task::Task;

/// Looks at what a configuration names: secrets and certificates.
pub type Examine = Arc<
    dyn Fn(Loaded) -> Pin<Box<dyn Future<Output = Result<Loaded, ConfigProblems>> + Send>>
        + Send
        + Sync,
>;

/// What a reload needs of whoever runs the process.
#[derive(Clone)]
pub struct Hooks {
    /// Asked before a configuration is used.
    pub examine: Examine,
    /// Brings `log.*` and `drain*` into effect for the whole process.
    pub process: Arc<dyn Fn(&Config) + Send + Sync>,
    /// Told when configurations begin to be looked at, and when that is over, however it ended.
    pub progress: Arc<dyn Fn(Progress) + Send + Sync>,
}

/// How far a look at the configurations of the process is; for a service manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It has begun.
    Reloading,
    /// It is over: what could be used is in use, or waits for its identity's first token.
    Ready,
}

/// One proxy that runs, and where its configuration was read.
pub struct Source<'a> {
    /// The proxy.
    pub running: &'a Running,
    /// Its configuration as it was read at the start.
    pub loaded: &'a Loaded,
    /// Its place among the command line's.
    pub place: usize,
}

/// The tasks that follow the configurations of a process; they end when this is dropped.
pub struct Reloads {
    ask: Sender<u64>,
    _tasks: JoinSet<()>,
}

impl Reloads {
    /// Follows the configurations of these proxies, each read as at the start: the file that was found then, the
    /// environment and the flags of `all` over it.
    #[must_use]
    pub fn follow(
        sources: &[Source<'_>],
        all: &[Overrides],
        surroundings: &Surroundings,
        hooks: &Hooks,
    ) -> Self {
        let ask = Sender::new(0);
        let mut tasks = JoinSet::new();
        let under_way = Arc::new(AtomicUsize::new(0));
        let mut pinned = all.to_vec();
        for source in sources {
            // Deleted, the file is missed: the next place to look at would be another configuration.
            pinned[source.place].file.clone_from(&source.loaded.file);
        }
        for source in sources {
            let own = Own {
                name: source.running.name.clone(),
                all: pinned.clone(),
                place: source.place,
                surroundings: surroundings.clone(),
                serving: Arc::clone(source.running.serving()),
                metrics: Arc::clone(&source.running.metrics),
                hooks: Hooks {
                    progress: counted(&hooks.progress, &under_way),
                    ..hooks.clone()
                },
            };
            tasks.spawn(Task::new(own, source.loaded, ask.subscribe()).run());
        }
        Self { ask, _tasks: tasks }
    }

    /// Looks at every configuration now, and at the files that it names: SIGHUP.
    pub fn ask(&self) {
        self.ask.send_modify(|asked| *asked += 1);
    }
}

/// What one proxy's task works with.
struct Own {
    /// In the log, which several may share.
    name: String,
    all: Vec<Overrides>,
    place: usize,
    surroundings: Surroundings,
    serving: Arc<Serving>,
    metrics: Arc<Metrics>,
    hooks: Hooks,
}

/// Several looks at a time are one: it begins with the first and is over with the last.
fn counted(
    progress: &Arc<dyn Fn(Progress) + Send + Sync>,
    under_way: &Arc<AtomicUsize>,
) -> Arc<dyn Fn(Progress) + Send + Sync> {
    let (progress, under_way) = (Arc::clone(progress), Arc::clone(under_way));
    Arc::new(move |now| {
        let is_edge = match now {
            Progress::Reloading => under_way.fetch_add(1, Ordering::SeqCst) == 0,
            Progress::Ready => under_way.fetch_sub(1, Ordering::SeqCst) == 1,
        };
        if is_edge {
            progress(now);
        }
    })
}

#[cfg(test)]
mod tests;
