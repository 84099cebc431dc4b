//! Reads the keys of callers from their sources, at start and whenever a file changes.
//!
//! A changed file counts once two reads half a second apart are equal, so that a half-written file never does. A key
//! that is no longer in its file is revoked then, even if the rest of the file cannot be used; its new keys are valid
//! once all of it can. Only a file that cannot be read at all changes nothing. Each file is read independently of the
//! others, since its file system may not respond.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::callers::{Callers, SharedKey};
use super::key::{KeyDigest, mentioned_keys, parse_keys};
use crate::config;
use crate::credentials::{SecretError, SecretSource};

/// How often files are read. Together with `SETTLE_TIME` and `GATHER_TIME`, this is half of the 3 s within which a
/// revoked key must stop working.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How far apart two equal reads must be.
const SETTLE_TIME: Duration = Duration::from_millis(500);

/// How long readings are collected that other files have at the same time, before new keys are used: a key may move
/// from one caller to another in one step. Revoked keys do not wait.
const GATHER_TIME: Duration = Duration::from_millis(100);

/// How often a source that cannot change by itself, such as a command, is read again if it failed.
const RETRY_INTERVAL: Duration = Duration::from_secs(30);

/// Why the keys of a caller cannot be used, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyProblem {
    /// What is wrong. Contains nothing of a key.
    pub problem: String,
    /// What to do.
    pub remedy: String,
}

/// What a source holds.
#[derive(Debug, Clone, PartialEq, Eq)]
struct KeyReading {
    keys: Result<Vec<KeyDigest>, KeyProblem>,
    /// The keys that it does not revoke; `None` if it cannot be read.
    mentioned: Option<Vec<KeyDigest>>,
}

/// Follows the source of every caller.
#[derive(Debug)]
pub struct KeyWatch {
    callers: Arc<Callers>,
    /// The name to log, if there are several proxies.
    proxy: Option<String>,
    sources: Vec<WatchedSource>,
    may_ask: watch::Receiver<bool>,
}

#[derive(Debug)]
struct WatchedSource {
    /// The index of the caller.
    caller: usize,
    source: SecretSource,
    /// What it held when it was last read; `None` before the first time.
    last: Option<KeyReading>,
    /// Why the last reading is not in use.
    problem: Option<KeyProblem>,
}

impl KeyWatch {
    /// For the callers of one configuration. `proxy` is the name to log, if there are several proxies. Programs and
    /// keyrings, which may serve only one at a time, are used once `may_ask` is true.
    #[must_use]
    pub fn new(
        callers: Arc<Callers>,
        proxy: Option<String>,
        may_ask: watch::Receiver<bool>,
    ) -> Self {
        let with_key = callers.list().iter().enumerate();
        let mut sources: Vec<WatchedSource> = with_key
            .filter_map(|(index, caller)| {
                Some(WatchedSource {
                    caller: index,
                    source: caller.key.clone()?,
                    last: None,
                    problem: None,
                })
            })
            .collect();
        // Files first: they decide whose a key is that several sources contain.
        sources.sort_by_key(|watched| !watched.source.may_change());
        Self {
            callers,
            proxy,
            sources,
            may_ask,
        }
    }

    /// Reads all keys, calls `loaded`, and follows the sources. Never returns. A source that does not respond delays
    /// only `loaded`, and neither the keys of other sources nor their revocation.
    pub async fn run(mut self, loaded: impl FnOnce() + Send) -> Infallible {
        let start = Instant::now();
        let mut loaded = Some(loaded);
        let mut readings: FuturesUnordered<_> = (0..self.sources.len())
            .map(|index| self.next(index, start))
            .collect();
        loop {
            if self.sources.iter().all(|watched| watched.last.is_some())
                && let Some(loaded) = loaded.take()
            {
                loaded();
            }
            let Some(first) = readings.next().await else {
                return pending().await;
            };
            self.revoke(&first);
            let mut gathered = vec![first];
            let end = sleep(GATHER_TIME);
            tokio::pin!(end);
            loop {
                tokio::select! {
                    Some(reading) = readings.next() => {
                        self.revoke(&reading);
                        gathered.push(reading);
                    }
                    () = &mut end => break,
                }
            }
            gathered.sort_by_key(|(index, _)| *index);
            for (index, reading) in gathered {
                self.sources[index].adopt(&self.callers, self.proxy.as_deref(), reading);
                readings.push(self.next(index, start));
            }
            while self.resolve_conflicts() {}
        }
    }

    /// Waits until the source at `index` holds something else than at the last time. `start` is when reading began.
    fn next(
        &self,
        index: usize,
        start: Instant,
    ) -> impl Future<Output = (usize, KeyReading)> + Send + use<> {
        let watched = &self.sources[index];
        let (source, last) = (watched.source.clone(), watched.last.clone());
        let has_problem = watched.problem.is_some();
        let mut may_ask = self.may_ask.clone();
        async move {
            if source.asks_elsewhere() && may_ask.wait_for(|may| *may).await.is_err() {
                return pending().await; // this configuration has been rejected
            }
            let Some(last) = last else {
                return (index, read(&source, EmptySource::IsAProblem).await);
            };
            if !source.may_change() && !has_problem {
                return pending().await;
            }
            (index, next_reading(&source, &last, start).await)
        }
    }

    /// First every removal, so that a key can move from one caller to another in one step.
    fn revoke(&self, (index, reading): &(usize, KeyReading)) {
        if let Some(mentioned) = &reading.mentioned {
            self.callers
                .retain_keys(self.sources[*index].caller, mentioned);
        }
    }

    /// Uses what could not be used because of another caller's keys, if it can be used now. Returns whether any could.
    fn resolve_conflicts(&mut self) -> bool {
        let mut has_resolved = false;
        for watched in &mut self.sources {
            if watched.problem.is_none() {
                continue;
            }
            let Some(reading) = watched.last.clone().filter(|last| last.keys.is_ok()) else {
                continue;
            };
            watched.adopt(&self.callers, self.proxy.as_deref(), reading);
            has_resolved |= watched.problem.is_none();
        }
        has_resolved
    }
}

impl WatchedSource {
    fn adopt(&mut self, callers: &Callers, proxy: Option<&str>, reading: KeyReading) {
        let caller = callers.list()[self.caller].name.as_str();
        let adopted = match &reading.keys {
            Ok(keys) => callers
                .set_keys(self.caller, keys)
                .map(|()| keys.len())
                .map_err(|SharedKey(other)| KeyProblem::shared(other.as_str())),
            Err(problem) => Err(problem.clone()),
        };
        let is_known =
            self.last.as_ref() == Some(&reading) && adopted.as_ref().err() == self.problem.as_ref();
        match &adopted {
            Ok(keys) => tracing::info!(proxy, caller, keys, "caller keys loaded"),
            Err(_) if is_known => {}
            Err(KeyProblem { problem, remedy }) => tracing::warn!(
                proxy,
                caller,
                error = problem,
                remedy,
                "caller keys cannot be loaded; previous ones stay valid unless they were removed from the file"
            ),
        }
        self.problem = adopted.err();
        self.last = Some(reading);
    }
}

/// What the source holds once that is neither `last` nor half-written. A source that cannot change by itself has
/// failed, and is only tried again.
async fn next_reading(source: &SecretSource, last: &KeyReading, start: Instant) -> KeyReading {
    let interval = if source.may_change() {
        POLL_INTERVAL
    } else {
        RETRY_INTERVAL
    };
    loop {
        // All at the same times, so that what changes in one step is read in one step.
        let passed = start.elapsed().as_nanos() / interval.as_nanos();
        let next = u32::try_from(passed + 1).unwrap_or(u32::MAX);
        sleep_until(start + interval.saturating_mul(next)).await;
        let reading = read(source, EmptySource::HoldsNoKeys).await;
        if reading == *last {
            continue;
        }
        if !source.may_change() {
            return reading;
        }
        sleep(SETTLE_TIME).await;
        if read(source, EmptySource::HoldsNoKeys).await == reading {
            return reading;
        }
    }
}

/// Checks the source of every caller before the start. Returns how many keys each has, or why they cannot be used.
pub async fn check_keys(
    callers: &[config::CallerConfig],
) -> Vec<(String, Result<usize, KeyProblem>)> {
    let mut seen: Vec<(KeyDigest, &str)> = Vec::new();
    let mut found = Vec::new();
    // All files at once, since their file systems may not respond. A command may ask a person, and waits for others.
    let files = callers.iter().map(|caller| async move {
        let file = caller.key.as_ref().filter(|source| source.may_change())?;
        Some(read(file, EmptySource::IsAProblem).await)
    });
    let files = join_all(files).await;
    for (caller, reading) in callers.iter().zip(files) {
        let Some(source) = &caller.key else { continue };
        let reading = match reading {
            Some(reading) => reading,
            None => read(source, EmptySource::IsAProblem).await,
        };
        let keys =
            reading.keys.and_then(
                |keys| match seen.iter().find(|(key, _)| keys.contains(key)) {
                    Some((_, other)) => Err(KeyProblem::shared(other)),
                    None => Ok(keys),
                },
            );
        seen.extend(keys.iter().flatten().map(|key| (*key, &*caller.name)));
        found.push((caller.name.clone(), keys.map(|keys| keys.len())));
    }
    found
}

/// How to treat an empty source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EmptySource {
    /// At start, because the file was probably never filled.
    IsAProblem,
    /// Later, because the keys have been removed.
    HoldsNoKeys,
}

async fn read(source: &SecretSource, empty: EmptySource) -> KeyReading {
    match source.read().await {
        // Exposed only to be hashed.
        Ok(text) => KeyReading::of(text.expose()),
        Err(SecretError::Empty(_)) if empty == EmptySource::HoldsNoKeys => KeyReading::of(b""),
        Err(error) => KeyReading {
            keys: Err(KeyProblem {
                problem: error.in_full(),
                remedy: error.remedy(),
            }),
            mentioned: None,
        },
    }
}

impl KeyReading {
    fn of(text: &[u8]) -> Self {
        Self {
            keys: parse_keys(text).map_err(|error| KeyProblem {
                problem: error.to_string(),
                remedy: "write one key per line; `cupbearer keygen --caller` makes one".to_owned(),
            }),
            mentioned: Some(mentioned_keys(text)),
        }
    }
}

impl KeyProblem {
    fn shared(other: &str) -> Self {
        Self {
            problem: format!("contains a key that also belongs to guard.callers.{other}"),
            remedy: "give each caller its own keys".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
