//! The secrets of one token request, as they were read from their sources.

use std::collections::BTreeMap;

use super::cause::Cause;
use crate::config::{RequestSource, SourceRole};
use crate::credentials::{Secret, SecretError};

/// The secrets of one token request.
#[derive(Debug, Clone, Default)]
pub struct RequestSecrets(BTreeMap<SourceRole, Secret>);

impl RequestSecrets {
    /// One for each role.
    #[must_use]
    pub fn new(secrets: impl IntoIterator<Item = (SourceRole, Secret)>) -> Self {
        Self(secrets.into_iter().collect())
    }

    /// Reads all sources, one after the other.
    ///
    /// # Errors
    /// The first source that cannot be read, and why.
    pub async fn read(sources: &[RequestSource]) -> Result<Self, (&RequestSource, SecretError)> {
        let mut secrets = BTreeMap::new();
        for source in sources {
            let secret = source.source.read().await;
            secrets.insert(source.role, secret.map_err(|error| (source, error))?);
        }
        Ok(Self(secrets))
    }

    /// The secret of a role.
    #[must_use]
    pub fn get(&self, role: SourceRole) -> Option<&Secret> {
        self.0.get(&role)
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = &Secret> {
        self.0.values()
    }

    /// Whether one of them is empty, which is always a mistake.
    pub(super) fn has_empty(&self) -> bool {
        self.all().any(Secret::is_empty)
    }

    /// Whether a request would be made with the same secrets. Not compared in constant time: both sides are local, and
    /// no caller can measure this.
    pub(super) fn equal(&self, other: &Self) -> bool {
        let same = |(one, other): ((&SourceRole, &Secret), (&SourceRole, &Secret))| {
            one.0 == other.0 && one.1.expose() == other.1.expose()
        };
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(same)
    }
}

/// A secret of a token request that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{what} cannot be read")]
pub struct UnreadableSecret {
    /// The key that names its source.
    pub what: &'static str,
    /// Why.
    #[source]
    pub cause: Cause,
}
