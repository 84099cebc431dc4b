//! Renews the tokens of a person with the refresh token, which only one process at a time may use, and only once.
//!
//! The order is what matters: the lock, then the store, since another process may have replaced the token; then room
//! for the next token, then the request, then the next token in the store, and only then in memory. A temporary failure
//! changes nothing.

use std::sync::Arc;

use super::grant_error::GrantError;
use super::grant_request::GrantRequest;
use super::grant_revocation::RevokedToken;
use super::granted_tokens::GrantedTokens;
use super::login_session::{SessionSource, StoredCopy, is_same};
use super::person_login::{PersonLogin, UnusedTokens};
use super::person_subject::subject_of;
use super::request_secrets::RequestSecrets;
use super::response::AccessToken;
use super::session_store::StoreLock;
use super::store_error::StoreError;
use super::stored_session::{StoredPerson, StoredSession};
use crate::credentials::Secret;

impl PersonLogin {
    /// The next access token of the person. The refresh token that comes with it is kept before anything else happens,
    /// since the server may no longer accept the one before.
    pub(super) async fn renew(&self, secrets: &RequestSecrets) -> Result<AccessToken, GrantError> {
        let _only_one = self.session.renewing.lock().await;
        let mut lock = self.store.lock().await.map_err(GrantError::Store)?;
        self.follow_store().await.map_err(GrantError::Store)?;
        let (mut number, mut used) = self.session.current().ok_or(GrantError::SignedOut)?;
        let prepared = self.store.prepare(&mut lock).await;
        prepared.map_err(GrantError::Store)?;
        let mut outcome = self.ask_with(secrets, &used.refresh_token).await;
        if ends_session(&outcome)
            && let Some(newer) = self.newer_in_store(&used).await
        {
            (number, used) = newer;
            outcome = self.ask_with(secrets, &used.refresh_token).await;
        }
        match outcome {
            Ok(granted) if is_of_other_person(&granted, &used.person) => {
                self.end(&mut lock, number, &used).await;
                let (login, unused) = (self.clone(), UnusedTokens::of(&granted));
                tokio::spawn(async move { login.revoke_unused(unused).await });
                Err(GrantError::OtherPerson)
            }
            Ok(granted) => {
                let left = match granted.refresh {
                    Some(next) => self.keep(&mut lock, number, &used, next).await,
                    None => self.move_here(&mut lock).await,
                };
                drop(lock);
                self.leave_store(left).await;
                granted.access
            }
            Err(error) => {
                if error.ends_session() {
                    self.end(&mut lock, number, &used).await;
                }
                Err(error)
            }
        }
    }

    /// Looks at the store without the lock, for a session that another process has begun or an earlier one has left.
    /// Returns whether there is one now.
    pub(super) async fn look(&self) -> Result<bool, StoreError> {
        Ok(self.follow_store().await? == SessionSource::Store)
    }

    /// The same without asking the person to unlock the keyring. `None` if this system cannot do that.
    pub(super) async fn look_again(&self) -> Option<Result<bool, StoreError>> {
        let number = self.session.number();
        let followed =
            self.store.look().await?.map(|found| {
                self.session.follow(number, &self.store, found) == SessionSource::Store
            });
        Some(followed)
    }

    async fn follow_store(&self) -> Result<SessionSource, StoreError> {
        let number = self.session.number();
        let found = self.store.read().await?;
        Ok(self.session.follow(number, &self.store, found))
    }

    async fn ask_with(
        &self,
        secrets: &RequestSecrets,
        token: &Secret,
    ) -> Result<GrantedTokens, GrantError> {
        self.grant.ask(secrets, &GrantRequest::Refresh(token)).await
    }

    /// The session in the store, if it is not the one that was used. The lock does not reach every file system.
    async fn newer_in_store(&self, used: &StoredSession) -> Option<(u64, StoredSession)> {
        self.follow_store().await.ok()?;
        let newer = self.session.current()?;
        (!is_same(&newer.1.refresh_token, &used.refresh_token)).then_some(newer)
    }

    /// Keeps the next refresh token: first in the store, then in memory. If the person has signed out meanwhile, here
    /// or in another process, it is revoked. Returns what another store still holds.
    async fn keep(
        &self,
        lock: &mut StoreLock,
        number: u64,
        used: &StoredSession,
        next: Secret,
    ) -> Option<StoredCopy> {
        let mut left = None;
        let session = StoredSession {
            refresh_token: next.clone(),
            person: used.person.clone(),
        };
        let is_current = self.session.number() == number;
        let is_signed_out = is_current && self.is_removed_from_store().await;
        let unused = if !is_current || is_signed_out {
            Some(next)
        } else {
            left = self.write_here(lock, number, &session).await;
            self.session.rotate(number, next)
        };
        if is_signed_out {
            self.session.begin(None, None, || ());
            self.session.trust_store();
        }
        if let Some(unused) = unused {
            let login = self.clone();
            tokio::spawn(async move { login.revoke(&unused, RevokedToken::Refresh).await });
        }
        left
    }

    /// Writes the session into this store, unless that holds another one. Returns what another store still holds.
    async fn write_here(
        &self,
        lock: &mut StoreLock,
        number: u64,
        session: &StoredSession,
    ) -> Option<StoredCopy> {
        let before = self.session.copy();
        let is_known_here = self.is_known_here(before.as_ref());
        // What this process has neither read nor written here, another one has.
        if !is_known_here && matches!(self.store.read().await, Ok(Some(_))) {
            if before.is_some() {
                let store = self.store.describe();
                tracing::error!(
                    store,
                    "the store holds another session, which is not replaced; this one is in memory only, and a restart \
                     ends it"
                );
            }
            return None;
        }
        if let Err(error) = self.store.write(lock, session).await {
            let error = error.chain();
            tracing::error!(
                error,
                "the next refresh token could not be written; it is in memory only, and a restart ends the sign-in"
            );
            return None;
        }
        let copy = self.store.is_durable().then(|| StoredCopy {
            store: Arc::clone(&self.store),
            token: session.refresh_token.clone(),
        });
        self.session.set_copy(number, copy);
        self.session.trust_store();
        before.filter(|copy| !copy.store.is_same(&self.store))
    }

    /// Whether `token.store` named another store when the session was last written.
    pub(super) fn has_moved(&self) -> bool {
        let copy = self.session.copy();
        let is_here = if self.store.is_durable() {
            self.is_known_here(copy.as_ref())
        } else {
            copy.is_none()
        };
        !is_here && self.session.current().is_some()
    }

    /// Moves the session into this store, if it is in another one.
    pub(super) async fn move_session(&self) {
        let _only_one = self.session.renewing.lock().await;
        let left = match self.store.lock().await {
            Ok(mut lock) => self.move_here(&mut lock).await,
            Err(error) => {
                let error = error.chain();
                tracing::error!(
                    error,
                    "the session could not be moved into the store; the next renewal tries again"
                );
                None
            }
        };
        self.leave_store(left).await;
    }

    /// The same with the lock of this store. Returns what the other store still holds.
    async fn move_here(&self, lock: &mut StoreLock) -> Option<StoredCopy> {
        if !self.has_moved() {
            return None;
        }
        let (number, session) = self.session.current()?;
        self.write_here(lock, number, &session).await
    }

    /// Whether this process has read or written its copy in this store.
    fn is_known_here(&self, copy: Option<&StoredCopy>) -> bool {
        copy.is_some_and(|copy| copy.store.is_same(&self.store))
    }

    /// Whether another process has removed the session from this store, without the lock.
    async fn is_removed_from_store(&self) -> bool {
        let copy = self.session.copy();
        self.is_known_here(copy.as_ref()) && matches!(self.store.read().await, Ok(None))
    }

    /// Removes the session from another store, which `token.store` named before.
    pub(super) async fn leave_store(&self, copy: Option<StoredCopy>) {
        let Some(left) = copy.filter(|copy| !copy.store.is_same(&self.store)) else {
            return;
        };
        let removed = match left.store.lock().await {
            Ok(mut lock) => left.store.remove(&mut lock).await,
            Err(error) => Err(error),
        };
        if let Err(error) = removed {
            let error = error.chain();
            tracing::warn!(
                error,
                "the session is still in the store that was used before"
            );
        }
    }

    /// The server has ended the session, so nothing is left that a store could be kept for.
    async fn end(&self, lock: &mut StoreLock, number: u64, used: &StoredSession) {
        self.session.expire(number);
        let is_here = |found: &StoredSession| is_same(&found.refresh_token, &used.refresh_token);
        if let Ok(Some(found)) = self.store.read().await
            && is_here(&found)
            && let Err(error) = self.store.remove(lock).await
        {
            let error = error.chain();
            tracing::warn!(
                error,
                "a refresh token that is no longer valid is still in the store"
            );
        }
    }

    /// Removes the session from the store, also while another process renews it: that process notices. Returns the
    /// refresh token that is there by then, and what went wrong.
    pub(super) async fn remove_from_store(&self) -> (Option<Secret>, Option<StoreError>) {
        let mut lock = match self.store.lock().await {
            Ok(lock) => lock,
            Err(error) => return (None, Some(error)),
        };
        let found = match self.store.read().await {
            Ok(found) => found.map(|found| found.refresh_token),
            Err(StoreError::Corrupt { .. }) => None,
            Err(error) => return (None, Some(error)),
        };
        let removed = self.store.remove(&mut lock).await;
        if removed.is_ok() {
            self.session.trust_store();
        }
        (found, removed.err())
    }
}

/// Whether the server has made a mistake, after which requests would be sent as someone else.
fn is_of_other_person(granted: &GrantedTokens, person: &StoredPerson) -> bool {
    let access = granted.access.as_ref().ok();
    let access = access.and_then(|token| subject_of(token.as_str()));
    let identity = granted.id_token.as_ref();
    let identity = identity.and_then(|token| subject_of(token));
    person.is_other_than(access.as_deref(), identity.as_deref())
}

fn ends_session(outcome: &Result<GrantedTokens, GrantError>) -> bool {
    outcome.as_ref().is_err_and(GrantError::ends_session)
}
