//! The session of a person at the authorization server: the refresh token that renews the person's access tokens.
//!
//! Every token is replaced by the next one (RFC 9700 4.14), so only one request at a time may use it. Whoever signs in
//! or out begins another session; what a request of an earlier one brings is discarded. This is what one process knows;
//! with a store, that is what counts.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{RwLock, watch};
use tokio::time::timeout;

use super::session_store::SessionStore;
use super::stored_session::StoredSession;
use crate::credentials::Secret;

/// Longer than a token request takes at most.
const SETTLE_LIMIT: Duration = Duration::from_secs(12);

/// The session of the person who is signed in, if somebody is.
#[derive(Default)]
pub(super) struct LoginSession {
    state: Mutex<SessionState>,
    /// Held during a request with the refresh token.
    pub(super) renewing: tokio::sync::Mutex<()>,
    /// Read-locked while a code is exchanged, and until the store and the server know of a sign-out.
    pub(super) changing: Arc<RwLock<()>>,
    /// Whether the process is about to end.
    is_closing: watch::Sender<bool>,
}

#[derive(Default)]
struct SessionState {
    /// Counts the sessions that have begun or ended.
    number: u64,
    current: Option<StoredSession>,
    /// What this process has last read from a store or written there.
    copy: Option<StoredCopy>,
    /// A token that the server no longer accepts, and that a store may still hold.
    dead: Option<Secret>,
    /// Whether the store has been looked at since this process started.
    has_looked: bool,
    /// A person has signed in or out here, and the store may still hold the session before.
    ignores_store: bool,
}

/// What a store holds, as far as is known.
#[derive(Clone)]
pub(super) struct StoredCopy {
    pub(super) store: Arc<SessionStore>,
    pub(super) token: Secret,
}

/// What this process uses of the session after a look at the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SessionSource {
    /// What is in memory.
    Memory,
    /// What another process has written.
    Store,
    /// Another process has removed it.
    Nothing,
}

impl LoginSession {
    /// The number of the current session.
    pub(super) fn number(&self) -> u64 {
        self.lock().number
    }

    /// Whether the person's access tokens can be renewed, or that is not known yet.
    pub(super) fn can_renew(&self) -> bool {
        let state = self.lock();
        state.current.is_some() || !state.has_looked
    }

    /// Whether no one has looked at the store yet.
    pub(super) fn is_unknown(&self) -> bool {
        let state = self.lock();
        state.current.is_none() && !state.has_looked
    }

    /// Nothing more is to be learnt from the store for now.
    pub(super) fn set_known(&self) {
        self.lock().has_looked = true;
    }

    /// The session, and its number.
    pub(super) fn current(&self) -> Option<(u64, StoredSession)> {
        let state = self.lock();
        Some((state.number, state.current.clone()?))
    }

    /// The copy in a store, as far as is known.
    pub(super) fn copy(&self) -> Option<StoredCopy> {
        self.lock().copy.clone()
    }

    /// Begins another session, and calls `adopt` before any request of an earlier one can bring a token. Returns the
    /// refresh token of the one before. Without a `copy`, the store counts for nothing until
    /// [`trust_store`](Self::trust_store): it may still hold the one before.
    pub(super) fn begin(
        &self,
        session: Option<StoredSession>,
        copy: Option<StoredCopy>,
        adopt: impl FnOnce(),
    ) -> Option<Secret> {
        let mut state = self.lock();
        state.number += 1;
        state.has_looked = true;
        state.ignores_store = copy.is_none();
        state.copy = copy;
        adopt();
        let before = std::mem::replace(&mut state.current, session);
        before.map(|session| session.refresh_token)
    }

    /// Decides between what is in memory and what is in the store, where another process may have replaced or removed
    /// it. What this process could not write there counts more than what it once read there. `number` is that of the
    /// session before the store was read: whoever has signed in or out since counts.
    pub(super) fn follow(
        &self,
        number: u64,
        store: &Arc<SessionStore>,
        found: Option<StoredSession>,
    ) -> SessionSource {
        let mut state = self.lock();
        if state.number != number || state.ignores_store {
            return SessionSource::Memory;
        }
        let copy = state.copy.as_ref().filter(|copy| copy.store.is_same(store));
        let known = copy.map(|copy| copy.token.clone());
        state.has_looked = true;
        let is_here = state.current.is_some();
        match (found, known) {
            (None, Some(_)) if is_here => {
                state.number += 1;
                (state.current, state.copy) = (None, None);
                SessionSource::Nothing
            }
            (None, _) => SessionSource::Memory,
            (Some(found), Some(known)) if is_here && is_same(&found.refresh_token, &known) => {
                SessionSource::Memory
            }
            // A person has signed in here, and that could not be written.
            (Some(_), None) if is_here => SessionSource::Memory,
            (Some(found), _) => {
                let is_dead = |dead: &Secret| is_same(dead, &found.refresh_token);
                if state.dead.as_ref().is_some_and(is_dead) {
                    return SessionSource::Memory;
                }
                if !is_here {
                    state.number += 1;
                }
                state.copy = Some(StoredCopy {
                    store: Arc::clone(store),
                    token: found.refresh_token.clone(),
                });
                state.current = Some(found);
                SessionSource::Store
            }
        }
    }

    /// Replaces the refresh token of the session with this number. If it has ended, returns `next`, which nobody uses.
    pub(super) fn rotate(&self, number: u64, next: Secret) -> Option<Secret> {
        let mut state = self.lock();
        if state.number != number {
            return Some(next);
        }
        match &mut state.current {
            Some(session) => {
                session.refresh_token = next;
                None
            }
            None => Some(next),
        }
    }

    /// The store holds this token of the session with this number now.
    pub(super) fn set_copy(&self, number: u64, copy: Option<StoredCopy>) {
        let mut state = self.lock();
        if state.number == number {
            state.copy = copy;
        }
    }

    /// The server has ended the session with this number. The access token may be used until it expires.
    pub(super) fn expire(&self, number: u64) {
        let mut state = self.lock();
        if state.number == number {
            state.dead = state.current.take().map(|session| session.refresh_token);
            state.copy = None;
        }
    }

    /// A session that was ended here is no longer in the store.
    pub(super) fn trust_store(&self) {
        self.lock().ignores_store = false;
    }

    /// Whether a person has signed in or out here, and the store may still hold the session before.
    pub(super) fn ignores_store(&self) -> bool {
        self.lock().ignores_store
    }

    /// Completes once the process is about to end.
    pub(super) async fn closed(&self) {
        let mut is_closing = self.is_closing.subscribe();
        // The sender is a part of this.
        let _ = is_closing.wait_for(|is_closing| *is_closing).await;
    }

    /// Calls `act` if the session with this number is still the current one. Meanwhile nobody can sign in or out.
    pub(super) fn if_current(&self, number: u64, act: impl FnOnce()) -> bool {
        let state = self.lock();
        let is_current = state.number == number;
        if is_current {
            act();
        }
        is_current
    }

    fn lock(&self) -> MutexGuard<'_, SessionState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Not compared in constant time: both are local, and no caller can measure this.
pub(super) fn is_same(one: &Secret, other: &Secret) -> bool {
    one.expose() == other.expose() // exposed to compare them
}

/// The sessions of a proxy by what they are bound to, so that a changed configuration for the same client keeps its
/// person, and one for another client never gets that person's token.
#[derive(Clone, Default)]
pub struct LoginSessions(Arc<Mutex<Vec<BoundSession>>>);

/// What a session is bound to, and the session.
type BoundSession = (String, Weak<LoginSession>);

impl LoginSessions {
    /// The session that is bound to this.
    pub(super) fn bound_to(&self, binding: &str) -> Arc<LoginSession> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(_, session)| session.strong_count() > 0);
        let found = known.iter().find(|(other, _)| other == binding);
        if let Some(session) = found.and_then(|(_, session)| session.upgrade()) {
            return session;
        }
        let session = Arc::new(LoginSession::default());
        known.push((binding.to_owned(), Arc::downgrade(&session)));
        session
    }

    /// Waits until no refresh token is in use, no code is exchanged and nobody signs out, and lets none of this begin
    /// any more, before the process ends: the next token would be lost, or stay in the store. Takes at most
    /// [`SETTLE_LIMIT`].
    pub async fn close(&self) {
        let closing = async {
            let sessions = self.all();
            for session in &sessions {
                session.is_closing.send_replace(true);
            }
            for session in sessions {
                std::mem::forget(Arc::clone(&session.changing).write_owned().await);
                std::mem::forget(session.renewing.lock().await);
            }
        };
        let _ = timeout(SETTLE_LIMIT, closing).await;
    }

    fn all(&self) -> Vec<Arc<LoginSession>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sessions = known.iter().filter_map(|(_, session)| session.upgrade());
        sessions.collect()
    }
}

#[cfg(test)]
mod tests;
