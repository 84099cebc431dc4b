//! The secrets of one token request, as they were read from their sources.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use tokio::time::sleep;

use super::cause::Cause;
use super::jwt::is_renewal;
use super::presented::{PresentedTokenDefect, check_presented};
use crate::config::{RequestSource, SecretForm, SourceRole};
use crate::credentials::{FileError, Secret, SecretError, SecretSource};

/// The secrets of one token request.
#[derive(Debug, Clone, Default)]
pub struct RequestSecrets(BTreeMap<SourceRole, ReadSecret>);

/// A secret, and whether someone else renews it.
#[derive(Debug, Clone)]
struct ReadSecret {
    secret: Secret,
    /// Not true of an access token: a new one is used at once.
    is_renewed: bool,
}

impl RequestSecrets {
    /// Only what the client authenticates with.
    #[cfg(test)]
    pub(crate) fn of_client(secret: Secret) -> Self {
        let secret = ReadSecret {
            secret,
            is_renewed: false,
        };
        Self(BTreeMap::from([(SourceRole::Client, secret)]))
    }

    /// Reads all sources, one after the other. What is in `known` and cannot change without a restart or a rejection is
    /// taken from there.
    ///
    /// # Errors
    /// The first source that cannot be read, and why.
    pub async fn read<'a>(
        sources: &'a [RequestSource],
        known: Option<&Self>,
    ) -> Result<Self, (&'a RequestSource, SecretError)> {
        let mut secrets = BTreeMap::new();
        for source in sources {
            let kept = known.filter(|_| !source.source.may_change());
            if let Some(kept) = kept.and_then(|known| known.0.get(&source.role)) {
                secrets.insert(source.role, kept.clone());
                continue;
            }
            let secret = ReadSecret {
                secret: read(source).await.map_err(|error| (source, error))?,
                is_renewed: source.form.is_renewed()
                    && !matches!(source.form, SecretForm::AccessToken),
            };
            secrets.insert(source.role, secret);
        }
        Ok(Self(secrets))
    }

    /// The secret of a role.
    #[must_use]
    pub fn get(&self, role: SourceRole) -> Option<&Secret> {
        self.0.get(&role).map(|read| &read.secret)
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = &Secret> {
        self.0.values().map(|read| &read.secret)
    }

    /// Whether someone else renews one of them, so that all are read again for each request.
    pub(super) fn has_renewed(&self) -> bool {
        self.0.values().any(|read| read.is_renewed)
    }

    /// Whether one of them is empty, which is always a mistake.
    pub(super) fn has_empty(&self) -> bool {
        self.all().any(Secret::is_empty)
    }

    /// Whether a request would be made with the same secrets. Not compared in constant time: both sides are local, and
    /// no caller can measure this.
    pub(super) fn equal(&self, other: &Self) -> bool {
        self.differs_in(other).next().is_none()
    }

    /// Whether a secret differs that nobody renews: only such a change is worth a request while there is a token.
    pub(super) fn differs_in_kept(&self, other: &Self) -> bool {
        self.differs_in(other).any(|is_renewed| !is_renewed)
    }

    /// Whether only tokens differ that someone else renews, and each is a JWT for the same as the one before.
    pub(super) fn is_renewed_by(&self, other: &Self) -> bool {
        !self.differs_in_kept(other)
            && self.0.iter().all(|(role, ours)| {
                let ours = ours.secret.expose();
                let theirs = other.get(*role).map(Secret::expose);
                theirs.is_some_and(|theirs| theirs == ours || is_renewal(ours, theirs))
            })
    }

    /// For each secret that differs, whether it is one that someone else renews.
    fn differs_in(&self, other: &Self) -> impl Iterator<Item = bool> {
        self.0.iter().filter_map(|(role, ours)| {
            let same = other
                .get(*role)
                .is_some_and(|theirs| theirs.expose() == ours.secret.expose());
            (!same).then_some(ours.is_renewed)
        })
    }
}

/// How many times a file that holds no token is read again.
const REREADS: u32 = 10;
const REREAD_INTERVAL: Duration = Duration::from_millis(100);

/// Reads one source. A file that others renew may be written in place (as SPIFFE's helper does), so one that holds no
/// token is read again for a second.
async fn read(source: &RequestSource) -> Result<Secret, SecretError> {
    let mut read = source.source.read().await;
    if !source.form.is_renewed() || !source.source.may_change() {
        return read;
    }
    for _ in 0..REREADS {
        let is_cut = match &read {
            Ok(secret) => {
                let token = check_presented(source, secret.expose(), SystemTime::UNIX_EPOCH);
                token == Err(PresentedTokenDefect::NotJwt)
            }
            Err(error) => matches!(error, SecretError::Empty(_)),
        };
        if !is_cut {
            break;
        }
        sleep(REREAD_INTERVAL).await;
        read = source.source.read().await;
    }
    read
}

/// Whether someone else may still write what could not be read.
#[must_use]
pub fn is_awaited(source: &RequestSource, error: &SecretError) -> bool {
    let is_missing = matches!(
        error,
        SecretError::Empty(_)
            | SecretError::File {
                source: FileError::Missing,
                ..
            }
    );
    let is_file = matches!(source.source, SecretSource::File(_));
    source.form.is_renewed() && is_file && is_missing
}

/// A secret of a token request that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{what} cannot be read")]
pub struct UnreadableSecret {
    /// The key that names its source.
    pub what: &'static str,
    /// Whether someone else renews it, so that it may be readable later.
    pub is_renewed: bool,
    /// Why.
    #[source]
    pub cause: Cause,
}
