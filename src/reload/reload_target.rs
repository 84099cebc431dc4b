//! What a reload acts on: the sources of the configuration, and what is informed of the result.

use std::sync::Arc;

use super::hooks::{ReloadHooks, ReloadProgress};
use crate::config::{KeyDigests, Overrides, Surroundings, names_same_client};
use crate::instance::LiveConfig;
use crate::metrics::Metrics;
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
}

impl ReloadTarget {
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
