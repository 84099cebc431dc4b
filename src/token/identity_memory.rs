//! What is known beyond one identity, so that a reload neither prolongs the life of a token nor shortens a delay that a
//! server has demanded. Contains no token and no secret, only digests.

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher, Hash};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tokio::time::Instant;

use super::clock::Timestamp;
use super::grant_error::GrantError;
use super::schedule::FailureClass;
use super::wait::Wait;
use crate::config::{GrantConfig, TokenConfig, TokenOrigin};

/// How many tokens and servers are remembered, the last ones.
const MAX_REMEMBERED: usize = 16;

/// Whom a request is made to, and as which client.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct TokenClient(u64);

impl TokenClient {
    /// The client of a configuration. One with other credentials is another client.
    pub(super) fn of(config: &TokenConfig) -> Self {
        match &config.origin {
            TokenOrigin::Grant(grant) => Self::of_grant(grant),
            TokenOrigin::Source(source) => Self(digest(&format!("{:?}", source.place))),
            TokenOrigin::SignIn(_) => Self::default(),
        }
    }

    /// The client of a grant.
    pub(super) fn of_grant(grant: &GrantConfig) -> Self {
        let client = (&grant.client_id, grant.auth, &grant.sources);
        Self(digest(&format!("{:?}", (grant.endpoint.as_str(), client))))
    }
}

/// What the identities of a proxy know of each other. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct IdentityMemory(Arc<Mutex<Remembered>>);

#[derive(Debug, Default)]
struct Remembered {
    ends: Vec<SeenEnd>,
    holds: Vec<Hold>,
}

/// The end of a token that was seen before.
#[derive(Debug)]
struct SeenEnd {
    token: u64,
    /// By the wall clock, as its source says it.
    stated: SystemTime,
    /// By the monotonic clock.
    ends: Instant,
}

/// A delay that a server has demanded.
#[derive(Debug, Clone)]
pub(super) struct Hold {
    client: TokenClient,
    pub(super) wait: Wait,
    /// What the server answered.
    pub(super) failure: Arc<GrantError>,
}

impl IdentityMemory {
    /// When a token ends by the monotonic clock, if it was seen with this end before.
    pub(super) fn end_of(&self, token: &[u8], stated: SystemTime) -> Option<Instant> {
        let token = digest(&token);
        let remembered = self.lock();
        let mut seen = remembered.ends.iter();
        let seen = seen.find(|seen| seen.token == token && seen.stated == stated);
        seen.map(|seen| seen.ends)
    }

    /// Remembers when a token ends.
    pub(super) fn note_end(&self, token: &[u8], stated: SystemTime, ends: Instant) {
        let token = digest(&token);
        let mut remembered = self.lock();
        let all = &mut remembered.ends;
        all.retain(|seen| seen.token != token || seen.stated != stated);
        push(
            all,
            SeenEnd {
                token,
                stated,
                ends,
            },
        );
    }

    /// The delay that this client must keep, if it has not passed.
    pub(super) fn hold_of(&self, client: TokenClient, now: Timestamp) -> Option<Hold> {
        let remembered = self.lock();
        let hold = remembered.holds.iter().find(|hold| hold.client == client);
        let hold = hold.filter(|hold| !hold.wait.left(true, now).is_zero());
        hold.cloned()
    }

    /// Remembers a delay, unless the configuration was rejected: a reload may be what corrects that.
    pub(super) fn note_hold(&self, client: TokenClient, wait: Wait, failure: &Arc<GrantError>) {
        if failure.class() == FailureClass::Configuration {
            return;
        }
        let hold = Hold {
            client,
            wait,
            failure: Arc::clone(failure),
        };
        let mut remembered = self.lock();
        remembered.holds.retain(|hold| hold.client != client);
        push(&mut remembered.holds, hold);
    }

    /// The server has granted a token to this client, so it no longer has to wait.
    pub(super) fn forget_hold(&self, client: TokenClient) {
        self.lock().holds.retain(|hold| hold.client != client);
    }

    fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn push<T>(all: &mut Vec<T>, one: T) {
    if all.len() == MAX_REMEMBERED {
        all.remove(0);
    }
    all.push(one);
}

fn digest(value: &impl Hash) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(value)
}
