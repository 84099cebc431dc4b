//! Follows the configuration of one proxy for as long as the proxy runs.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;

use super::examination::{Change, EXAMINATION_GRACE, Examination, Examined, examined, taking_long};
use super::file_watch::{FileWatch, ReloadTrigger};
use super::followed_files::{files_of, union, with_contents};
use super::pending_reload::{PendingReload, first_token};
use super::plan::{ReloadPlan, need_restart};
use super::reload_target::{ReloadTarget, ReportedReload, one_line};
use super::reports::Reports;
use crate::config::{Config, KeyDigests, Listen, Loaded};
use crate::credentials::WithheldVariables;
use crate::instance::{Guards, PendingIdentity};
use crate::text::error_chain;

/// The task that reloads one proxy.
pub(super) struct ReloadTask {
    target: ReloadTarget,
    watch: FileWatch,
    reports: Reports,
    /// The settings that are in effect, with the contents of the files that they name: those of the start for keys that
    /// need a restart, and otherwise the live ones.
    in_use: KeyDigests,
    /// The same without the contents.
    live_digests: KeyDigests,
    /// The live configuration.
    config: Config,
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
    /// The settings of the newest configuration, if it could be read and is rejected.
    rejected_settings: Option<KeyDigests>,
    /// Whether the listener is a unix socket, which only a restart changes.
    is_on_socket: bool,
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
        watch.follow(union(&files, &target.other_files()));
        target
            .live_config
            .bind_credential(target.secret_ownership(loaded.digests.clone()));
        Self {
            reports: Reports::new(&target),
            target,
            watch,
            in_use: with_contents(&loaded.digests, &loaded.config),
            live_digests: loaded.digests.clone(),
            config: loaded.config.clone(),
            accepted: loaded.digests.clone(),
            files,
            examination: None,
            pending: None,
            restriction: None,
            rejected_settings: None,
            is_on_socket: is_socket(&loaded.config.listen),
            withheld: WithheldVariables::new(loaded.named.variables.clone()),
        }
    }

    /// Never returns.
    pub(super) async fn run(mut self) {
        loop {
            let taking_long = taking_long(self.examination.as_ref());
            tokio::select! {
                trigger = self.watch.next(self.reports.is_rejected()) => self.reload(trigger).await,
                outcome = examined(&mut self.examination) => self.finish(outcome).await,
                () = taking_long => self.apply_early().await,
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
                self.reports.reject(reason, is_requested);
                self.renew_certificates(Unusable::IsNews).await;
                return;
            }
        };
        self.accepted.clone_from(&loaded.digests);
        let moves_listener = self.moves_listener(&loaded.config.listen);
        let waits = moves_listener || self.needs_token(&loaded, &settings);
        let has_renewed = waits && self.renew_certificates(Unusable::IsNews).await;
        // One that waits was prepared beside the authorities that were in use then.
        if self.is_under_way(&settings) && !has_renewed {
            if is_requested {
                self.reports.under_way(self.pending.is_some());
            }
            return;
        }
        if trigger == ReloadTrigger::Retry && self.rejected_settings.as_ref() == Some(&settings) {
            loaded = match (self.target.hooks.examine_again)(loaded).await {
                Ok(loaded) => loaded,
                Err(problems) => return self.reports.reject_again(&problems),
            };
        }
        let is_new = self.end_examination() | self.discard_pending();
        // The end of the earlier one was reported just now.
        self.target
            .live_config
            .notes()
            .set_reloading(progress.is_some());
        let changed = settings.changed_from(&self.in_use);
        if moves_listener {
            loaded.config.tls.clone_from(&self.config.tls);
        }
        let needs_restart = need_restart(&changed, moves_listener);
        let changed: Vec<String> = changed
            .into_iter()
            .filter(|key| !needs_restart.contains(key))
            .collect();
        if changed.is_empty() {
            let is_new = is_new || !self.reports.has_noted_restart(&needs_restart);
            self.restrict(None);
            self.follow(&files_of(&loaded));
            self.reports.note_restart(needs_restart);
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
            self.reports.reject(reason, is_requested);
            self.renew_certificates(Unusable::IsNews).await;
        }
    }

    /// Whether a configuration waits for the first token of a new identity once it has been examined.
    fn needs_token(&self, loaded: &Loaded, settings: &KeyDigests) -> bool {
        let changed = settings.changed_from(&self.in_use);
        ReloadPlan::of(&changed, loaded.config.token.has_source()).identity()
    }

    /// The newest configuration does not replace the live one now, which may take days. The certificates that the live
    /// one names must not expire meanwhile, nor may an authority that was removed still count. Returns whether any were
    /// replaced.
    async fn renew_certificates(&mut self, unusable: Unusable) -> bool {
        let (digests, config) = (self.live_digests.clone(), self.config.clone());
        let read = tokio::task::spawn_blocking(move || with_contents(&digests, &config));
        let Ok(newest) = read.await else {
            return false;
        };
        let changed = newest.changed_from(&self.in_use);
        let (mut renewed, mut unused) = (Vec::new(), Vec::new());
        for table in ["tls.", "upstream."] {
            let keys = changed.iter().filter(|key| key.starts_with(table));
            let keys: Vec<String> = keys.cloned().collect();
            if keys.is_empty() {
                continue;
            }
            match self.target.renew(table).await {
                Ok(()) => renewed.extend(keys),
                Err(error) => unused.push(error_chain(&error)),
            }
        }
        for key in &renewed {
            self.in_use.take_over(key, &newest);
        }
        match unusable {
            Unusable::IsKnown => self.reports.renewed(&renewed, &[]),
            Unusable::IsNews => self.reports.renewed(&renewed, &unused),
        }
        !renewed.is_empty()
    }

    /// Follows these files, and those of the other proxies, which may conflict with this configuration.
    fn follow(&mut self, files: &[PathBuf]) {
        self.watch.follow(union(files, &self.target.other_files()));
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
        let (allow_to_ask, may_ask) = watch::channel(false);
        let (guards, keys_read) = live_config
            .prepare_guards(&loaded.config, may_ask)
            .map_err(|error| error_chain(&error))?;
        let plan = ReloadPlan::of(&change.changed, loaded.config.token.has_source());
        let identity = plan
            .identity()
            .then(|| self.target.secret_ownership(loaded.digests.clone()));
        // One that was rejected changes nothing when it is tried again.
        let is_known = self.rejected_settings.as_ref() == Some(&change.settings);
        let examine = Arc::clone(&self.target.hooks.examine);
        let prepared_guards = guards.clone();
        let outcome = async move {
            let loaded = examine(loaded)
                .await
                .map_err(|problems| one_line(&problems))?;
            // Only now, since some programs run only once at a time, and some ask a person.
            allow_to_ask.send_replace(true);
            let _ = keys_read.await; // fails if there are no callers
            let prepared = live_config.prepare(&loaded.config, identity, prepared_guards);
            let prepared = prepared.await.map_err(|error| error_chain(&error))?;
            Ok((loaded, prepared))
        };
        self.examination = Some(Examination {
            change,
            guards,
            is_long_at: Some(Instant::now() + EXAMINATION_GRACE),
            restricts: plan.guard() && !is_known,
            has_restricted: false,
            earlier: None,
            outcome: Box::pin(outcome),
        });
        Ok(())
    }

    /// The examination takes long: what the new configuration forbids applies before it ends, and so do certificates
    /// and authorities that were replaced in their files. What an earlier one forbids stays forbidden meanwhile, since
    /// the new one may turn out to be invalid.
    async fn apply_early(&mut self) {
        let Some(examination) = &mut self.examination else {
            return;
        };
        examination.is_long_at = None;
        if examination.restricts {
            examination.has_restricted = true;
            examination.earlier = self.restriction.take();
            let guards = match &examination.earlier {
                Some(earlier) => examination.guards.and(earlier),
                None => examination.guards.clone(),
            };
            self.target.live_config.restrict(&guards);
            self.restriction = Some(guards);
        }
        self.renew_certificates(Unusable::IsKnown).await;
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
                self.reports.reject(reason, change.is_requested);
                self.renew_certificates(Unusable::IsKnown).await;
                return;
            }
        };
        let plan = ReloadPlan::of(&change.changed, loaded.config.token.has_source());
        let files = files_of(&loaded);
        self.follow(&union(&files, &self.files));
        self.reports.note_restart(change.needs_restart);
        let pending = PendingReload {
            tokens: prepared.tokens(),
            prepared,
            digests: loaded.digests,
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
        self.reports.accept(is_unchanged);
    }

    /// Loads the configuration once its file is stable. If the file changes meanwhile, waits and loads it again.
    async fn load_settled(&mut self) -> Result<(Loaded, KeyDigests), String> {
        loop {
            let loaded = self.target.load(&self.in_use, &self.accepted).await;
            if self.watch.is_unchanged().await {
                return loaded;
            }
            self.watch.settle().await;
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
            mut digests,
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
                self.reports.reject(error_chain(&stopped), false);
                return false;
            }
        }
        self.restrict(None);
        if plan.process() {
            self.target.apply_to_process(&config, &self.in_use).await;
        }
        let changed_now = settings.changed_from(&self.in_use);
        for key in need_restart(&changed_now, self.moves_listener(&config.listen)) {
            settings.take_over(&key, &self.in_use);
            digests.take_over(&key, &self.live_digests);
        }
        self.in_use = settings;
        self.live_digests = digests;
        self.config = config;
        drop(std::mem::replace(&mut self.withheld, withheld));
        self.follow(&files);
        self.files = files;
        self.reports.applied(&changed);
        true
    }
}

/// Whether it has been reported already that a certificate cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unusable {
    /// The newest configuration, which usually names the same files, was rejected because of what it names.
    IsKnown,
    IsNews,
}

fn is_socket(listen: &Listen) -> bool {
    matches!(listen, Listen::Unix { .. })
}
