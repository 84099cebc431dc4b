//! A person signs in with a browser, from the address to open to the first tokens; and what becomes of these, in
//! whatever way the person signs in.

use std::sync::Arc;
use std::time::SystemTime;

use url::Url;

use super::authorization::{AuthorizationRequest, AuthorizationResponse, ForeignResponse};
use super::clock::Timestamp;
use super::grant_error::GrantError;
use super::grant_request::GrantRequest;
use super::grant_revocation::RevokedToken;
use super::granted_tokens::GrantedTokens;
use super::handle::Tokens;
use super::id_token::{ExpectedIdToken, read_id_token};
use super::jwt::decode;
use super::person::{SignedIn, name_in, subject_in};
use super::person_login::{LoginError, PersonLogin};
use super::schedule;
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

    /// Exchanges the code for tokens. `commit` gets what makes requests use them, and calls it unless this sign-in no
    /// longer counts. `serving` says which tokens a person signs in to by then.
    ///
    /// # Errors
    /// Why nothing has changed.
    pub async fn complete(
        &self,
        code: &Secret,
        serving: impl FnOnce() -> Tokens + Send,
        commit: impl FnOnce(&mut dyn FnMut()) + Send,
    ) -> Result<SignedIn, GrantError> {
        let login = &self.pending.login;
        let secrets = login.secrets().await?;
        let requested_at = self.pending.now();
        let asked = GrantRequest::Code {
            code,
            verifier: &self.request.verifier,
            redirect_url: login.config.redirect_url.as_str(),
        };
        let granted = login.grant.ask(&secrets, &asked).await?;
        let finishing = self.pending.finish(granted, requested_at, serving, commit);
        finishing.await
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
        serving: impl FnOnce() -> Tokens + Send,
        commit: impl FnOnce(&mut dyn FnMut()) + Send,
    ) -> Result<SignedIn, GrantError> {
        let unused = granted.refresh.clone();
        let now = self.now();
        let outcome = self.signed_in(&granted, now.wall).and_then(|signed_in| {
            let (mut parts, mut adopted) = (Some((granted, signed_in)), None);
            let serving = serving();
            if self.has_session_of(&serving) {
                commit(&mut || {
                    adopted = parts.take().map(|(granted, signed_in)| {
                        self.adopt(&serving, granted, signed_in, requested_at)
                    });
                });
            }
            adopted.ok_or(GrantError::Superseded)
        });
        if let (Err(_), Some(token)) = (&outcome, unused) {
            self.login.revoke(&token, RevokedToken::Refresh).await;
        }
        outcome
    }

    /// Whether `tokens` are those of the person who signs in here.
    fn has_session_of(&self, tokens: &Tokens) -> bool {
        let login = tokens.person_login();
        login.is_some_and(|login| Arc::ptr_eq(&login.session, &self.login.session))
    }

    /// Who the tokens were issued to.
    fn signed_in(&self, granted: &GrantedTokens, now: SystemTime) -> Result<SignedIn, GrantError> {
        let expected = ExpectedIdToken {
            issuer: self.login.config.issuer.as_deref(),
            client_id: &self.login.grant.config.client_id,
            nonce: self.nonce.as_deref(),
        };
        let id_token = granted.id_token.as_ref();
        let identity = id_token.map(|token| read_id_token(token, &expected, now));
        let identity = identity.transpose().map_err(GrantError::IdToken)?;
        let access = decode(granted.access.as_str());
        let api = self.login.config.api.as_ref();
        let claims = identity.as_ref().or(access.as_ref());
        let (who, subject) = (claims.and_then(name_in), claims.and_then(subject_in));
        let lasts = granted.refresh.is_none().then_some(granted.access.lifetime);
        Ok(SignedIn {
            who,
            until: lasts.and_then(|lifetime| now.checked_add(lifetime)),
            doubts: access.map_or_else(Vec::new, |access| role_doubts(api, &access.claims)),
            subject,
            is_renewed: granted.refresh.is_some(),
        })
    }

    fn adopt(
        &self,
        serving: &Tokens,
        granted: GrantedTokens,
        mut signed_in: SignedIn,
        requested_at: Timestamp,
    ) -> SignedIn {
        let shared = &serving.shared;
        let Some(sign_in) = &shared.sign_in else {
            return signed_in; // `has_session_of` has found one
        };
        let lifetime = granted.access.lifetime;
        let refresh_after = schedule::refresh_after(lifetime, fastrand::f64());
        let of_before = self.login.session.begin(granted.refresh, || {
            shared.status.send_modify(|status| {
                status.adopt(requested_at, granted.access, refresh_after);
            });
        });
        shared.attempts.count_success(requested_at.wall);
        let before = sign_in.replace(Some(signed_in.clone()));
        if let Some(before) = before.filter(|before| is_someone_else(before, &signed_in)) {
            let who = before.who.as_deref().unwrap_or("someone else");
            signed_in
                .doubts
                .push(format!("{who} was signed in before, and is signed out now"));
            sign_in.replace(Some(signed_in.clone()));
            if let Some(token) = of_before {
                let login = self.login.clone();
                tokio::spawn(async move { login.revoke(&token, RevokedToken::Refresh).await });
            }
        }
        shared.wake.notify_one();
        signed_in
    }
}

/// Whoever has no known subject may be anyone.
fn is_someone_else(before: &SignedIn, now: &SignedIn) -> bool {
    before.subject.is_none() || before.subject != now.subject
}
