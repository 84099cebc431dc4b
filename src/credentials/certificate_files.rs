//! A certificate and its private key, which this process presents to a client, to the upstream or to the token
//! endpoint: which files hold them, reading these, and what can be wrong with them. No error contains the private key.
//!
//! Those for clients and for the upstream are read when TLS is set up: at the start, and whenever `reload` prepares a
//! new generation. Those for the token endpoint are read for each token request.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_cert::Certificate;
use x509_cert::certificate::Version;
use x509_cert::der::Decode as _;
use x509_cert::name::Name;
use zeroize::Zeroizing;

use super::bounded_read::{FILE_TIMEOUT, read_within};
use super::certificate_defect::{CertificateDefect, has_unnamed_curve};
use super::pem::{PemDefect, pem_certificates};
use super::regular_file::{self, FileError, read_regular};
use crate::text::{counted, date_and_time};

/// The seconds of a day.
const DAY: u64 = 24 * 60 * 60;

/// How long before the end of a certificate's validity to warn.
pub const EXPIRY_NOTICE: Duration = Duration::from_secs(14 * DAY);

/// A chain has a few KiB; a longer file is the wrong file.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The files of a certificate and its private key, both PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// Whom it is presented to, which decides the configuration keys of the two files.
    pub to: PresentedTo,
    /// The certificate chain, the certificate that belongs to the key first.
    pub cert_file: PathBuf,
    /// The private key: PKCS#8, PKCS#1 or SEC1, not encrypted.
    pub key_file: PathBuf,
}

/// The peer that a certificate is presented to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PresentedTo {
    /// The API: `upstream.client_cert_file`, `.client_key_file`.
    Upstream,
    /// The authorization server (RFC 8705): `token.client_cert_file`, `.client_key_file`.
    TokenEndpoint,
    /// The clients of the listener: `tls.cert_file`, `.key_file`.
    Clients,
}

impl PresentedTo {
    /// The configuration key that names the certificate's file.
    #[must_use]
    pub const fn cert_key(self) -> &'static str {
        match self {
            Self::Upstream => "upstream.client_cert_file",
            Self::TokenEndpoint => "token.client_cert_file",
            Self::Clients => "tls.cert_file",
        }
    }

    /// The configuration key that names the private key's file.
    #[must_use]
    pub const fn private_key_setting(self) -> &'static str {
        match self {
            Self::Upstream => "upstream.client_key_file",
            Self::TokenEndpoint => "token.client_key_file",
            Self::Clients => "tls.key_file",
        }
    }

    /// Its value of the label `use` of `cupbearer_certificate_expires_at_seconds`.
    #[must_use]
    pub const fn metric_label(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::TokenEndpoint => "token",
            Self::Clients => "listener",
        }
    }
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateFilesError {
    /// One of its files cannot be read.
    #[error("{} {source}", path.display())]
    File {
        /// The configuration key that names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: FileError,
    },
    /// The certificate's file holds no certificate, or an invalid one.
    #[error("{} cannot be used: {defect}", path.display())]
    NoCertificate {
        /// The configuration key that names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        defect: PemDefect,
    },
    /// TLS requires version 3 (RFC 5246 7.4.2, RFC 8446 4.4.2), and so does every other library that checks it.
    #[error("the first certificate in {} has version 1, and TLS requires version 3", path.display())]
    OldVersion {
        /// The configuration key that names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// The private key's file holds no key, or none that can be read without a passphrase.
    #[error("{} holds no PEM private key without a passphrase", path.display())]
    NoKey {
        /// The configuration key that names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// The private key is of a kind that TLS does not use, or damaged.
    #[error("{} holds a private key that cannot be used", path.display())]
    UnusableKey {
        /// The configuration key that names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// The error of rustls.
        source: Box<rustls::Error>,
    },
    /// The certificate and the key are valid but do not belong together.
    #[error("{} is not the key of the first certificate in {}", path.display(), cert.display())]
    KeyMismatch {
        /// The configuration key that names the private key's file.
        key: &'static str,
        /// The private key's file.
        path: PathBuf,
        /// The certificate's file.
        cert: PathBuf,
    },
}

impl CertificateFilesError {
    /// The configuration key that names the file at fault.
    #[must_use]
    pub const fn key(&self) -> &'static str {
        match self {
            Self::File { key, .. }
            | Self::NoCertificate { key, .. }
            | Self::OldVersion { key, .. }
            | Self::NoKey { key, .. }
            | Self::UnusableKey { key, .. }
            | Self::KeyMismatch { key, .. } => key,
        }
    }

    /// How to fix it.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::File { source, .. } => source.remedy(),
            Self::NoCertificate { defect, .. } => defect.remedy().to_owned(),
            Self::OldVersion { .. } => {
                "issue it again with an extension, which makes it version 3: `openssl x509 -req -extfile FILE …`, where \
                 FILE contains `basicConstraints = CA:FALSE`"
                    .to_owned()
            }
            Self::UnusableKey { .. } => {
                "use an RSA key of at least 2048 bits, or one on P-256, P-384, P-521 or Ed25519".to_owned()
            }
            Self::NoKey { .. } => {
                "export the key as PEM; `openssl pkey -in FILE -out NEW` removes a passphrase"
                    .to_owned()
            }
            Self::KeyMismatch { .. } => {
                "name the private key of that certificate, and put that certificate first in its file"
                    .to_owned()
            }
        }
    }
}

impl CertificateFiles {
    /// Checks that the two files can be used. Returns a warning if the certificate expires soon.
    ///
    /// # Errors
    /// Which files cannot be used, and why: at least one.
    pub fn check(&self) -> Result<Option<String>, Vec<CertificateFilesError>> {
        let provider = aws_lc_rs::default_provider();
        let pair = self.read(&provider).map_err(|error| {
            // The certificate is read first.
            let is_of_certificate = error.key() == self.to.cert_key();
            let key = is_of_certificate.then(|| self.read_key().err()).flatten();
            [Some(error), key].into_iter().flatten().collect::<Vec<_>>()
        })?;
        let expires = not_after(&pair.cert);
        Ok(expires.and_then(|expires| self.expiry_warning(expires, SystemTime::now())))
    }

    /// What to say about a certificate whose validity ends within two weeks of `now`, or has ended. `not_after` is
    /// since 1970.
    #[must_use]
    pub fn expiry_warning(&self, not_after: Duration, now: SystemTime) -> Option<String> {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let left = not_after.saturating_sub(now);
        if left > EXPIRY_NOTICE {
            return None;
        }
        let (key, path) = (self.to.cert_key(), self.cert_file.display());
        let when = date_and_time(UNIX_EPOCH + not_after)?;
        Some(if left.is_zero() {
            format!("{key}: a certificate in {path} expired at {when}; replace it")
        } else {
            let days = counted(usize::try_from(left.as_secs() / DAY).ok()?, "day");
            format!("{key}: a certificate in {path} expires at {when} (in {days}); replace it")
        })
    }

    /// A warning if every user of the machine can read the private key.
    #[must_use]
    pub fn exposed(&self) -> Option<String> {
        regular_file::exposed(&self.key_file)
    }

    /// Reads the certificate and its key on another thread, which has 5 s.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub async fn read_in_background(
        &self,
        provider: Arc<CryptoProvider>,
    ) -> Result<CertifiedKey, CertificateFilesError> {
        let files = self.clone();
        let read = read_within(FILE_TIMEOUT, &self.cert_file, move || files.read(&provider)).await;
        read.unwrap_or_else(|error| {
            Err(CertificateFilesError::File {
                key: self.to.cert_key(),
                path: self.cert_file.clone(),
                source: FileError::Other(error),
            })
        })
    }

    /// Reads the certificate and its key from their files. Blocks on the disk.
    ///
    /// # Errors
    /// Which file cannot be used, and why.
    pub fn read(&self, provider: &CryptoProvider) -> Result<CertifiedKey, CertificateFilesError> {
        let (cert, path) = (&self.cert_file, &self.key_file);
        let (cert_key, key) = (self.to.cert_key(), self.to.private_key_setting());
        let pem = read_file(cert_key, cert)?;
        // A file may hold the private key too, so other sections are not reported.
        let chain = pem_certificates(&pem, |_| Ok(()))
            .map_err(|defect| CertificateFilesError::NoCertificate {
                key: cert_key,
                path: cert.clone(),
                defect,
            })?
            .certificates;
        let private = self.read_key()?;
        let count = chain.len();
        let first = chain.first().cloned();
        CertifiedKey::from_der(chain, private, provider).map_err(|source| {
            let unusable = |defect| CertificateFilesError::NoCertificate {
                key: cert_key,
                path: cert.clone(),
                defect: PemDefect::Broken {
                    number: 1,
                    count,
                    defect,
                },
            };
            let der = first.as_ref().map_or(&[][..], AsRef::as_ref);
            match source {
                rustls::Error::InconsistentKeys(_) if has_unnamed_curve(der) => {
                    unusable(CertificateDefect::UnnamedCurve)
                }
                rustls::Error::InconsistentKeys(_) => CertificateFilesError::KeyMismatch {
                    key,
                    path: path.clone(),
                    cert: cert.clone(),
                },
                rustls::Error::InvalidCertificate(_) if has_version_1(der) => {
                    CertificateFilesError::OldVersion {
                        key: cert_key,
                        path: cert.clone(),
                    }
                }
                rustls::Error::InvalidCertificate(_) => {
                    unusable(CertificateDefect::of_rejected(&der.into()))
                }
                source => CertificateFilesError::UnusableKey {
                    key,
                    path: path.clone(),
                    source: Box::new(source),
                },
            }
        })
    }

    fn read_key(&self) -> Result<PrivateKeyDer<'static>, CertificateFilesError> {
        let (key, path) = (self.to.private_key_setting(), &self.key_file);
        let pem = read_file(key, path)?;
        PrivateKeyDer::from_pem_slice(&pem).map_err(|_| CertificateFilesError::NoKey {
            key,
            path: path.clone(),
        })
    }
}

/// When a chain that we present stops being valid, since 1970: at the end of the first of its certificates to expire. A
/// self-signed one at its end does not count, because peers use their own. `None` if the first one cannot be parsed.
#[must_use]
pub fn not_after(chain: &[CertificateDer<'_>]) -> Option<Duration> {
    let (first, others) = chain.split_first()?;
    let is_issued = |der: &&CertificateDer<'_>| {
        let parsed = Certificate::from_der(der).ok();
        parsed.is_some_and(|one| one.tbs_certificate().issuer() != one.tbs_certificate().subject())
    };
    let issued = others.iter().filter(is_issued).cloned();
    let chain: Vec<_> = std::iter::once(first.clone()).chain(issued).collect();
    chain_end(&chain, &[])
}

/// When a chain stops being valid, since 1970: at the end of the first of its certificates to expire, up to one
/// that these authorities have issued, as far as a peer's chain is verified. `None` if the first one
/// cannot be parsed.
#[must_use]
pub fn chain_end(
    chain: &[CertificateDer<'_>],
    authorities: &[CertificateDer<'_>],
) -> Option<Duration> {
    let (first, others) = chain.split_first()?;
    let first = Certificate::from_der(first).ok()?;
    let parsed = |certificates: &[CertificateDer<'_>]| -> Vec<Certificate> {
        let parsed = certificates
            .iter()
            .map(|one| Certificate::from_der(one).ok());
        parsed.flatten().collect()
    };
    if others.is_empty() {
        return Some(end_of(&first));
    }
    let (others, authorities) = (parsed(others), parsed(authorities));
    let is_subject = |one: &Certificate, issuer: &Name| one.tbs_certificate().subject() == issuer;
    let mut end = end_of(&first);
    let mut current = &first;
    // Each certificate counts at most once, so a circle ends too.
    for _ in &others {
        let issuer = current.tbs_certificate().issuer();
        if authorities.iter().any(|one| is_subject(one, issuer)) {
            break;
        }
        // Of several, any may be the one that was verified, and the last to expire will be.
        let issuers = others.iter().filter(|one| is_subject(one, issuer));
        let Some(next) = issuers.max_by_key(|one| end_of(one)) else {
            break;
        };
        end = end.min(end_of(next));
        current = next;
    }
    Some(end)
}

fn end_of(certificate: &Certificate) -> Duration {
    let validity = certificate.tbs_certificate().validity();
    validity.not_after.to_unix_duration()
}

/// The default version is the first, so it is not written (RFC 5280 4.1).
fn has_version_1(certificate: &[u8]) -> bool {
    Certificate::from_der(certificate)
        .is_ok_and(|certificate| certificate.tbs_certificate().version() == Version::V1)
}

fn read_file(key: &'static str, path: &Path) -> Result<Zeroizing<Vec<u8>>, CertificateFilesError> {
    read_regular(path, MAX_FILE_BYTES).map_err(|source| CertificateFilesError::File {
        key,
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests;
