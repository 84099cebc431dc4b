//! The client certificate for the token endpoint: read from its files for each request, and used for as long as the
//! files belong to the identity.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;

use super::grant_error::GrantError;
use super::ownership::{Ownership, SecretOfAnother, SourceOwner};
use super::request_secrets::UnreadableSecret;
use crate::credentials::{CertificateFiles, has_same_holder};

/// The files of a certificate, and the last one from there that belongs to this identity.
pub(super) struct ClientCertificate {
    files: CertificateFiles,
    pub(super) ownership: Ownership,
    last: Mutex<Option<CertifiedKey>>,
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClientCertificate")
            .field(&self.files)
            .finish()
    }
}

impl ClientCertificate {
    /// Reads nothing yet.
    pub(super) fn new(files: CertificateFiles) -> Self {
        Self {
            files,
            ownership: Ownership::default(),
            last: Mutex::default(),
        }
    }

    /// The certificate and its key to present now.
    ///
    /// # Errors
    /// No certificate may be used.
    pub(super) async fn read(
        &self,
        provider: Arc<CryptoProvider>,
    ) -> Result<CertifiedKey, GrantError> {
        let pair = self.files.read_in_background(provider).await;
        let pair = pair.map_err(GrantError::CertificateUnusable)?;
        if !self.may_use(&pair).await {
            return self.last().ok_or_else(|| {
                GrantError::SecretUnreadable(UnreadableSecret {
                    what: self.files.to.cert_key(),
                    is_renewed: false,
                    cause: SecretOfAnother.into(),
                })
            });
        }
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(pair.clone());
        Ok(pair)
    }

    /// A certificate that an authority renews changes all the time, so a configuration that cannot be read does not
    /// keep a renewed one from being used.
    async fn may_use(&self, pair: &CertifiedKey) -> bool {
        let renews = |last: CertifiedKey| match (last.cert.first(), pair.cert.first()) {
            (Some(last), Some(own)) => last == own || has_same_holder(last, own),
            (None, _) | (_, None) => false,
        };
        self.last().is_some_and(renews) || self.ownership.owner().await == SourceOwner::This
    }

    fn last(&self) -> Option<CertifiedKey> {
        self.last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
