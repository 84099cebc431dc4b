//! A proxy in this process that reloads its configuration file while it serves.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cupbearer::config::{self, Overrides, Surroundings};
use cupbearer::doctor::preflight;
use cupbearer::proxy::AccessLines;
use cupbearer::reload::{Examine, ReloadHooks, ReloadProgress, ReloadSource, Reloads};
use cupbearer::{RunningProxy, start};

use super::{log_leaks, until};

pub(crate) struct ReloadingProxy {
    pub(crate) running: RunningProxy,
    file: PathBuf,
    reloads: Reloads,
    finished: Arc<AtomicU64>,
}

impl ReloadingProxy {
    /// Writes `text` to `file` and starts a proxy that is given the path of that file.
    pub(crate) fn start(file: PathBuf, text: &str) -> Self {
        let overrides = Overrides {
            file: Some(file.clone()),
            ..Overrides::default()
        };
        Self::load(
            file,
            text,
            overrides,
            &Surroundings::default(),
            [nothing_to_examine(), nothing_to_examine()],
        )
    }

    /// The same with the examination of a real process.
    pub(crate) fn preflighted(file: PathBuf, text: &str) -> Self {
        let overrides = Overrides {
            file: Some(file.clone()),
            ..Overrides::default()
        };
        let examine: Examine = Arc::new(|loaded| Box::pin(preflight::examine(loaded)));
        let again: Examine = Arc::new(|loaded| Box::pin(preflight::examine_again(loaded)));
        let surroundings = Surroundings::default();
        Self::load(file, text, overrides, &surroundings, [examine, again])
    }

    /// The same, with what is done before a changed configuration is used.
    pub(crate) fn examining(file: PathBuf, text: &str, examine: Examine) -> Self {
        let overrides = Overrides {
            file: Some(file.clone()),
            ..Overrides::default()
        };
        let surroundings = Surroundings::default();
        let examine = [Arc::clone(&examine), examine];
        Self::load(file, text, overrides, &surroundings, examine)
    }

    /// Writes `text` to `file` and starts a proxy that discovers the file by itself.
    pub(crate) fn discovered(file: PathBuf, text: &str, surroundings: &Surroundings) -> Self {
        Self::load(
            file,
            text,
            Overrides::default(),
            surroundings,
            [nothing_to_examine(), nothing_to_examine()],
        )
    }

    fn load(
        file: PathBuf,
        text: &str,
        overrides: Overrides,
        surroundings: &Surroundings,
        [examine, examine_again]: [Examine; 2],
    ) -> Self {
        log_leaks::watch();
        std::fs::write(&file, text).unwrap();
        let loaded =
            config::load(&overrides, surroundings).unwrap_or_else(|problems| panic!("{problems}"));
        let running = start(&loaded.config, AccessLines::All).unwrap();
        let finished = Arc::new(AtomicU64::new(0));
        let hooks = ReloadHooks {
            examine,
            examine_again,
            process: Arc::new(|_| {}),
            progress: {
                let finished = Arc::clone(&finished);
                Arc::new(move |progress| {
                    if matches!(progress, ReloadProgress::Ready) {
                        finished.fetch_add(1, Ordering::SeqCst);
                    }
                })
            },
        };
        let source = ReloadSource {
            running: &running,
            loaded: &loaded,
            index: 0,
        };
        let reloads = Reloads::follow(&[source], &[overrides], surroundings, &hooks);
        Self {
            running,
            file,
            reloads,
            finished,
        }
    }

    /// How many reloads have ended, whatever came of them.
    pub(crate) fn finished(&self) -> u64 {
        self.finished.load(Ordering::SeqCst)
    }

    /// Replaces the file and asks for a check.
    pub(crate) fn replace(&self, text: &str) {
        let new = self.file.with_extension("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, &self.file).unwrap();
        self.reloads.reload_now();
    }

    /// Replaces the file and waits until the new configuration is in use.
    pub(crate) async fn replace_and_wait(&self, text: &str) {
        let before = self.applied();
        self.replace(text);
        self.wait_for_reload_since(before).await;
    }

    /// How many changed configurations have been applied.
    pub(crate) fn applied(&self) -> u64 {
        let process_metrics = cupbearer::metrics::ProcessMetrics::new(|| 0);
        let text = cupbearer::metrics::text(&process_metrics, &[Arc::clone(&self.running.metrics)]);
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("cupbearer_reload_total{outcome=\"applied\"} "));
        line.map_or(0, |count| count.parse().unwrap())
    }

    pub(crate) async fn wait_for_reload_since(&self, before: u64) {
        until("the configuration is in use", || self.applied() > before).await;
    }

    /// The notes about the configuration that `/status` shows.
    pub(crate) fn notes(&self) -> Vec<String> {
        self.running.live_config().notes().lines()
    }
}

fn nothing_to_examine() -> Examine {
    Arc::new(|loaded| Box::pin(async { Ok(loaded) }))
}
