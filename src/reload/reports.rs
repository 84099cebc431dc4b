//! What an operator learns of the newest configuration: log lines, metrics and notes. Each is said once.

use std::sync::Arc;

use super::reload_target::{ReloadTarget, one_line};
use crate::config::ConfigProblems;
use crate::instance::LiveConfig;
use crate::metrics::Metrics;

/// What has been said about the newest configuration of one proxy.
pub(super) struct Reports {
    proxy: String,
    live_config: Arc<LiveConfig>,
    metrics: Arc<Metrics>,
    /// Why it cannot be used.
    rejected: Option<String>,
    /// Its keys that need a restart.
    needs_restart: Vec<String>,
    /// Why changed certificate files are not used.
    unused_files: String,
}

impl Reports {
    pub(super) fn new(target: &ReloadTarget) -> Self {
        Self {
            proxy: target.name.clone(),
            live_config: Arc::clone(&target.live_config),
            metrics: Arc::clone(&target.metrics),
            rejected: None,
            needs_restart: Vec::new(),
            unused_files: String::new(),
        }
    }

    /// Whether the newest configuration cannot be used.
    pub(super) const fn is_rejected(&self) -> bool {
        self.rejected.is_some()
    }

    /// Reports why the configuration cannot be used: once for the same reason, and again for each request.
    pub(super) fn reject(&mut self, reason: String, is_requested: bool) {
        let is_known = self.rejected.as_ref() == Some(&reason);
        if !is_known || is_requested {
            tracing::error!(
                proxy = self.proxy,
                error = reason,
                "configuration rejected; the last valid one stays in use"
            );
        }
        if is_known {
            return;
        }
        self.metrics.reloaded("refused");
        self.live_config.notes().set_rejected(Some(reason.clone()));
        self.rejected = Some(reason);
    }

    /// The same configuration was tried again, and still has these problems. Others that it had may not have been
    /// looked for.
    pub(super) fn reject_again(&mut self, problems: &ConfigProblems) {
        let reason = one_line(problems);
        let known = self.rejected.as_deref().unwrap_or_default();
        if !reason.split("; ").all(|one| known.contains(one)) {
            self.reject(reason, false);
        }
    }

    /// The newest configuration is valid. That it `is_unchanged` matters only if a reload was requested.
    pub(super) fn accept(&mut self, is_unchanged: bool) {
        if self.rejected.take().is_some() {
            self.live_config.notes().set_rejected(None);
            tracing::info!(proxy = self.proxy, "configuration valid again");
        } else if is_unchanged {
            tracing::info!(proxy = self.proxy, "configuration unchanged");
        }
    }

    /// A reload was requested, and the configuration is the one that is being examined or that waits.
    pub(super) fn under_way(&self, waits_for_token: bool) {
        if waits_for_token {
            tracing::info!(
                proxy = self.proxy,
                "configuration unchanged; still waiting for the first token of its new identity"
            );
        } else {
            tracing::info!(
                proxy = self.proxy,
                "configuration unchanged; still reading what it names"
            );
        }
    }

    /// Whether these keys need a restart, as was reported before.
    pub(super) fn has_noted_restart(&self, keys: &[String]) -> bool {
        self.needs_restart == keys
    }

    pub(super) fn note_restart(&mut self, keys: Vec<String>) {
        if self.has_noted_restart(&keys) {
            return;
        }
        if !keys.is_empty() {
            self.metrics.reloaded("restart");
            tracing::warn!(
                proxy = self.proxy,
                keys = keys.join(", "),
                "configuration change needs a restart"
            );
        }
        self.live_config.notes().set_needs_restart(keys.clone());
        self.needs_restart = keys;
    }

    /// The keys of a changed configuration, or of changed files, that are in use from now on.
    pub(super) fn applied(&self, keys: &[String]) {
        self.metrics.reloaded("applied");
        tracing::info!(
            proxy = self.proxy,
            keys = keys.join(", "),
            "configuration applied"
        );
    }

    /// Certificate files of the configuration in use have changed. Those of these keys are used from now on, and others
    /// cannot be, for these reasons.
    pub(super) fn renewed(&mut self, keys: &[String], unused: &[String]) {
        if !keys.is_empty() {
            self.applied(keys);
        }
        let reason = unused.join("; ");
        if !reason.is_empty() && self.unused_files != reason {
            tracing::error!(
                proxy = self.proxy,
                error = reason,
                "changed certificate files cannot be used; the previous ones stay in use"
            );
        }
        self.unused_files = reason;
    }
}
