//! Reads the keys of callers from their sources, at start and whenever a file changes.
//!
//! A changed file counts once two reads half a second apart are equal, so that a half-written file never does. A key
//! that is no longer in its file is revoked then, even if the rest of the file cannot be used; its new keys are valid
//! once all of it can. Only a file that cannot be read at all changes nothing.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::callers::{Callers, SharedKey};
use super::key::{KeyDigest, mentioned_keys, parse_keys};
use crate::config;
use crate::credentials::{SecretError, SecretSource};

/// How often files are read. Together with `SETTLE_TIME`, this is half of the 3 s within which a revoked key must stop
/// working.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How far apart two equal reads must be.
const SETTLE_TIME: Duration = Duration::from_millis(500);

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
}

#[derive(Debug)]
struct WatchedSource {
    /// The index of the caller.
    caller: usize,
    source: SecretSource,
    last: KeyReading,
    /// Why the last reading is not in use.
    problem: Option<KeyProblem>,
}

impl KeyWatch {
    /// Reads all keys, and continues with those that can be read. `proxy` is the name to log, if there are several
    /// proxies.
    pub async fn load(callers: Arc<Callers>, proxy: Option<String>) -> Self {
        let sources = callers.list().iter().enumerate();
        let sources = sources
            .filter_map(|(index, caller)| {
                Some(WatchedSource {
                    caller: index,
                    source: caller.key.clone()?,
                    last: KeyReading::of(b""),
                    problem: None,
                })
            })
            .collect();
        let mut watch = Self {
            callers,
            proxy,
            sources,
        };
        // Files first: a command may take long.
        watch
            .sources
            .sort_by_key(|watched| !watched.source.may_change());
        for watched in &mut watch.sources {
            let reading = read(&watched.source, EmptySource::IsAProblem).await;
            watched.adopt(&watch.callers, watch.proxy.as_deref(), reading);
        }
        watch
    }

    /// Reads the sources periodically. Never returns. Commands are waited for separately: a slow one must not delay the
    /// revocation of a key in a file.
    pub async fn follow(self) -> Infallible {
        let Self {
            callers,
            proxy,
            sources,
        } = self;
        let (files, others) = sources
            .into_iter()
            .partition(|watched| watched.source.may_change());
        let watch = |sources| Self {
            callers: Arc::clone(&callers),
            proxy: proxy.clone(),
            sources,
        };
        let (never, _) = tokio::join!(
            watch(files).poll_every(POLL_INTERVAL),
            watch(others).poll_every(RETRY_INTERVAL)
        );
        never
    }

    async fn poll_every(mut self, interval: Duration) -> Infallible {
        loop {
            sleep(interval).await;
            self.poll().await;
        }
    }

    async fn poll(&mut self) {
        let mut changed = Vec::new();
        for (index, watched) in self.sources.iter().enumerate() {
            if !(watched.source.may_change() || watched.problem.is_some()) {
                continue;
            }
            let reading = read(&watched.source, EmptySource::HoldsNoKeys).await;
            if reading != watched.last || watched.may_succeed_now() {
                changed.push((index, reading));
            }
        }
        if changed.is_empty() {
            return;
        }
        sleep(SETTLE_TIME).await;
        let mut settled = Vec::new();
        for (index, before) in changed {
            let watched = &self.sources[index];
            if read(&watched.source, EmptySource::HoldsNoKeys).await == before {
                settled.push((index, before));
            }
        }
        // First every removal, so that a key can move from one caller to another in one step.
        for (index, reading) in &settled {
            if let Some(mentioned) = &reading.mentioned {
                let caller = self.sources[*index].caller;
                self.callers.retain_keys(caller, mentioned);
            }
        }
        for (index, reading) in settled {
            self.sources[index].adopt(&self.callers, self.proxy.as_deref(), reading);
        }
    }
}

impl WatchedSource {
    /// Whether the same reading could be used once another source has changed.
    fn may_succeed_now(&self) -> bool {
        self.problem.is_some() && self.last.keys.is_ok()
    }

    fn adopt(&mut self, callers: &Callers, proxy: Option<&str>, reading: KeyReading) {
        let caller = callers.list()[self.caller].name.as_str();
        let adopted = match &reading.keys {
            Ok(keys) => callers
                .set_keys(self.caller, keys)
                .map(|()| keys.len())
                .map_err(|SharedKey(other)| KeyProblem::shared(other.as_str())),
            Err(problem) => Err(problem.clone()),
        };
        let is_known = reading == self.last && adopted.as_ref().err() == self.problem.as_ref();
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
        self.last = reading;
    }
}

/// Checks the source of every caller before the start. Returns how many keys each has, or why they cannot be used.
pub async fn check_keys(
    callers: &[config::CallerConfig],
) -> Vec<(String, Result<usize, KeyProblem>)> {
    let mut seen: Vec<(KeyDigest, &str)> = Vec::new();
    let mut found = Vec::new();
    for caller in callers {
        let Some(source) = &caller.key else { continue };
        let keys = read(source, EmptySource::IsAProblem)
            .await
            .keys
            .and_then(
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
