//! One token, asked for once and kept by nobody: for the doctor and for `cupbearer token`.
//!
//! The same exchange as the task's, with nothing of its plan: no retry, no state.

use std::fmt;
use std::time::Duration;

use http::HeaderValue;

use super::client::Client;
use super::failure::Failure;
use super::grant::Grant;
use crate::config;
use crate::credentials::Secret;

/// Everything that one exchange needs.
pub struct Once {
    grant: Grant,
    secret: Secret,
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Once").field(&self.grant).finish()
    }
}

/// What it brought.
#[derive(Debug, Clone)]
pub struct Obtained {
    /// `Bearer …`, marked sensitive.
    pub header: HeaderValue,
    /// From the moment before the request was sent.
    pub lifetime: Duration,
}

impl Once {
    /// With the credential that [`config::TokenConfig::credential`] holds.
    #[must_use]
    pub fn new(config: &config::TokenConfig, client: Client, secret: Secret) -> Self {
        Self {
            grant: Grant::new(config.clone(), client),
            secret,
        }
    }

    /// Asks once; a second time only where the first was refused because the clocks differ. Takes 10 s
    /// at most, metadata included.
    ///
    /// # Errors
    /// Why there is no token.
    pub async fn ask(&self) -> Result<Obtained, Failure> {
        if self.secret.is_empty() {
            return Err(Failure::SecretEmpty);
        }
        let granted = self.grant.exchange(&self.secret).await?;
        Ok(Obtained {
            header: granted.header,
            lifetime: granted.lifetime,
        })
    }
}

impl Obtained {
    /// The token without its scheme, for whoever must show it or look inside.
    #[must_use]
    pub fn token(&self) -> &str {
        // A grant admits only visible ASCII.
        let header = self.header.to_str().unwrap_or_default();
        header.strip_prefix("Bearer ").unwrap_or_default()
    }
}
