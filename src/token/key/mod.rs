//! The private key of `private_key_jwt`: reads it from PEM or JWK, signs with it, and generates a new one.
//!
//! Nothing here prints or stores the private part of a key.

mod error;
mod generate;
mod private_key;
mod read;
#[cfg(test)]
mod tests;

use crate::config;
use crate::credentials::Secret;

pub use error::PrivateKeyError;
pub use generate::{GeneratedKey, generate_key};
pub(super) use private_key::PrivateKey;

/// Checks that this key can sign with the configured algorithm, and that the issuer of what it signs is known.
///
/// # Errors
/// See [`PrivateKeyError`].
pub fn check_private_key(config: &config::Assertion, key: &Secret) -> Result<(), PrivateKeyError> {
    let key = PrivateKey::read(key.expose())?;
    key.algorithm(config.algorithm)?;
    if config.has_issuer || key.issuer().is_some() {
        Ok(())
    } else {
        Err(PrivateKeyError::NoIssuer)
    }
}
