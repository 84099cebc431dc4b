//! Revokes a token at the authorization server (RFC 7009).

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::client::unreachable;
use super::client_auth::FormBody;
use super::grant::Grant;
use super::grant_error::GrantError;
use super::request_secrets::RequestSecrets;
use super::response_body::error_response;
use crate::credentials::Secret;

/// A person waits for it.
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
        let connected = AtomicBool::new(false);
        let revoking = self.post_revocation(secrets, token, kind, &connected);
        self.while_presentable(secrets, (LIMIT, None), &connected, revoking)
            .await
    }

    async fn post_revocation(
        &self,
        secrets: &RequestSecrets,
        token: &Secret,
        kind: RevokedToken,
        connected: &AtomicBool,
    ) -> Result<bool, GrantError> {
        let http = self.http().await?;
        let Some(endpoint) = self.endpoints(&http, connected).await?.revocation else {
            return Ok(false);
        };
        let credential = self.credential(secrets, vec![token]);
        let mut form = FormBody::with_capacity_for(token.expose().len() + 2048);
        form.append_pair("token", token.expose());
        let hint: &[u8] = match kind {
            RevokedToken::Access => b"access_token",
            RevokedToken::Refresh => b"refresh_token",
        };
        form.append_pair("token_type_hint", hint);
        let request = self.request(&credential, form)?;
        let sent = http.send(&endpoint, request, connected).await;
        let mut response =
            sent.map_err(|failure| unreachable(self.server(Some(&endpoint)), failure))?;
        if response.status().is_success() {
            return Ok(true);
        }
        Err(error_response(&mut response, &credential).await)
    }
}
