//! A single grant, for `cupbearer doctor` and `cupbearer token`.
//!
//! Requests a token as the refresh task does, but does not retry, keep or renew it.

use std::fmt;

use super::client::Client;
use super::grant::Grant;
use super::grant_error::GrantError;
use super::ownership::Ownership;
use super::request_secrets::RequestSecrets;
use super::response::AccessToken;
use super::source::SourceLook;
use crate::config::{self, TokenOrigin};

/// Everything that is needed to obtain one token.
pub struct SingleGrant {
    from: GrantOrSource,
    secrets: RequestSecrets,
}

#[derive(Debug)]
enum GrantOrSource {
    Grant(Box<Grant>),
    Source(Box<SourceLook>),
    /// A person, who signs in only to the running proxy.
    Person,
}

impl fmt::Debug for SingleGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SingleGrant").field(&self.from).finish()
    }
}

impl SingleGrant {
    /// `secrets` is what was read from [`config::TokenConfig::requests`].
    #[must_use]
    pub fn new(config: &config::TokenConfig, client: Client, secrets: RequestSecrets) -> Self {
        let from = match &config.origin {
            TokenOrigin::Grant(grant) if grant.login().is_some() => GrantOrSource::Person,
            TokenOrigin::Grant(grant) => {
                GrantOrSource::Grant(Box::new(Grant::new((**grant).clone(), client)))
            }
            TokenOrigin::SignIn(_) => GrantOrSource::Person,
            TokenOrigin::Source(source) => {
                let look = SourceLook::new((**source).clone(), client, Ownership::default());
                GrantOrSource::Source(Box::new(look))
            }
        };
        Self { from, secrets }
    }

    /// Requests a token. Sends a second request only if the first was rejected because the clocks differ. Takes at
    /// most 10 s, metadata included, or 30 s if a command obtains the token.
    ///
    /// # Errors
    /// Why there is no token.
    pub async fn request(&self) -> Result<AccessToken, GrantError> {
        if self.secrets.has_empty() {
            return Err(GrantError::SecretEmpty);
        }
        match &self.from {
            GrantOrSource::Grant(grant) => grant.exchange(&self.secrets).await,
            GrantOrSource::Source(source) => source.obtain().await,
            GrantOrSource::Person => Err(GrantError::OnlyPerson),
        }
    }
}
