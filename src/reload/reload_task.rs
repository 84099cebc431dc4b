//! Follows the configuration of one proxy for as long as the proxy runs.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;

use super::file_watch::{FileWatch, MAX_FILE_BYTES, ReloadTrigger};
use super::hooks::{ReloadHooks, ReloadProgress};
use super::plan::{ReloadPlan, need_restart};
use crate::config::{
    Config, ConfigProblems, KeyDigests, Loaded, Overrides, Surroundings, load_one_of,
};
use crate::credentials::{ClientCertificate, read_regular};
use crate::instance::{ConfigGeneration, LiveConfig};
use crate::metrics::Metrics;
use crate::text::error_chain;
use crate::token::Tokens;

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

/// The task that reloads one proxy.
pub(super) struct ReloadTask {
    target: ReloadTarget,
    watch: FileWatch,
    /// The settings that are in effect: those of the start for keys that need a restart, and otherwise the live ones.
    in_use: KeyDigests,
    /// The files of the live configuration.
    files: Vec<PathBuf>,
    /// A valid configuration whose new identity has no token yet.
    pending: Option<PendingReload>,
    /// Whether the guard of `pending` must admit requests too.
    is_restricted: bool,
    /// Why the newest configuration cannot be used.
    rejected: Option<String>,
    /// The keys that need a restart, as last reported.
    needs_restart: Vec<String>,
}

struct PendingReload {
    prepared: Arc<ConfigGeneration>,
    tokens: Tokens,
    config: Config,
    settings: KeyDigests,
    files: Vec<PathBuf>,
    changed: Vec<String>,
    is_failure_reported: bool,
}

impl ReloadTask {
    pub(super) fn new(
        target: ReloadTarget,
        loaded: &Loaded,
        requests: watch::Receiver<u64>,
    ) -> Self {
        let mut watch = FileWatch::new(requests);
        let files = files(loaded);
        watch.follow(files.clone());
        Self {
            target,
            watch,
            in_use: with_contents(loaded),
            files,
            pending: None,
            is_restricted: false,
            rejected: None,
            needs_restart: Vec::new(),
        }
    }

    /// Never returns.
    pub(super) async fn run(mut self) {
        loop {
            tokio::select! {
                trigger = self.watch.next(self.rejected.is_some()) => self.reload(trigger).await,
                () = first_token(&mut self.pending, &self.target) => self.apply_pending(),
            }
        }
    }

    async fn reload(&mut self, trigger: ReloadTrigger) {
        let is_reported = trigger != ReloadTrigger::Start;
        let is_requested = trigger == ReloadTrigger::Requested;
        if is_reported {
            (self.target.hooks.progress)(ReloadProgress::Reloading);
        }
        self.target.live_config.notes().set_reloading(is_reported);
        let reloaded = self.try_reload().await;
        self.target.live_config.notes().set_reloading(false);
        match reloaded {
            Ok(is_new) => {
                if self.rejected.take().is_some() {
                    self.target.live_config.notes().set_rejected(None);
                    tracing::info!(proxy = self.target.name, "configuration valid again");
                } else if is_requested && !is_new {
                    tracing::info!(proxy = self.target.name, "configuration unchanged");
                }
            }
            Err(reason) => self.reject(reason, is_requested),
        }
        if is_reported {
            (self.target.hooks.progress)(ReloadProgress::Ready);
        }
    }

    /// Loads the configuration and applies it. Returns whether anything has changed since the last time, or a description
    /// of why it cannot be used.
    async fn try_reload(&mut self) -> Result<bool, String> {
        let (loaded, settings) = self.load_settled().await?;
        // Before any wait, so that the live identity does not read a credential that is meant for the new one.
        self.target.live_config.hold_credential(&loaded.config);
        if let Some(pending) = &self.pending
            && settings.changed_from(&pending.settings).is_empty()
        {
            return Ok(false);
        }
        let changed = settings.changed_from(&self.in_use);
        let needs_restart = need_restart(&changed);
        let changed: Vec<String> = changed
            .into_iter()
            .filter(|key| !needs_restart.contains(key))
            .collect();
        if changed.is_empty() {
            let is_new = self.pending.is_some() || needs_restart != self.needs_restart;
            self.discard_pending();
            self.restrict(None);
            self.watch.follow(files(&loaded));
            self.note_restart(needs_restart);
            return Ok(is_new);
        }
        let examined = (self.target.hooks.examine)(loaded).await;
        let loaded = examined.map_err(|problems| one_line(&problems))?;
        let plan = ReloadPlan::of(&changed);
        let prepared = self
            .target
            .live_config
            .prepare(&loaded.config, plan.identity());
        let prepared = prepared.await.map_err(|error| error_chain(&error))?;
        self.discard_pending();
        let files = files(&loaded);
        self.watch.follow(union(&files, &self.files));
        self.note_restart(needs_restart);
        let pending = PendingReload {
            tokens: prepared.tokens(),
            prepared,
            config: loaded.config,
            settings,
            files,
            changed,
            is_failure_reported: false,
        };
        if plan.identity() {
            self.wait_for_token(pending, plan.guard());
        } else {
            self.apply(pending);
        }
        Ok(true)
    }

    /// Loads the configuration once its file is stable. If the file changes meanwhile, waits and loads it again.
    async fn load_settled(&mut self) -> Result<(Loaded, KeyDigests), String> {
        loop {
            let loaded = self.load().await;
            if self.watch.is_unchanged().await {
                return loaded;
            }
            self.watch.settle().await;
        }
    }

    /// Loads on another thread, because a file system that does not respond must not delay requests.
    async fn load(&self) -> Result<(Loaded, KeyDigests), String> {
        let (all, index) = (self.target.all.clone(), self.target.index);
        let surroundings = self.target.surroundings.clone();
        let read = tokio::task::spawn_blocking(move || {
            let loaded = load_one_of(&all, index, &surroundings)?;
            let settings = with_contents(&loaded);
            Ok((loaded, settings))
        });
        let read = read.await.map_err(|error| error_chain(&error))?;
        read.map_err(|problems: ConfigProblems| one_line(&problems))
    }

    fn wait_for_token(&mut self, pending: PendingReload, has_new_guard: bool) {
        let keys = pending.changed.join(", ");
        tracing::info!(
            proxy = self.target.name,
            keys,
            "configuration changed; waiting for the first token of its new identity"
        );
        self.restrict(has_new_guard.then_some(&pending.prepared));
        let tokens = pending.tokens.clone();
        self.target.live_config.notes().set_pending(Some(tokens));
        self.pending = Some(pending);
    }

    /// Discards a pending configuration, because a newer one replaces it or the files say again what is live.
    fn discard_pending(&mut self) {
        if self.pending.take().is_some() {
            self.target.live_config.notes().set_pending(None);
            tracing::info!(
                proxy = self.target.name,
                "the configuration that waited for its first token was discarded"
            );
        }
    }

    /// Makes a pending guard apply before its configuration serves, so that nothing it forbids is admitted; `None` lifts
    /// that.
    fn restrict(&mut self, pending: Option<&ConfigGeneration>) {
        match pending {
            Some(prepared) => self.target.live_config.restrict(prepared),
            None if self.is_restricted => self.target.live_config.unrestrict(),
            None => {}
        }
        self.is_restricted = pending.is_some();
    }

    fn apply_pending(&mut self) {
        if let Some(pending) = self.pending.take() {
            self.target.live_config.notes().set_pending(None);
            self.apply(pending);
        }
    }

    fn apply(&mut self, pending: PendingReload) {
        let PendingReload {
            prepared,
            config,
            mut settings,
            files,
            changed,
            ..
        } = pending;
        let plan = ReloadPlan::of(&changed);
        if plan.generation() {
            self.target.live_config.replace(prepared);
            self.is_restricted = false;
        }
        self.restrict(None);
        if plan.process() {
            (self.target.hooks.process)(&config);
        }
        for key in need_restart(&settings.changed_from(&self.in_use)) {
            settings.take_over(&key, &self.in_use);
        }
        self.in_use = settings;
        self.watch.follow(files.clone());
        self.files = files;
        self.target.metrics.reloaded("applied");
        tracing::info!(
            proxy = self.target.name,
            keys = changed.join(", "),
            "configuration applied"
        );
    }

    fn note_restart(&mut self, keys: Vec<String>) {
        if keys == self.needs_restart {
            return;
        }
        if !keys.is_empty() {
            self.target.metrics.reloaded("restart");
            tracing::warn!(
                proxy = self.target.name,
                keys = keys.join(", "),
                "configuration change needs a restart"
            );
        }
        self.target
            .live_config
            .notes()
            .set_needs_restart(keys.clone());
        self.needs_restart = keys;
    }

    /// Reports why the configuration cannot be used: once for the same reason, and again for each request.
    fn reject(&mut self, reason: String, is_requested: bool) {
        let is_known = self.rejected.as_ref() == Some(&reason);
        if !is_known || is_requested {
            tracing::error!(
                proxy = self.target.name,
                error = reason,
                "configuration rejected; the last valid one stays in use"
            );
        }
        if is_known {
            return;
        }
        self.target.metrics.reloaded("refused");
        self.target
            .live_config
            .notes()
            .set_rejected(Some(reason.clone()));
        self.rejected = Some(reason);
    }
}

/// Waits for the first token of a pending configuration. Reports once if the first attempt fails.
async fn first_token(pending: &mut Option<PendingReload>, target: &ReloadTarget) {
    let Some(pending) = pending else {
        return std::future::pending().await;
    };
    if !pending.is_failure_reported {
        let first = pending.tokens.settled().await;
        pending.is_failure_reported = true;
        if let Some(error) = first.last_error {
            target.metrics.reloaded("waiting");
            tracing::error!(
                proxy = target.name,
                error,
                "no token for the new identity yet; the previous one stays in use"
            );
        }
    }
    pending.tokens.obtained().await;
}

/// The configuration file, and the files that it names, except those that other tasks follow.
fn files(loaded: &Loaded) -> Vec<PathBuf> {
    let own = loaded.file.clone();
    own.into_iter()
        .chain(
            named_files(&loaded.config)
                .into_iter()
                .map(|(_, file)| file),
        )
        .collect()
}

/// All of `files`, and those of `others` that are not among them.
fn union(files: &[PathBuf], others: &[PathBuf]) -> Vec<PathBuf> {
    let more = others.iter().filter(|other| !files.contains(other));
    files.iter().chain(more).cloned().collect()
}

/// The files to follow, each with its key. The token's client certificate is read again for each attempt, and secrets and
/// callers' keys are followed elsewhere.
fn named_files(config: &Config) -> Vec<(&'static str, PathBuf)> {
    let authorities = config.network.ca_file.clone();
    let mut named: Vec<_> = authorities
        .map(|file| ("network.ca_file", file))
        .into_iter()
        .collect();
    if let Some(ClientCertificate {
        to,
        cert_file,
        key_file,
    }) = &config.upstream.client_certificate
    {
        named.push((to.cert_key(), cert_file.clone()));
        named.push((to.private_key_setting(), key_file.clone()));
    }
    named
}

fn with_contents(loaded: &Loaded) -> KeyDigests {
    let mut settings = loaded.digests.clone();
    for (key, file) in named_files(&loaded.config) {
        // A file that cannot be read is rejected later, where it is used.
        if let Ok(bytes) = read_regular(&file, MAX_FILE_BYTES) {
            settings.note_content(key, &bytes);
        }
    }
    settings
}

/// All problems on one line, for the log and the page.
fn one_line(problems: &ConfigProblems) -> String {
    let all = problems.iter().map(|one| {
        format!(
            "{} ({}): {}: {}",
            one.key, one.source, one.problem, one.remedy
        )
    });
    all.collect::<Vec<_>>().join("; ")
}
