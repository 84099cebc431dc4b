//! The authorization request of a sign-in with a browser (RFC 6749 4.1.1, RFC 7636, OpenID Connect Core 3.1.2.1), and
//! what must be true of the response (RFC 9207). Pure, except for randomness.

use aws_lc_rs::{digest, rand};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq as _;
use url::Url;

use crate::config::{GrantConfig, LoginConfig};
use crate::credentials::Secret;

/// 256 bits, more than RFC 7636 4.1 and RFC 6749 10.10 ask for.
const RANDOM_BYTES: usize = 32;

/// The system provides no randomness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system provides no random numbers")]
pub struct NoRandomBytes;

/// A word that nobody can guess.
///
/// # Errors
/// The system provides no randomness.
pub fn unguessable() -> Result<String, NoRandomBytes> {
    let mut bytes = [0; RANDOM_BYTES];
    rand::fill(&mut bytes).map_err(|_| NoRandomBytes)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

/// Whether two words are the same, compared in constant time.
#[must_use]
pub fn is_same_word(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

/// What the browser brings back (RFC 6749 4.1.2, RFC 9207 2).
#[derive(Default)]
pub struct AuthorizationResponse {
    /// `state`.
    pub state: Option<String>,
    /// `iss`.
    pub issuer: Option<String>,
}

/// Why a response is not the one to this request. Nothing may be done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ForeignResponse {
    /// Someone else began that sign-in.
    #[error("its state is not that of this sign-in")]
    State,
    /// Another authorization server has sent it.
    #[error("it comes from another issuer")]
    Issuer,
}

/// One request for a code.
pub(super) struct AuthorizationRequest {
    pub(super) url: Url,
    pub(super) verifier: Secret,
    pub(super) nonce: Option<String>,
    state: String,
    issuer: Option<String>,
    /// Whether the issuer's metadata promises `iss` in each response.
    needs_issuer: bool,
}

impl AuthorizationRequest {
    /// A request to the authorization endpoint.
    ///
    /// # Errors
    /// The system provides no randomness.
    pub(super) fn new(
        endpoint: Url,
        config: &GrantConfig,
        login: &LoginConfig,
        needs_issuer: bool,
    ) -> Result<Self, NoRandomBytes> {
        let (verifier, state) = (unguessable()?, unguessable()?);
        let scopes = config.scope.as_deref().unwrap_or_default();
        let is_openid = scopes.split(' ').any(|scope| scope == "openid");
        let nonce = if is_openid {
            Some(unguessable()?)
        } else {
            None
        };
        let mut url = endpoint;
        let mut query = url.query_pairs_mut();
        query
            .append_pair("response_type", "code")
            .append_pair("client_id", &config.client_id)
            .append_pair("redirect_uri", login.redirect_url.as_str())
            .append_pair("state", &state)
            .append_pair("code_challenge", &challenge(&verifier))
            .append_pair("code_challenge_method", "S256");
        if let Some(scope) = &config.scope {
            query.append_pair("scope", scope);
        }
        if let Some(nonce) = &nonce {
            query.append_pair("nonce", nonce);
        }
        for (name, value) in &config.params {
            query.append_pair(name, value);
        }
        drop(query);
        Ok(Self {
            url,
            verifier: Secret::new(verifier),
            nonce,
            state,
            issuer: login.issuer.clone(),
            needs_issuer,
        })
    }

    /// Whether a response is to this request.
    ///
    /// # Errors
    /// It is not.
    pub(super) fn check(&self, response: &AuthorizationResponse) -> Result<(), ForeignResponse> {
        let state = response.state.as_deref().unwrap_or_default();
        if !is_same_word(state, &self.state) {
            return Err(ForeignResponse::State);
        }
        match (&response.issuer, &self.issuer) {
            (Some(theirs), Some(ours)) if theirs == ours => Ok(()),
            (Some(_), Some(_)) => Err(ForeignResponse::Issuer),
            (None, _) if self.needs_issuer => Err(ForeignResponse::Issuer),
            (Some(_) | None, None) | (None, Some(_)) => Ok(()),
        }
    }
}

/// RFC 7636 4.2, S256.
fn challenge(verifier: &str) -> String {
    let hash = digest::digest(&digest::SHA256, verifier.as_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(hash)
}

#[cfg(test)]
mod tests;
