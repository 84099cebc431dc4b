//! A single grant, for `cupbearer doctor` and `cupbearer token`.
//!
//! Requests a token as the refresh task does, but does not retry, keep or renew it.

use std::fmt;

use super::client::Client;
use super::grant::Grant;
use super::grant_error::GrantError;
use super::request_secrets::RequestSecrets;
use super::response::AccessToken;
use crate::config;

/// Everything that is needed to request one token.
pub struct SingleGrant {
    grant: Grant,
    secrets: RequestSecrets,
}

impl fmt::Debug for SingleGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SingleGrant").field(&self.grant).finish()
    }
}

impl SingleGrant {
    /// `secrets` is what was read from [`config::TokenConfig::sources`].
    #[must_use]
    pub fn new(config: &config::TokenConfig, client: Client, secrets: RequestSecrets) -> Self {
        Self {
            grant: Grant::new(config.clone(), client),
            secrets,
        }
    }

    /// Requests a token. Sends a second request only if the first was rejected because the clocks differ. Takes at
    /// most 10 s, metadata included.
    ///
    /// # Errors
    /// Why there is no token.
    pub async fn request(&self) -> Result<AccessToken, GrantError> {
        if self.secrets.has_empty() {
            return Err(GrantError::SecretEmpty);
        }
        self.grant.exchange(&self.secrets).await
    }
}
