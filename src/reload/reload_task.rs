//! Follows the configuration of one proxy for as long as the proxy runs.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;

use super::examination::{
    Change, EXAMINATION_GRACE, Examination, Examined, examined, restriction_due,
};
use super::file_watch::{FileWatch, ReloadTrigger};
use super::followed_files::{files_of, union, with_contents};
use super::pending_reload::{PendingReload, first_token};
use super::plan::{ReloadPlan, need_restart};
use super::reload_target::{ReloadTarget, ReportedReload};
use crate::config::{
    ConfigProblems, KeyDigests, Listen, Loaded, TlsConfig, fingerprint, load_one_of,
};
use crate::credentials::WithheldVariables;
use crate::instance::{Guards, PendingIdentity};
use crate::text::error_chain;

/// The task that reloads one proxy.
pub(super) struct ReloadTask {
    target: ReloadTarget,
    watch: FileWatch,
    /// The settings that are in effect: those of the start for keys that need a restart, and otherwise the live ones.
    in_use: KeyDigests,
    /// The settings of the newest valid file, which may need a restart or wait for a token.
    accepted: KeyDigests,
    /// The files of the live configuration.
    files: Vec<PathBuf>,
    /// The newest configuration, while its secrets and certificates are read.
    examination: Option<Examination>,
    /// A valid configuration whose new identity has no token yet.
    pending: Option<PendingReload>,
    /// The guards that must admit requests besides the live ones.
    restriction: Option<Guards>,
    /// Why the newest configuration cannot be used.
    rejected: Option<String>,
    /// The settings of that configuration, if it could be read.
    rejected_settings: Option<KeyDigests>,
    /// The keys that need a restart, as last reported.
    needs_restart: Vec<String>,
    /// Whether the listener is a unix socket, which only a restart changes.
    is_on_socket: bool,
    /// The TLS of the listener.
    tls: Option<TlsConfig>,
    /// The secrets in the environment that the live configuration names.
    withheld: WithheldVariables,
}

impl ReloadTask {
    pub(super) fn new(
        target: ReloadTarget,
        loaded: &Loaded,
        requests: watch::Receiver<u64>,
    ) -> Self {
        let mut watch = FileWatch::new(requests);
        let files = files_of(loaded);
        watch.follow(files.clone());
        target
            .live_config
            .bind_credential(target.secret_ownership(loaded.digests.clone()));
        Self {
            target,
            watch,
            in_use: with_contents(loaded),
            accepted: loaded.digests.clone(),
            files,
            examination: None,
            pending: None,
            restriction: None,
            rejected: None,
            rejected_settings: None,
            needs_restart: Vec::new(),
            is_on_socket: is_socket(&loaded.config.listen),
            tls: loaded.config.tls.clone(),
            withheld: WithheldVariables::new(loaded.named.variables.clone()),
        }
    }

    /// Never returns.
    pub(super) async fn run(mut self) {
        loop {
            let restriction_due = restriction_due(self.examination.as_ref());
            tokio::select! {
                trigger = self.watch.next(self.rejected.is_some()) => self.reload(trigger).await,
                outcome = examined(&mut self.examination) => self.finish(outcome).await,
                () = restriction_due => self.restrict_early(),
                () = first_token(&mut self.pending, &self.target) => self.apply_pending().await,
            }
        }
    }

    /// Loads the configuration, whose files are stable. A newer one, valid or not, ends what an older one waits for.
    async fn reload(&mut self, trigger: ReloadTrigger) {
        let is_requested = trigger == ReloadTrigger::Requested;
        let progress =
            (trigger != ReloadTrigger::Start).then(|| ReportedReload::begin(&self.target));
        let (mut loaded, settings) = match self.load_settled().await {
            Ok(read) => read,
            Err(reason) => {
                self.end_examination();
                self.discard_pending();
                self.rejected_settings = None;
                return self.reject(reason, is_requested);
            }
        };
        self.accepted.clone_from(&loaded.digests);
        if self.is_under_way(&settings) {
            return;
        }
        let is_new = self.end_examination() | self.discard_pending();
        // The end of the earlier one was reported just now.
        self.target
            .live_config
            .notes()
            .set_reloading(progress.is_some());
        let changed = settings.changed_from(&self.in_use);
        let moves_listener = self.moves_listener(&loaded.config.listen);
        if moves_listener {
            loaded.config.tls.clone_from(&self.tls);
        }
        let needs_restart = need_restart(&changed, moves_listener);
        let changed: Vec<String> = changed
            .into_iter()
            .filter(|key| !needs_restart.contains(key))
            .collect();
        if changed.is_empty() {
            let is_new = is_new || needs_restart != self.needs_restart;
            self.restrict(None);
            self.watch.follow(files_of(&loaded));
            self.note_restart(needs_restart);
            return self.accept(is_requested && !is_new);
        }
        let change = Change {
            settings,
            changed,
            needs_restart,
            is_requested,
            withheld: WithheldVariables::new(loaded.named.variables.clone()),
            _progress: progress,
        };
        if let Err(reason) = self.examine(loaded, change) {
            self.reject(reason, is_requested);
        }
    }

    /// Whether a restart would replace TCP by a unix socket, or the other way round.
    fn moves_listener(&self, listen: &Listen) -> bool {
        is_socket(listen) != self.is_on_socket
    }

    /// Whether these settings are being examined or wait for a token already.
    fn is_under_way(&self, settings: &KeyDigests) -> bool {
        let examined = self.examination.as_ref().map(|one| &one.change.settings);
        let pending = self.pending.as_ref().map(|one| &one.settings);
        let newest = examined.or(pending);
        newest.is_some_and(|known| settings.changed_from(known).is_empty())
    }

    /// Begins to read the secrets and certificates of a configuration.
    fn examine(&mut self, loaded: Loaded, change: Change) -> Result<(), String> {
        let live_config = Arc::clone(&self.target.live_config);
        let (guards, keys_read) = live_config
            .prepare_guards(&loaded.config)
            .map_err(|error| error_chain(&error))?;
        let plan = ReloadPlan::of(&change.changed, loaded.config.token.has_source());
        let identity = plan
            .identity()
            .then(|| self.target.secret_ownership(loaded.digests.clone()));
        // One that was rejected changes nothing when it is tried again.
        let is_known = self.rejected_settings.as_ref() == Some(&change.settings);
        let restricts_at = (plan.guard() && !is_known).then(|| Instant::now() + EXAMINATION_GRACE);
        let examine = Arc::clone(&self.target.hooks.examine);
        let prepared_guards = guards.clone();
        let outcome = async move {
            let loaded = examine(loaded)
                .await
                .map_err(|problems| one_line(&problems))?;
            let _ = keys_read.await; // fails if there are no callers
            let prepared = live_config.prepare(&loaded.config, identity, prepared_guards);
            let prepared = prepared.await.map_err(|error| error_chain(&error))?;
            Ok((loaded, prepared))
        };
        self.examination = Some(Examination {
            change,
            guards,
            restricts_at,
            has_restricted: false,
            earlier: None,
            outcome: Box::pin(outcome),
        });
        Ok(())
    }

    /// The examination takes long: what the new configuration forbids applies before it ends. What an earlier one
    /// forbids stays forbidden meanwhile, since the new one may turn out to be invalid.
    fn restrict_early(&mut self) {
        if let Some(examination) = &mut self.examination {
            examination.restricts_at = None;
            examination.has_restricted = true;
            examination.earlier = self.restriction.take();
            let guards = match &examination.earlier {
                Some(earlier) => examination.guards.and(earlier),
                None => examination.guards.clone(),
            };
            self.target.live_config.restrict(&guards);
            self.restriction = Some(guards);
        }
    }

    /// Ends an examination without a result, and returns whether there was one. What it forbids already stays forbidden
    /// until a newer configuration decides about that, since that one may forbid the same.
    fn end_examination(&mut self) -> bool {
        self.examination.take().is_some()
    }

    async fn finish(&mut self, outcome: Result<Examined, String>) {
        let Some(examination) = self.examination.take() else {
            return;
        };
        let change = examination.change;
        let (loaded, prepared) = match outcome {
            Ok(examined) => examined,
            Err(reason) => {
                if examination.has_restricted {
                    self.restrict(examination.earlier);
                }
                self.rejected_settings = Some(change.settings);
                return self.reject(reason, change.is_requested);
            }
        };
        let plan = ReloadPlan::of(&change.changed, loaded.config.token.has_source());
        let files = files_of(&loaded);
        self.watch.follow(union(&files, &self.files));
        self.note_restart(change.needs_restart);
        let pending = PendingReload {
            tokens: prepared.tokens(),
            prepared,
            config: loaded.config,
            settings: change.settings,
            files,
            withheld: change.withheld,
            changed: change.changed,
            is_failure_reported: false,
        };
        if plan.identity() {
            self.wait_for_token(pending, plan.guard().then_some(examination.guards));
            self.accept(false);
        } else if self.apply(pending).await {
            self.accept(false);
        }
    }

    /// The newest configuration is valid. That it `is_unchanged` matters only if a reload was requested.
    fn accept(&mut self, is_unchanged: bool) {
        self.rejected_settings = None;
        if self.rejected.take().is_some() {
            self.target.live_config.notes().set_rejected(None);
            tracing::info!(proxy = self.target.name, "configuration valid again");
        } else if is_unchanged {
            tracing::info!(proxy = self.target.name, "configuration unchanged");
        }
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
    fn load(&self) -> impl Future<Output = Result<(Loaded, KeyDigests), String>> + Send + use<> {
        let (all, index) = (self.target.all.clone(), self.target.index);
        let surroundings = self.target.surroundings.clone();
        let (in_use, accepted) = (self.in_use.clone(), self.accepted.clone());
        let live_config = Arc::clone(&self.target.live_config);
        async move {
            let read = tokio::task::spawn_blocking(move || {
                // Commands that read the same configuration recognize this proxy by it.
                let newest = fingerprint(&all[index], &surroundings);
                let digest = (!newest.is_unreadable).then(|| newest.digest());
                live_config.notes().set_newest(digest);
                let loaded = load_one_of(&all, index, &surroundings, &in_use, &accepted)?;
                let settings = with_contents(&loaded);
                Ok((loaded, settings))
            });
            let read = read.await.map_err(|error| error_chain(&error))?;
            read.map_err(|problems: ConfigProblems| one_line(&problems))
        }
    }

    fn wait_for_token(&mut self, pending: PendingReload, new_guards: Option<Guards>) {
        let keys = pending.changed.join(", ");
        tracing::info!(
            proxy = self.target.name,
            keys,
            "configuration changed; waiting for the first token of its new identity"
        );
        self.restrict(new_guards);
        let identity = PendingIdentity {
            tokens: pending.tokens.clone(),
            api: pending.prepared.api(),
        };
        let notes = self.target.live_config.notes();
        notes.set_pending(Some(identity));
        self.pending = Some(pending);
    }

    /// Discards a pending configuration, because there is a newer one, and returns whether there was one.
    fn discard_pending(&mut self) -> bool {
        let is_pending = self.pending.take().is_some();
        if is_pending {
            self.target.live_config.notes().set_pending(None);
            tracing::info!(
                proxy = self.target.name,
                "the configuration that waited for its first token was discarded"
            );
        }
        is_pending
    }

    /// Makes guards apply before their configuration serves, so that nothing they forbid is admitted; `None` lifts
    /// that.
    fn restrict(&mut self, guards: Option<Guards>) {
        match &guards {
            Some(guards) => self.target.live_config.restrict(guards),
            None if self.restriction.is_some() => self.target.live_config.unrestrict(),
            None => {}
        }
        self.restriction = guards;
    }

    async fn apply_pending(&mut self) {
        if let Some(pending) = self.pending.take() {
            self.target.live_config.notes().set_pending(None);
            self.apply(pending).await;
        }
    }

    /// Returns whether the configuration is in use now. It is counted as applied only if it is.
    async fn apply(&mut self, pending: PendingReload) -> bool {
        let PendingReload {
            prepared,
            config,
            mut settings,
            files,
            withheld,
            changed,
            ..
        } = pending;
        let plan = ReloadPlan::of(&changed, config.token.has_source());
        if plan.generation() {
            self.restriction = None; // the new generation replaces the restricted one
            if let Err(stopped) = self.target.live_config.replace(prepared).await {
                self.reject(error_chain(&stopped), false);
                return false;
            }
        }
        self.restrict(None);
        if plan.process() {
            (self.target.hooks.process)(&config);
        }
        let changed_now = settings.changed_from(&self.in_use);
        for key in need_restart(&changed_now, self.moves_listener(&config.listen)) {
            settings.take_over(&key, &self.in_use);
        }
        self.in_use = settings;
        self.tls.clone_from(&config.tls);
        drop(std::mem::replace(&mut self.withheld, withheld));
        self.watch.follow(files.clone());
        self.files = files;
        self.target.metrics.reloaded("applied");
        tracing::info!(
            proxy = self.target.name,
            keys = changed.join(", "),
            "configuration applied"
        );
        true
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

fn is_socket(listen: &Listen) -> bool {
    matches!(listen, Listen::Unix { .. })
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
