//! A person signs in with a browser, from the address to open to the first tokens; and what becomes of these, in
//! whatever way the person signs in.

use std::sync::Arc;
use std::time::SystemTime;

use url::Url;
use zeroize::Zeroizing;

use super::authorization::{AuthorizationRequest, AuthorizationResponse, ForeignResponse};
use super::clock::Timestamp;
use super::grant_error::GrantError;
use super::grant_request::GrantRequest;
use super::grant_revocation::RevokedToken;
use super::granted_tokens::GrantedTokens;
use super::handle::Tokens;
use super::id_token::{ExpectedIdToken, read_id_token};
use super::identity_memory::TokenClient;
use super::jwt::decode;
use super::login_completion::{LoginCompletion, PersonChange};
use super::login_session::StoredCopy;
use super::person::{SignedIn, name_in};
use super::person_login::{LoginError, PersonLogin, UnusedTokens};
use super::person_subject::{subject_in, subject_of, unknown_subject};
use super::response::AccessToken;
use super::schedule;
use super::session_store::StoreLock;
use super::store_error::StoreError;
use super::stored_session::{StoredPerson, StoredSession};
use crate::config::{LoginConfig, role_doubts};
use crate::credentials::Secret;

/// A sign-in with a browser that has begun.
pub struct LoginAttempt {
    pending: PendingLogin,
    request: AuthorizationRequest,
}

/// What the tokens of a sign-in are for, in whatever way the person signs in.
pub(super) struct PendingLogin {
    pub(super) tokens: Tokens,
    pub(super) login: PersonLogin,
    /// What the ID token must contain, if anything.
    pub(super) nonce: Option<String>,
}

impl Tokens {
    /// Begins a sign-in with a browser. It changes nothing until it is completed.
    ///
    /// # Errors
    /// Why nobody can sign in now.
    pub async fn begin_login(&self) -> Result<LoginAttempt, LoginError> {
        let login = self.person_login().ok_or(LoginError::NotExpected)?;
        if login.config.is_device_only {
            return Err(LoginError::OnlyDevice);
        }
        let request = login.authorization_request().await?;
        Ok(LoginAttempt {
            pending: PendingLogin {
                tokens: self.clone(),
                login,
                nonce: request.nonce.clone(),
            },
            request,
        })
    }

    /// How a person signs in at the authorization server, if one does.
    #[must_use]
    pub fn login_config(&self) -> Option<LoginConfig> {
        Some((*self.person_login()?.config).clone())
    }

    pub(super) fn person_login(&self) -> Option<PersonLogin> {
        self.shared.sign_in.as_ref()?.login.clone()
    }
}

impl LoginAttempt {
    /// Where the person signs in. It contains the state, so no other program may see it.
    #[must_use]
    pub const fn authorization_url(&self) -> &Url {
        &self.request.url
    }

    /// Where the browser returns.
    #[must_use]
    pub fn config(&self) -> &LoginConfig {
        &self.pending.login.config
    }

    /// Whether what a browser brings is the response to this sign-in.
    ///
    /// # Errors
    /// It is not.
    pub fn check(&self, response: &AuthorizationResponse) -> Result<(), ForeignResponse> {
        self.request.check(response)
    }

    /// Exchanges the code for tokens, and makes requests use them.
    ///
    /// # Errors
    /// Why nothing has changed.
    pub async fn complete(
        &self,
        code: &Secret,
        completion: &impl LoginCompletion,
    ) -> Result<SignedIn, GrantError> {
        let login = &self.pending.login;
        let _stop_waits = login.session.changing.read().await;
        let secrets = login.secrets().await?;
        let requested_at = self.pending.now();
        let asked = GrantRequest::Code {
            code,
            verifier: &self.request.verifier,
            redirect_url: login.config.redirect_url.as_str(),
        };
        let granted = login.grant.ask(&secrets, &asked).await?;
        self.pending.finish(granted, requested_at, completion).await
    }
}

impl PendingLogin {
    pub(super) fn now(&self) -> Timestamp {
        self.tokens.shared.clock.now()
    }

    /// Takes the tokens that were granted into use, or revokes them.
    pub(super) async fn finish(
        &self,
        granted: GrantedTokens,
        requested_at: Timestamp,
        completion: &impl LoginCompletion,
    ) -> Result<SignedIn, GrantError> {
        let unused = UnusedTokens::of(&granted);
        let outcome = self.keep(granted, requested_at, completion).await;
        if outcome.is_err() {
            self.login.revoke_unused(unused).await;
        }
        outcome
    }

    /// Writes the session into the store, and makes requests use the tokens; or neither.
    async fn keep(
        &self,
        granted: GrantedTokens,
        requested_at: Timestamp,
        completion: &impl LoginCompletion,
    ) -> Result<SignedIn, GrantError> {
        let now = self.now();
        let GrantedTokens {
            access,
            refresh,
            id_token,
        } = granted;
        let access = access?;
        let identity = id_token.as_ref();
        let signed_in = self.signed_in(&access, refresh.is_some(), identity, now.wall)?;
        if let Some(change) = self.person_change(&signed_in, &completion.serving()).await {
            // A stop does not wait for the answer.
            let is_confirmed = tokio::select! {
                is_confirmed = completion.confirm(change) => is_confirmed,
                () = self.login.session.closed() => false,
            };
            if !is_confirmed {
                return Err(GrantError::NotConfirmed);
            }
        }
        let session = refresh.map(|refresh_token| StoredSession {
            refresh_token,
            person: StoredPerson {
                who: signed_in.who.clone(),
                subject: signed_in.subject.clone(),
                in_access_token: subject_of(access.as_str()),
            },
        });
        let mut stored = self.store_session(session.as_ref()).await;
        let (copy, mut signed_in) = (stored.copy.clone(), signed_in);
        signed_in.doubts.extend(stored.doubt.take());
        let mut parts = Some((access, session, copy, signed_in));
        let mut adopted = None;
        let serving = completion.serving();
        if self.has_session_of(&serving) {
            let before = stored.before.as_ref().map(|before| &before.refresh_token);
            completion.commit(&mut || {
                adopted = parts
                    .take()
                    .map(|parts| self.adopt(&serving, parts, requested_at, before));
            });
        }
        if adopted.is_none() {
            stored.undo(&self.login).await;
        } else {
            if stored.lock.take().is_some() {
                self.login.session.trust_store();
            }
            // A reload may have changed `token.store` since the sign-in began.
            if let Some(login) = serving.person_login()
                && !login.store.is_same(&self.login.store)
            {
                login.move_session().await;
            }
        }
        adopted.ok_or(GrantError::Superseded)
    }

    /// Writes the session into the store, in place of the one before. If that cannot be done, the session is in memory
    /// until the process ends.
    async fn store_session(&self, session: Option<&StoredSession>) -> StoredAttempt {
        let store = &self.login.store;
        let mut attempt = StoredAttempt::default();
        let written = async {
            let mut lock = store.lock().await?;
            attempt.before = match store.read().await {
                Err(StoreError::Corrupt { .. }) => None,
                read => read?,
            };
            match session {
                Some(session) => store.write(&mut lock, session).await?,
                None => store.remove(&mut lock).await?,
            }
            Ok::<StoreLock, StoreError>(lock)
        };
        match written.await {
            Ok(lock) => {
                attempt.lock = Some(lock);
                attempt.copy = session
                    .filter(|_| store.is_durable())
                    .map(|session| StoredCopy {
                        store: Arc::clone(store),
                        token: session.refresh_token.clone(),
                    });
            }
            Err(error) => {
                let error = error.chain();
                tracing::error!(
                    error,
                    "the refresh token could not be written; it is in memory only, and a restart ends the sign-in"
                );
                attempt.doubt = Some(format!(
                    "the sign-in ends when this proxy stops, because the refresh token could not be written: {error}"
                ));
            }
        }
        attempt
    }

    /// Who is signed in, here or in the store, if that may be someone else than who signs in `now`.
    async fn person_change(&self, now: &SignedIn, serving: &Tokens) -> Option<PersonChange> {
        if !self.has_session_of(serving) {
            return None; // these tokens will not be used
        }
        let here = serving.signed_in();
        let here = here.filter(|before| is_someone_else(before.subject.as_deref(), now));
        let before = match here {
            Some(before) => before.who,
            None if self.login.session.ignores_store() => return None,
            None => {
                let found = self.login.store.look().await;
                let stored = found.and_then(Result::ok).flatten()?.person;
                is_someone_else(stored.subject.as_deref(), now).then_some(stored.who)?
            }
        };
        Some(PersonChange {
            who: now.who.clone(),
            before,
        })
    }

    /// Whether `tokens` are those of the person who signs in here.
    fn has_session_of(&self, tokens: &Tokens) -> bool {
        let login = tokens.person_login();
        login.is_some_and(|login| Arc::ptr_eq(&login.session, &self.login.session))
    }

    /// Who the tokens were issued to.
    fn signed_in(
        &self,
        granted: &AccessToken,
        is_renewed: bool,
        id_token: Option<&Zeroizing<String>>,
        now: SystemTime,
    ) -> Result<SignedIn, GrantError> {
        let expected = ExpectedIdToken {
            issuer: self.login.config.issuer.as_deref(),
            client_id: &self.login.grant.config.client_id,
            nonce: self.nonce.as_deref(),
        };
        let identity = id_token.map(|token| read_id_token(token, &expected, now));
        let identity = identity.transpose().map_err(GrantError::IdToken)?;
        let access = decode(granted.as_str());
        let api = self.login.config.api.as_ref();
        let claims = identity.as_ref().or(access.as_ref());
        let who = claims.and_then(name_in);
        let subject = claims.and_then(subject_in);
        let lasts = (!is_renewed).then_some(granted.lifetime);
        Ok(SignedIn {
            who,
            until: lasts.and_then(|lifetime| now.checked_add(lifetime)),
            doubts: access.map_or_else(Vec::new, |access| role_doubts(api, &access.claims)),
            subject: Some(subject.unwrap_or_else(unknown_subject)),
            is_renewed,
        })
    }

    /// `in_store` is the refresh token that the store held before.
    fn adopt(
        &self,
        serving: &Tokens,
        (access, session, copy, mut signed_in): AdoptedParts,
        requested_at: Timestamp,
        in_store: Option<&Secret>,
    ) -> SignedIn {
        let shared = &serving.shared;
        let Some(sign_in) = &shared.sign_in else {
            return signed_in; // `has_session_of` has found one
        };
        let refresh_after = schedule::refresh_after(access.lifetime, fastrand::f64());
        let mut of_before = None;
        let before = sign_in.replace(Some(signed_in.clone()), |number| {
            of_before = self.login.session.begin(session, copy, || {
                sign_in.set_session(number);
                shared.status.send_modify(|status| {
                    status.adopt(requested_at, access, number, refresh_after);
                });
            });
        });
        let of_before = in_store.cloned().or(of_before);
        shared.attempts.count_success(requested_at.wall);
        let client = TokenClient::of_grant(&self.login.grant.config);
        shared.attempts.memory.forget_hold(client);
        if let Some(before) =
            before.filter(|before| is_someone_else(before.subject.as_deref(), &signed_in))
        {
            let who = before.who.as_deref().unwrap_or("someone else");
            let doubt = format!("{who} was signed in before, and is signed out now");
            signed_in.doubts.push(doubt.clone());
            sign_in.add_doubt(doubt);
            if let Some(token) = of_before {
                let login = self.login.clone();
                tokio::spawn(async move { login.revoke(&token, RevokedToken::Refresh).await });
            }
        }
        shared.share_person();
        shared.wake.notify_one();
        signed_in
    }
}

/// What a sign-in brings: the access token, the session and its copy in the store, and who it is.
type AdoptedParts = (
    AccessToken,
    Option<StoredSession>,
    Option<StoredCopy>,
    SignedIn,
);

/// What a sign-in has done to the store.
#[derive(Default)]
struct StoredAttempt {
    /// Held until the sign-in counts, so that nobody uses what may have to be undone.
    lock: Option<StoreLock>,
    /// What the store held.
    before: Option<StoredSession>,
    copy: Option<StoredCopy>,
    /// Why the store does not hold the session.
    doubt: Option<String>,
}

impl StoredAttempt {
    /// The sign-in does not count, so the store holds what it held before.
    async fn undo(mut self, login: &PersonLogin) {
        let Some(lock) = &mut self.lock else {
            return;
        };
        let undone = match &self.before {
            Some(before) => login.store.write(lock, before).await,
            None => login.store.remove(lock).await,
        };
        if let Err(error) = undone {
            let error = error.chain();
            tracing::warn!(error, "the store holds a sign-in that does not count");
        }
    }
}

/// Whoever has no known subject may be anyone.
fn is_someone_else(before: Option<&str>, now: &SignedIn) -> bool {
    before.is_none() || before != now.subject.as_deref()
}
