//! A proxy whose configuration is followed while it serves, in this process.

use std::path::PathBuf;
use std::sync::Arc;

use cupbearer::config::{self, Overrides, Surroundings};
use cupbearer::proxy::AccessLines;
use cupbearer::reload::{Hooks, Reloads, Source};
use cupbearer::{Running, start};

use super::{printed, until};

pub(crate) struct Followed {
    pub(crate) running: Running,
    file: PathBuf,
    reloads: Reloads,
}

impl Followed {
    /// Of the configuration in `file`.
    pub(crate) fn start(file: PathBuf, text: &str) -> Self {
        let overrides = Overrides {
            file: Some(file.clone()),
            ..Overrides::default()
        };
        Self::read(file, text, overrides, &Surroundings::default())
    }

    /// Of the same where nobody names it: it is found.
    pub(crate) fn found(file: PathBuf, text: &str, surroundings: &Surroundings) -> Self {
        Self::read(file, text, Overrides::default(), surroundings)
    }

    fn read(file: PathBuf, text: &str, overrides: Overrides, surroundings: &Surroundings) -> Self {
        printed::watch();
        std::fs::write(&file, text).unwrap();
        let loaded =
            config::load(&overrides, surroundings).unwrap_or_else(|problems| panic!("{problems}"));
        let running = start(&loaded.config, AccessLines::All).unwrap();
        let hooks = Hooks {
            examine: Arc::new(|loaded| Box::pin(async { Ok(loaded) })),
            process: Arc::new(|_| {}),
            progress: Arc::new(|_| {}),
        };
        let source = Source {
            running: &running,
            loaded: &loaded,
            place: 0,
        };
        let reloads = Reloads::follow(&[source], &[overrides], surroundings, &hooks);
        Self {
            running,
            file,
            reloads,
        }
    }

    /// Replaces the file, and asks for a look.
    pub(crate) fn replace(&self, text: &str) {
        let new = self.file.with_extension("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, &self.file).unwrap();
        self.reloads.ask();
    }

    /// Replaces it, and waits until what is there now is in use.
    pub(crate) async fn put(&self, text: &str) {
        let before = self.applied();
        self.replace(text);
        self.is_applied_since(before).await;
    }

    pub(crate) fn applied(&self) -> u64 {
        let figures = cupbearer::metrics::ProcessMetrics::new(|| 0);
        let text = cupbearer::metrics::text(&figures, &[Arc::clone(&self.running.metrics)]);
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("cupbearer_reload_total{outcome=\"applied\"} "));
        line.map_or(0, |count| count.parse().unwrap())
    }

    pub(crate) async fn is_applied_since(&self, before: u64) {
        until("the configuration is in use", || self.applied() > before).await;
    }

    /// What `/status` says about the configuration.
    pub(crate) fn notes(&self) -> Vec<String> {
        self.running.serving().notes().lines()
    }
}
