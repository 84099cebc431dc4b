//! What renews the tokens of a person who has signed in at the authorization server.

use std::sync::Arc;

use super::authorization::{AuthorizationRequest, NoRandomBytes};
use super::device_authorization::DeviceResponseDefect;
use super::grant::Grant;
use super::grant_error::GrantError;
use super::grant_revocation::RevokedToken;
use super::granted_tokens::GrantedTokens;
use super::login_session::LoginSession;
use super::request_secrets::RequestSecrets;
use super::secret_reader::ReadSecrets;
use super::session_store::SessionStore;
use crate::config::LoginConfig;
use crate::credentials::Secret;

/// The client at the authorization server, and the session of the person who is signed in there.
#[derive(Clone)]
pub(super) struct PersonLogin {
    pub(super) grant: Arc<Grant>,
    pub(super) config: Arc<LoginConfig>,
    pub(super) read_secrets: ReadSecrets,
    pub(super) session: Arc<LoginSession>,
    pub(super) store: Arc<SessionStore>,
}

/// What is revoked of tokens that are not used.
pub(super) struct UnusedTokens(Option<(Secret, RevokedToken)>);

impl UnusedTokens {
    pub(super) fn of(granted: &GrantedTokens) -> Self {
        if let Some(token) = &granted.refresh {
            return Self(Some((token.clone(), RevokedToken::Refresh)));
        }
        let access = granted.access.as_ref().ok();
        Self(access.map(|token| (Secret::new(token.as_str()), RevokedToken::Access)))
    }
}

/// Why no sign-in can begin.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// Nobody signs in to this proxy with a browser.
    #[error(
        "nobody signs in to this proxy with a browser: token.grant is not \"authorization_code\""
    )]
    NotExpected,
    /// A browser never returns.
    #[error("token.grant is \"device_code\": sign in with `cupbearer login --device`")]
    OnlyDevice,
    /// Nobody signs in at an authorization server.
    #[error(
        "nobody signs in to this proxy with a code: token.grant is neither \"device_code\" nor \"authorization_code\""
    )]
    NoDeviceGrant,
    /// Nothing says where a code is requested.
    #[error(
        "no device authorization endpoint that uses https is known: the server's metadata names none, so it has none, \
         or set token.device_url"
    )]
    NoDeviceEndpoint,
    /// The response with the code cannot be used.
    #[error("the response of the device authorization endpoint cannot be used: {0}")]
    DeviceResponse(#[from] DeviceResponseDefect),
    /// The authorization server does not respond as it should.
    #[error(transparent)]
    Server(#[from] GrantError),
    /// Its metadata does not say where a person signs in.
    #[error(
        "the issuer's metadata names no authorization_endpoint that uses https: the server has none, or set \
         token.authorization_url"
    )]
    NoEndpoint,
    /// Without it, a code that someone else has seen could be used.
    #[error("the authorization server does not support PKCE with S256, which is required")]
    NoS256,
    /// The system provides no randomness.
    #[error(transparent)]
    NoRandomBytes(#[from] NoRandomBytes),
}

impl LoginError {
    /// Whether only another configuration, or another command, can change it.
    #[must_use]
    pub const fn is_configured_so(&self) -> bool {
        match self {
            Self::NotExpected | Self::OnlyDevice | Self::NoDeviceGrant | Self::NoDeviceEndpoint => {
                true
            }
            Self::DeviceResponse(_)
            | Self::Server(_)
            | Self::NoEndpoint
            | Self::NoS256
            | Self::NoRandomBytes(_) => false,
        }
    }
}

impl PersonLogin {
    /// What the client authenticates with.
    pub(super) async fn secrets(&self) -> Result<RequestSecrets, GrantError> {
        let read = (self.read_secrets)(None).await;
        let secrets = read.map_err(GrantError::SecretUnreadable)?;
        if secrets.has_empty() {
            return Err(GrantError::SecretEmpty);
        }
        Ok(secrets)
    }

    /// Prepares the address at which a person signs in.
    pub(super) async fn authorization_request(&self) -> Result<AuthorizationRequest, LoginError> {
        let endpoints = self.grant.login_endpoints(self.grant.limit).await?;
        if endpoints.lacks_s256 {
            return Err(LoginError::NoS256);
        }
        let endpoint = endpoints.authorization.ok_or(LoginError::NoEndpoint)?;
        let request = AuthorizationRequest::new(
            endpoint,
            &self.grant.config,
            &self.config,
            endpoints.sends_issuer,
        )?;
        Ok(request)
    }

    /// Revokes tokens that are not used: the refresh token, which ends the session with every access token, or else the
    /// access token.
    pub(super) async fn revoke_unused(&self, unused: UnusedTokens) {
        if let Some((token, kind)) = unused.0 {
            self.revoke(&token, kind).await;
        }
    }

    /// Revokes a token that is no longer used. Returns what the person should know if that has failed.
    pub(super) async fn revoke(&self, token: &Secret, kind: RevokedToken) -> Option<String> {
        let revoked = match self.secrets().await {
            Ok(secrets) => self.grant.revoke(&secrets, token, kind).await,
            Err(error) => Err(error),
        };
        match revoked {
            Ok(true) => None,
            Ok(false) => Some(
                "the authorization server names no revocation endpoint, so the token was not revoked"
                    .to_owned(),
            ),
            Err(error) => {
                let error = error.chain();
                tracing::warn!(
                    proxy = self.grant.proxy,
                    error,
                    "the token could not be revoked"
                );
                Some(format!("the token could not be revoked: {error}"))
            }
        }
    }
}
