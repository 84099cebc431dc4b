//! Reads the keys of callers from their sources, at start and whenever a file changes.
//!
//! A changed file counts once two reads half a second apart are equal, so that a half-written file never does. A file
//! that is missing or invalid changes nothing and is reported. An emptied file holds no keys, and so revokes all of them.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::callers::{Callers, SharedKey};
use super::key::{KeyDigest, parse_keys};
use crate::config;
use crate::credentials::{SecretError, SecretSource};

/// How often files are read. Together with `SETTLE_TIME`, this is half of the 3 s within which a revoked key must stop
/// working.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How far apart two equal reads must be.
const SETTLE_TIME: Duration = Duration::from_millis(500);

/// After how many intervals a source that is not watched is read again if it failed, such as a command.
const RETRY_INTERVALS: u32 = 30;

/// Why the keys of a caller cannot be used, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyProblem {
    /// What is wrong. Contains nothing of a key.
    pub problem: String,
    /// What to do.
    pub remedy: String,
}

/// The result of reading a source.
type KeyReading = Result<Vec<KeyDigest>, KeyProblem>;

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
                    last: Ok(Vec::new()),
                })
            })
            .collect();
        let mut watch = Self {
            callers,
            proxy,
            sources,
        };
        for watched in &mut watch.sources {
            let reading = read(&watched.source, EmptySource::IsAProblem).await;
            watched.adopt(&watch.callers, watch.proxy.as_deref(), reading);
        }
        watch
    }

    /// Reads the sources periodically. Never returns.
    pub async fn follow(mut self) -> Infallible {
        let mut intervals = 0_u32;
        loop {
            sleep(POLL_INTERVAL).await;
            intervals = intervals.wrapping_add(1);
            self.poll(intervals.is_multiple_of(RETRY_INTERVALS)).await;
        }
    }

    async fn poll(&mut self, retry: bool) {
        let mut changed = Vec::new();
        for (index, watched) in self.sources.iter().enumerate() {
            if !(watched.source.may_change() || retry && watched.last.is_err()) {
                continue;
            }
            let reading = read(&watched.source, EmptySource::HoldsNoKeys).await;
            if reading != watched.last {
                changed.push((index, reading));
            }
        }
        if changed.is_empty() {
            return;
        }
        sleep(SETTLE_TIME).await;
        for (index, before) in changed {
            let watched = &mut self.sources[index];
            if read(&watched.source, EmptySource::HoldsNoKeys).await == before {
                watched.adopt(&self.callers, self.proxy.as_deref(), before);
            }
        }
    }
}

impl WatchedSource {
    fn adopt(&mut self, callers: &Callers, proxy: Option<&str>, reading: KeyReading) {
        let caller = callers.list()[self.caller].name.as_str();
        let adopted = match &reading {
            Ok(keys) => callers
                .set_keys(self.caller, keys)
                .map(|()| keys.len())
                .map_err(|SharedKey(other)| KeyProblem::shared(other.as_str())),
            Err(problem) => Err(problem.clone()),
        };
        match adopted {
            Ok(keys) => tracing::info!(proxy, caller, keys, "caller keys loaded"),
            Err(KeyProblem { problem, remedy }) => tracing::warn!(
                proxy,
                caller,
                error = problem,
                remedy,
                "caller keys cannot be used; the previous ones stay valid until the file is fixed or emptied"
            ),
        }
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
    let text = match source.read().await {
        Ok(text) => text,
        Err(SecretError::Empty(_)) if empty == EmptySource::HoldsNoKeys => return Ok(Vec::new()),
        Err(error) => {
            return Err(KeyProblem {
                problem: error.in_full(),
                remedy: error.remedy(),
            });
        }
    };
    // Exposed only to be hashed.
    parse_keys(text.expose()).map_err(|error| KeyProblem {
        problem: error.to_string(),
        remedy: "write one key per line; `cupbearer keygen --caller` makes one".to_owned(),
    })
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
