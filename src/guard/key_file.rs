//! Callers' keys from their sources: at start, and again when a file changes.
//!
//! A changed file counts when two reads half a second apart are the same, so that a half-written one never
//! does. One that is gone, or holds something else than keys, changes nothing and says so; one that was emptied
//! holds no key, so it revokes all of them.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::callers::{Callers, KeyOfAnother};
use super::key::{KeyDigest, keys_in};
use crate::config;
use crate::credentials::{SecretError, SecretSource};

/// With `SETTLE`, half of the 3 s within which a revoked key must be dead.
const LOOK: Duration = Duration::from_secs(1);

/// How far apart two equal reads are.
const SETTLE: Duration = Duration::from_millis(500);

/// A source that could not be read and cannot change is asked again this often: a command may have failed.
const RETRY_LOOKS: u32 = 30;

/// Why a caller has no keys, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyProblem {
    /// What is wrong. Holds nothing of a key.
    pub problem: String,
    /// What to do.
    pub remedy: String,
}

/// What a source holds now.
type Reading = Result<Vec<KeyDigest>, KeyProblem>;

/// Every caller's source, and what it held last.
#[derive(Debug)]
pub struct KeyWatch {
    callers: Arc<Callers>,
    /// In the log, which several proxies may share.
    proxy: Option<String>,
    watched: Vec<Watched>,
}

#[derive(Debug)]
struct Watched {
    place: usize,
    source: SecretSource,
    last: Reading,
}

impl KeyWatch {
    /// Reads every key, and goes on with those that can be read. `proxy`: whose callers they are, where there are
    /// several.
    pub async fn load(callers: Arc<Callers>, proxy: Option<String>) -> Self {
        let sources = callers.list().iter().enumerate();
        let watched = sources
            .filter_map(|(place, caller)| {
                Some(Watched {
                    place,
                    source: caller.key.clone()?,
                    last: Ok(Vec::new()),
                })
            })
            .collect();
        let mut watch = Self {
            callers,
            proxy,
            watched,
        };
        for one in &mut watch.watched {
            let reading = read(&one.source, Emptied::IsAProblem).await;
            one.adopt(&watch.callers, watch.proxy.as_deref(), reading);
        }
        watch
    }

    /// Looks again and again. Ends only by being dropped.
    pub async fn follow(mut self) -> Infallible {
        let mut looks = 0_u32;
        loop {
            sleep(LOOK).await;
            looks = looks.wrapping_add(1);
            self.look(looks.is_multiple_of(RETRY_LOOKS)).await;
        }
    }

    async fn look(&mut self, retry: bool) {
        let mut changed = Vec::new();
        for (at, one) in self.watched.iter().enumerate() {
            if !(one.source.may_change() || retry && one.last.is_err()) {
                continue;
            }
            let reading = read(&one.source, Emptied::HoldsNone).await;
            if reading != one.last {
                changed.push((at, reading));
            }
        }
        if changed.is_empty() {
            return;
        }
        sleep(SETTLE).await;
        for (at, before) in changed {
            let one = &mut self.watched[at];
            if read(&one.source, Emptied::HoldsNone).await == before {
                one.adopt(&self.callers, self.proxy.as_deref(), before);
            }
        }
    }
}

impl Watched {
    fn adopt(&mut self, callers: &Callers, proxy: Option<&str>, reading: Reading) {
        let caller = callers.list()[self.place].name.as_str();
        let adopted = match &reading {
            Ok(keys) => callers
                .set_keys(self.place, keys)
                .map(|()| keys.len())
                .map_err(|KeyOfAnother(other)| KeyProblem::shared(other.as_str())),
            Err(problem) => Err(problem.clone()),
        };
        match adopted {
            Ok(keys) => tracing::info!(proxy, caller, keys, "caller keys read"),
            Err(KeyProblem { problem, remedy }) => tracing::warn!(
                proxy,
                caller,
                error = problem,
                remedy,
                "caller keys cannot be used, the last ones stay in use; an emptied file revokes them"
            ),
        }
        self.last = reading;
    }
}

/// What every caller's source holds, for a look before the start: how many keys, or why none.
pub async fn check_keys(
    callers: &[config::CallerConfig],
) -> Vec<(String, Result<usize, KeyProblem>)> {
    let mut seen: Vec<(KeyDigest, &str)> = Vec::new();
    let mut found = Vec::new();
    for caller in callers {
        let Some(source) = &caller.key else { continue };
        let keys = read(source, Emptied::IsAProblem).await.and_then(|keys| {
            match seen.iter().find(|(key, _)| keys.contains(key)) {
                Some((_, other)) => Err(KeyProblem::shared(other)),
                None => Ok(keys),
            }
        });
        seen.extend(keys.iter().flatten().map(|key| (*key, &*caller.name)));
        found.push((caller.name.clone(), keys.map(|keys| keys.len())));
    }
    found
}

/// What an empty source means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Emptied {
    /// At start: somebody forgot to fill it.
    IsAProblem,
    /// Later: somebody took the keys out.
    HoldsNone,
}

async fn read(source: &SecretSource, emptied: Emptied) -> Reading {
    let text = match source.read().await {
        Ok(text) => text,
        Err(SecretError::Empty(_)) if emptied == Emptied::HoldsNone => return Ok(Vec::new()),
        Err(error) => {
            return Err(KeyProblem {
                problem: error.in_full(),
                remedy: error.remedy(),
            });
        }
    };
    // Exposed to be hashed.
    keys_in(text.expose()).map_err(|error| KeyProblem {
        problem: error.to_string(),
        remedy: "write one key a line; `cupbearer keygen --caller` makes one".to_owned(),
    })
}

impl KeyProblem {
    fn shared(other: &str) -> Self {
        Self {
            problem: format!("holds a key of guard.callers.{other} too"),
            remedy: "give each caller keys of its own".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
