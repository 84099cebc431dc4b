//! A single grant, for `cupbearer doctor` and `cupbearer token`.
//!
//! Requests a token as the refresh task does, but does not retry, keep or renew it.

use std::fmt;

use super::client::Client;
use super::grant::Grant;
use super::grant_error::GrantError;
use super::response::AccessToken;
use crate::config;
use crate::credentials::Secret;

/// Everything that is needed to request one token.
pub struct SingleGrant {
    grant: Grant,
    secret: Secret,
}

impl fmt::Debug for SingleGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SingleGrant").field(&self.grant).finish()
    }
}

impl SingleGrant {
    /// `secret` is what was read from [`config::TokenConfig::credential`].
    #[must_use]
    pub fn new(config: &config::TokenConfig, client: Client, secret: Secret) -> Self {
        Self {
            grant: Grant::new(config.clone(), client),
            secret,
        }
    }

    /// Requests a token. Sends a second request only if the first was rejected because the clocks differ. Takes at
    /// most 10 s, metadata included.
    ///
    /// # Errors
    /// Why there is no token.
    pub async fn request(&self) -> Result<AccessToken, GrantError> {
        if self.secret.is_empty() {
            return Err(GrantError::SecretEmpty);
        }
        self.grant.exchange(&self.secret).await
    }
}
