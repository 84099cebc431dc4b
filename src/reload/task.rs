//! One proxy's configuration, followed for as long as the proxy runs.

use std::path::PathBuf;

use tokio::sync::watch;

use super::plan::{Plan, need_restart};
use super::watch::{Occasion, Watch};
use super::{Own, Progress};
use crate::config::{Config, ConfigProblems, KeyDigests, Loaded, load_one_of};
use crate::credentials::{ClientCertificate, read_regular};
use crate::instance::Prepared;
use crate::text::error_chain;
use crate::token::Tokens;

/// Bundles of certificate authorities are the longest files that a configuration names.
const LONGEST: u64 = 16 << 20;

/// The task.
pub(super) struct Task {
    own: Own,
    watch: Watch,
    /// What the process was started with, as far as only a restart changes it; of the rest, what serves now.
    in_use: KeyDigests,
    /// The files of the configuration that serves now.
    files: Vec<PathBuf>,
    /// A good configuration whose identity has no token yet.
    pending: Option<Pending>,
    /// Whether its guard is asked already, beside the one in use.
    is_restricted: bool,
    /// Why the newest one is not used.
    refused: Option<String>,
    /// The keys that need a restart, as they were last told.
    restart: Vec<String>,
}

struct Pending {
    prepared: Prepared,
    tokens: Tokens,
    config: Config,
    settings: KeyDigests,
    files: Vec<PathBuf>,
    changed: Vec<String>,
    is_told: bool,
}

impl Task {
    pub(super) fn new(own: Own, loaded: &Loaded, asked: watch::Receiver<u64>) -> Self {
        let mut watch = Watch::new(asked);
        let files = files(loaded);
        watch.follow(files.clone());
        Self {
            own,
            watch,
            in_use: with_contents(loaded),
            files,
            pending: None,
            is_restricted: false,
            refused: None,
            restart: Vec::new(),
        }
    }

    /// Until it is dropped.
    pub(super) async fn run(mut self) {
        loop {
            tokio::select! {
                occasion = self.watch.next(self.refused.is_some()) => self.look(occasion).await,
                () = granted(&mut self.pending, &self.own) => self.put_pending(),
            }
        }
    }

    async fn look(&mut self, occasion: Occasion) {
        let tell = occasion != Occasion::First;
        let is_asked = occasion == Occasion::Asked;
        if tell {
            (self.own.hooks.progress)(Progress::Reloading);
        }
        match self.reload().await {
            Ok(is_new) => {
                if self.refused.take().is_some() {
                    self.own.serving.notes().refused(None);
                    tracing::info!(proxy = self.own.name, "the configuration can be used again");
                } else if is_asked && !is_new {
                    tracing::info!(proxy = self.own.name, "configuration unchanged");
                }
            }
            Err(why) => self.refuse(why, is_asked),
        }
        if tell {
            (self.own.hooks.progress)(Progress::Ready);
        }
    }

    /// Reads it, and does what it takes; whether something was different from the last look, or why it cannot be
    /// used, in words for people.
    async fn reload(&mut self) -> Result<bool, String> {
        let (loaded, settings) = self.load_settled().await?;
        // Before anything is waited for, and for as long as this is what the file says.
        self.own.serving.hold_credential(&loaded.config);
        if let Some(pending) = &self.pending
            && settings.changed_from(&pending.settings).is_empty()
        {
            return Ok(false);
        }
        let changed = settings.changed_from(&self.in_use);
        let restart = need_restart(&changed);
        let changed: Vec<String> = changed
            .into_iter()
            .filter(|key| !restart.contains(key))
            .collect();
        if changed.is_empty() {
            let is_new = self.pending.is_some() || restart != self.restart;
            self.give_up_pending();
            self.restrict(None);
            self.watch.follow(files(&loaded));
            self.note_restart(restart);
            return Ok(is_new);
        }
        let examined = (self.own.hooks.examine)(loaded).await;
        let loaded = examined.map_err(|problems| in_words(&problems))?;
        let plan = Plan::of(&changed);
        let prepared = self.own.serving.prepare(&loaded.config, plan.identity());
        let prepared = prepared.await.map_err(|error| error_chain(&error))?;
        self.give_up_pending();
        let files = files(&loaded);
        self.watch.follow(union(&files, &self.files));
        self.note_restart(restart);
        let pending = Pending {
            tokens: prepared.tokens(),
            prepared,
            config: loaded.config,
            settings,
            files,
            changed,
            is_told: false,
        };
        if plan.identity() {
            self.wait_for_token(pending, plan.guard());
        } else {
            self.put(pending);
        }
        Ok(true)
    }

    /// What is used is what has settled: a file that is being written by now is waited for.
    async fn load_settled(&mut self) -> Result<(Loaded, KeyDigests), String> {
        loop {
            let loaded = self.load().await;
            if self.watch.is_still().await {
                return loaded;
            }
            self.watch.settle().await;
        }
    }

    /// On another thread: a file system that does not answer must not hold up requests.
    async fn load(&self) -> Result<(Loaded, KeyDigests), String> {
        let (all, place) = (self.own.all.clone(), self.own.place);
        let surroundings = self.own.surroundings.clone();
        let read = tokio::task::spawn_blocking(move || {
            let loaded = load_one_of(&all, place, &surroundings)?;
            let settings = with_contents(&loaded);
            Ok((loaded, settings))
        });
        let read = read.await.map_err(|error| error_chain(&error))?;
        read.map_err(|problems: ConfigProblems| in_words(&problems))
    }

    fn wait_for_token(&mut self, pending: Pending, other_guard: bool) {
        let keys = pending.changed.join(", ");
        tracing::info!(
            proxy = self.own.name,
            keys,
            "configuration changed, waiting for its identity's first token"
        );
        self.restrict(other_guard.then_some(&pending.prepared));
        let tokens = pending.tokens.clone();
        self.own.serving.notes().waiting(Some(tokens));
        self.pending = Some(pending);
    }

    /// A newer configuration takes the place of one that waits.
    fn give_up_pending(&mut self) {
        if self.pending.take().is_some() {
            self.own.serving.notes().waiting(None);
            tracing::info!(
                proxy = self.own.name,
                "the configuration that waited for a token is given up"
            );
        }
    }

    /// What the next guard forbids is forbidden before it serves.
    fn restrict(&mut self, by: Option<&Prepared>) {
        match by {
            Some(prepared) => self.own.serving.restrict(prepared),
            None if self.is_restricted => self.own.serving.unrestrict(),
            None => {}
        }
        self.is_restricted = by.is_some();
    }

    fn put_pending(&mut self) {
        if let Some(pending) = self.pending.take() {
            self.own.serving.notes().waiting(None);
            self.put(pending);
        }
    }

    fn put(&mut self, pending: Pending) {
        let Pending {
            prepared,
            config,
            mut settings,
            files,
            changed,
            ..
        } = pending;
        let plan = Plan::of(&changed);
        if plan.data_path() {
            self.own.serving.put(prepared);
            self.is_restricted = false;
        }
        self.restrict(None);
        if plan.process() {
            (self.own.hooks.process)(&config);
        }
        for key in need_restart(&settings.changed_from(&self.in_use)) {
            settings.take_over(&key, &self.in_use);
        }
        self.in_use = settings;
        self.watch.follow(files.clone());
        self.files = files;
        self.own.metrics.reloaded("applied");
        tracing::info!(
            proxy = self.own.name,
            keys = changed.join(", "),
            "configuration applied"
        );
    }

    fn note_restart(&mut self, keys: Vec<String>) {
        if keys == self.restart {
            return;
        }
        if !keys.is_empty() {
            self.own.metrics.reloaded("restart");
            tracing::warn!(
                proxy = self.own.name,
                keys = keys.join(", "),
                "configuration needs a restart"
            );
        }
        self.own.serving.notes().restart(keys.clone());
        self.restart = keys;
    }

    /// The same is said once, however often it is looked at, but to whoever asks.
    fn refuse(&mut self, why: String, is_asked: bool) {
        let is_known = self.refused.as_ref() == Some(&why);
        if !is_known || is_asked {
            tracing::error!(
                proxy = self.own.name,
                error = why,
                "configuration refused, the last good one stays"
            );
        }
        if is_known {
            return;
        }
        self.own.metrics.reloaded("refused");
        self.own.serving.notes().refused(Some(why.clone()));
        self.refused = Some(why);
    }
}

/// Waits until the identity has a token; says so once if its first attempt brings none.
async fn granted(pending: &mut Option<Pending>, own: &Own) {
    let Some(pending) = pending else {
        return std::future::pending().await;
    };
    if !pending.is_told {
        let first = pending.tokens.settled().await;
        pending.is_told = true;
        if let Some(error) = first.last_error {
            own.metrics.reloaded("waiting");
            tracing::error!(
                proxy = own.name,
                error,
                "the new identity gets no token, the last one stays"
            );
        }
    }
    pending.tokens.obtained().await;
}

/// The file itself, and the files that it names and nobody else follows.
fn files(loaded: &Loaded) -> Vec<PathBuf> {
    let own = loaded.file.clone();
    own.into_iter()
        .chain(named(&loaded.config).into_iter().map(|(_, file)| file))
        .collect()
}

/// Those of one list, and of another what is not among them.
fn union(files: &[PathBuf], others: &[PathBuf]) -> Vec<PathBuf> {
    let more = others.iter().filter(|other| !files.contains(other));
    files.iter().chain(more).cloned().collect()
}

/// By which key. The token's certificate is read anew for each attempt, secrets and keys by who uses them.
fn named(config: &Config) -> Vec<(&'static str, PathBuf)> {
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
        named.push((to.key_key(), key_file.clone()));
    }
    named
}

fn with_contents(loaded: &Loaded) -> KeyDigests {
    let mut settings = loaded.digests.clone();
    for (key, file) in named(&loaded.config) {
        // One that cannot be read is refused by who looks at it.
        if let Ok(bytes) = read_regular(&file, LONGEST) {
            settings.note_content(key, &bytes);
        }
    }
    settings
}

/// On one line: a log's, and the page's.
fn in_words(problems: &ConfigProblems) -> String {
    let all = problems.iter().map(|one| {
        format!(
            "{} ({}): {}: {}",
            one.key, one.source, one.problem, one.remedy
        )
    });
    all.collect::<Vec<_>>().join("; ")
}
