//! Revokes a token at the authorization server (RFC 7009).

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use url::Url;

use super::client::unreachable;
use super::client_auth::FormBody;
use super::grant::Grant;
use super::grant_error::GrantError;
use super::request_secrets::RequestSecrets;
use super::response_body::error_response;
use super::unreachable::{EndpointRole, TokenServer};
use crate::config::REVOCATION_URL_KEY;
use crate::credentials::Secret;

/// A person waits for it: for the metadata, if they have not been read yet, and for the request.
const LIMIT: Duration = Duration::from_secs(4);

/// Which token is revoked, as the server may want to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RevokedToken {
    Access,
    Refresh,
}

impl Grant {
    /// Revokes a token. Returns whether the server can do so at all.
    ///
    /// # Errors
    /// Why the server has not confirmed it.
    pub(super) async fn revoke(
        &self,
        secrets: &RequestSecrets,
        token: &Secret,
        kind: RevokedToken,
    ) -> Result<bool, GrantError> {
        let Some(endpoint) = self.login_endpoints(LIMIT).await?.revocation else {
            return Ok(false);
        };
        let login = self.config.login();
        let configured = login.and_then(|login| login.revocation_url.as_ref());
        let key = (REVOCATION_URL_KEY, configured);
        let server = self.server_as(EndpointRole::Revocation, &endpoint, key);
        let connected = AtomicBool::new(false);
        let revoking = self.post_revocation(&endpoint, &server, secrets, (token, kind), &connected);
        let limit = (LIMIT, Some(server.clone()));
        self.while_presentable(secrets, limit, &connected, revoking)
            .await?;
        Ok(true)
    }

    async fn post_revocation(
        &self,
        endpoint: &Url,
        server: &TokenServer,
        secrets: &RequestSecrets,
        (token, kind): (&Secret, RevokedToken),
        connected: &AtomicBool,
    ) -> Result<(), GrantError> {
        let http = self.http().await?;
        let credential = self.credential(secrets, vec![token]);
        let mut form = FormBody::with_capacity_for(token.expose().len() + 2048);
        form.append_pair("token", token.expose());
        let hint: &[u8] = match kind {
            RevokedToken::Access => b"access_token",
            RevokedToken::Refresh => b"refresh_token",
        };
        form.append_pair("token_type_hint", hint);
        let request = self.request(&credential, form)?;
        let sent = http.send(endpoint, request, connected).await;
        let mut response = sent.map_err(|failure| unreachable(server.clone(), failure))?;
        if response.status().is_success() {
            return Ok(());
        }
        let error = error_response(&mut response, &credential).await;
        Err(error.responded_by(EndpointRole::Revocation))
    }
}
