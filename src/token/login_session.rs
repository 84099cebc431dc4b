//! The session of a person at the authorization server: the refresh token that renews the person's access tokens.
//!
//! Every token is replaced by the next one (RFC 9700 4.14), so only one request at a time may use it. Whoever signs in
//! or out begins another session; what a request of an earlier one brings is discarded.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::credentials::Secret;

/// The session of the person who is signed in, if somebody is.
#[derive(Default)]
pub(super) struct LoginSession {
    state: Mutex<SessionState>,
    /// Held during a request with the refresh token.
    pub(super) renewing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct SessionState {
    /// Counts the sessions that have begun or ended.
    number: u64,
    refresh_token: Option<Secret>,
}

impl LoginSession {
    /// The number of the current session.
    pub(super) fn number(&self) -> u64 {
        self.lock().number
    }

    /// Whether the person's access tokens can be renewed.
    pub(super) fn can_renew(&self) -> bool {
        self.lock().refresh_token.is_some()
    }

    /// The refresh token, and the number of its session.
    pub(super) fn refresh_token(&self) -> Option<(u64, Secret)> {
        let state = self.lock();
        Some((state.number, state.refresh_token.clone()?))
    }

    /// Begins another session, and calls `adopt` before any request of an earlier one can bring a token. Returns the
    /// refresh token of the one before.
    pub(super) fn begin(
        &self,
        refresh_token: Option<Secret>,
        adopt: impl FnOnce(),
    ) -> Option<Secret> {
        let mut state = self.lock();
        state.number += 1;
        adopt();
        std::mem::replace(&mut state.refresh_token, refresh_token)
    }

    /// Replaces the refresh token of the session with this number. If it has ended, returns `next`, which nobody uses.
    pub(super) fn rotate(&self, number: u64, next: Secret) -> Option<Secret> {
        let mut state = self.lock();
        if state.number != number || state.refresh_token.is_none() {
            return Some(next);
        }
        state.refresh_token = Some(next);
        None
    }

    /// The server has ended the session with this number. The access token may be used until it expires.
    pub(super) fn expire(&self, number: u64) {
        let mut state = self.lock();
        if state.number == number {
            state.refresh_token = None;
        }
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

/// The sessions of a proxy by what they are bound to, so that a changed configuration for the same client keeps its
/// person, and one for another client never gets that person's token.
#[derive(Clone, Default)]
pub struct LoginSessions(Arc<Mutex<Vec<BoundSession>>>);

/// What a session is bound to, and the session.
type BoundSession = (String, Weak<LoginSession>);

impl LoginSessions {
    /// The session that is bound to this.
    pub(super) fn bound_to(&self, binding: String) -> Arc<LoginSession> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(_, session)| session.strong_count() > 0);
        let found = known.iter().find(|(other, _)| *other == binding);
        if let Some(session) = found.and_then(|(_, session)| session.upgrade()) {
            return session;
        }
        let session = Arc::new(LoginSession::default());
        known.push((binding, Arc::downgrade(&session)));
        session
    }
}
