//! What a reload acts on: the sources of the configuration, and what is informed of the result.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::followed_files::with_contents;
use super::hooks::{ReloadHooks, ReloadProgress};
use crate::config::{
    Config, ConfigProblems, KeyDigests, Loaded, Overrides, Surroundings, fingerprint, load_one_of,
    names_same_client,
};
use crate::instance::{LiveConfig, RenewalError};
use crate::metrics::Metrics;
use crate::text::error_chain;
use crate::token::{SecretOwnership, SourceOwner};

/// The proxy that a task reloads.
pub(super) struct ReloadTarget {
    /// The name to log.
    pub(super) name: String,
    pub(super) all: Vec<Overrides>,
    /// The index of its configuration in `all`.
    pub(super) index: usize,
    pub(super) surroundings: Surroundings,
    pub(super) live_config: Arc<LiveConfig>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) hooks: ReloadHooks,
    /// Held while what all proxies share is changed.
    pub(super) process_turn: Arc<Mutex<()>>,
}

impl ReloadTarget {
    /// The configurations of the other proxies.
    pub(super) fn other_files(&self) -> Vec<PathBuf> {
        let others = self.all.iter().enumerate();
        let others = others.filter(|(index, _)| *index != self.index);
        others.filter_map(|(_, other)| other.file.clone()).collect()
    }

    /// Loads the configuration, and returns it with its digests and those of the files that it names. On another
    /// thread, because a file system that does not respond must not delay requests.
    pub(super) fn load(
        &self,
        in_use: &KeyDigests,
        accepted: &KeyDigests,
    ) -> impl Future<Output = Result<(Loaded, KeyDigests), String>> + Send + use<> {
        let (all, index) = (self.all.clone(), self.index);
        let surroundings = self.surroundings.clone();
        let (in_use, accepted) = (in_use.clone(), accepted.clone());
        let live_config = Arc::clone(&self.live_config);
        async move {
            let read = tokio::task::spawn_blocking(move || {
                // Commands that read the same configuration recognize this proxy by it.
                let newest = fingerprint(&all[index], &surroundings);
                let digest = (!newest.is_unreadable).then(|| newest.digest());
                live_config.notes().set_newest(digest);
                let loaded = load_one_of(&all, index, &surroundings, &in_use, &accepted)?;
                let settings = with_contents(&loaded.digests, &loaded.config);
                Ok((loaded, settings))
            });
            let read = read.await.map_err(|error| error_chain(&error))?;
            read.map_err(|problems: ConfigProblems| one_line(&problems))
        }
    }

    /// Applies what `config` says for the whole process. It was read before it was examined, and the file of another
    /// proxy may have been applied since, so all files are read again: whichever proxy is the last to apply its own
    /// brings what all of them say.
    pub(super) async fn apply_to_process(&self, config: &Config, in_use: &KeyDigests) {
        let _turn = self.process_turn.lock().await;
        let newest = self.load(in_use, in_use).await;
        let newest = newest.as_ref().map(|(loaded, _)| &loaded.config);
        (self.hooks.process)(newest.unwrap_or(config));
    }

    /// Reads the changed certificate files again that the keys of one table of the live configuration name.
    pub(super) async fn renew(&self, table: &str) -> Result<(), RenewalError> {
        if table == "tls." {
            self.live_config.renew_listener_tls().await
        } else {
            self.live_config.renew_upstream_certificate().await
        }
    }

    /// Whether the configuration still names the token endpoint, the client and the secret source of `settings`.
    pub(super) fn secret_ownership(&self, settings: KeyDigests) -> SecretOwnership {
        let (overrides, surroundings) = (self.all[self.index].clone(), self.surroundings.clone());
        let inputs = Arc::new((overrides, surroundings, settings));
        Arc::new(move || {
            let inputs = Arc::clone(&inputs);
            let read = tokio::task::spawn_blocking(move || {
                names_same_client(&inputs.0, &inputs.1, &inputs.2)
            });
            Box::pin(async move {
                match read.await {
                    Ok(Some(true)) => SourceOwner::This,
                    Ok(Some(false) | None) | Err(_) => SourceOwner::Another,
                }
            })
        })
    }
}

/// All problems on one line, for the log and the page.
pub(super) fn one_line(problems: &ConfigProblems) -> String {
    let all = problems.iter().map(|one| {
        format!(
            "{} ({}): {}: {}",
            one.key, one.source, one.problem, one.remedy
        )
    });
    all.collect::<Vec<_>>().join("; ")
}

/// Reports that a reload has begun, and that it has ended when this is dropped.
pub(super) struct ReportedReload {
    progress: Arc<dyn Fn(ReloadProgress) + Send + Sync>,
    live_config: Arc<LiveConfig>,
}

impl ReportedReload {
    pub(super) fn begin(target: &ReloadTarget) -> Self {
        let reported = Self {
            progress: Arc::clone(&target.hooks.progress),
            live_config: Arc::clone(&target.live_config),
        };
        (reported.progress)(ReloadProgress::Reloading);
        reported.live_config.notes().set_reloading(true);
        reported
    }
}

impl Drop for ReportedReload {
    fn drop(&mut self) {
        self.live_config.notes().set_reloading(false);
        (self.progress)(ReloadProgress::Ready);
    }
}
