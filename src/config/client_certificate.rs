//! Our own certificate and its key (mutual TLS), for the upstream or the token endpoint: where they stand,
//! reading them, and what may be wrong with them. The key is never in an error.

use std::path::{Path, PathBuf};

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use zeroize::Zeroizing;

use super::file::{FileError, read_regular, readable_by_all};

/// Chains are a few KiB; longer is the wrong file.
const LONGEST: u64 = 1 << 20;

/// A client certificate with its key, both PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// Whom it is shown to, and so which keys name its files.
    pub to: PresentedTo,
    /// The chain, ours first.
    pub cert_file: PathBuf,
    /// PKCS#8, PKCS#1 or SEC1, not encrypted.
    pub key_file: PathBuf,
}

/// Who is shown a client certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PresentedTo {
    /// The API: `upstream.client_cert_file`, `.client_key_file`.
    Upstream,
    /// The authorization server (RFC 8705): `token.client_cert_file`, `.client_key_file`.
    TokenEndpoint,
}

impl PresentedTo {
    /// The key that names the certificate's file.
    #[must_use]
    pub const fn cert_key(self) -> &'static str {
        match self {
            Self::Upstream => "upstream.client_cert_file",
            Self::TokenEndpoint => "token.client_cert_file",
        }
    }

    /// The key that names the private key's file.
    #[must_use]
    pub const fn key_key(self) -> &'static str {
        match self {
            Self::Upstream => "upstream.client_key_file",
            Self::TokenEndpoint => "token.client_key_file",
        }
    }
}

/// The client certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClientCertificateError {
    /// One of its files cannot be read.
    #[error("{} {source}", path.display())]
    File {
        /// Which of the two keys names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: FileError,
    },
    /// No certificate in its file, or a broken one.
    #[error("{} holds no PEM certificate", path.display())]
    NoCertificate {
        /// Which key names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// No key in its file, or none that can be read without a passphrase.
    #[error("{} holds no PEM private key without a passphrase", path.display())]
    NoKey {
        /// Which key names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// Each is fine, and they do not belong together.
    #[error("{} is not the key of the first certificate in {}", path.display(), cert.display())]
    NoPair {
        /// Which key names the private key's file.
        key: &'static str,
        /// The private key's file.
        path: PathBuf,
        /// The certificate's file.
        cert: PathBuf,
        /// What rustls says.
        source: Box<rustls::Error>,
    },
}

impl ClientCertificateError {
    /// The key of the configuration that names the file at fault.
    #[must_use]
    pub const fn key(&self) -> &'static str {
        match self {
            Self::File { key, .. }
            | Self::NoCertificate { key, .. }
            | Self::NoKey { key, .. }
            | Self::NoPair { key, .. } => key,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::File { source, .. } => source.remedy(),
            Self::NoCertificate { .. } => {
                "export the certificate as PEM (-----BEGIN CERTIFICATE-----)".to_owned()
            }
            Self::NoKey { .. } => {
                "export the key as PEM; `openssl pkey -in FILE -out NEW` takes a passphrase off"
                    .to_owned()
            }
            Self::NoPair { .. } => {
                "name the key that the certificate was made with, and put that certificate first"
                    .to_owned()
            }
        }
    }
}

impl ClientCertificate {
    /// Whether the two files can be used.
    ///
    /// # Errors
    /// Which of them cannot, and why.
    pub fn check(&self) -> Result<(), ClientCertificateError> {
        self.read(&aws_lc_rs::default_provider()).map(drop)
    }

    /// A warning, if every user of the machine may read the key.
    #[must_use]
    pub fn exposed(&self) -> Option<String> {
        readable_by_all(&self.key_file)
    }

    /// The pair, as its files have it now. Blocks on the disk.
    ///
    /// # Errors
    /// Which of the files cannot be used, and why.
    pub fn read(&self, provider: &CryptoProvider) -> Result<CertifiedKey, ClientCertificateError> {
        let (cert, path) = (&self.cert_file, &self.key_file);
        let (cert_key, key) = (self.to.cert_key(), self.to.key_key());
        let pem = bytes(cert_key, cert)?;
        let chain = CertificateDer::pem_slice_iter(&pem)
            .collect::<Result<Vec<_>, _>>()
            .ok()
            .filter(|chain| !chain.is_empty())
            .ok_or_else(|| ClientCertificateError::NoCertificate {
                key: cert_key,
                path: cert.clone(),
            })?;
        let pem = bytes(key, path)?;
        let private =
            PrivateKeyDer::from_pem_slice(&pem).map_err(|_| ClientCertificateError::NoKey {
                key,
                path: path.clone(),
            })?;
        CertifiedKey::from_der(chain, private, provider).map_err(|source| {
            ClientCertificateError::NoPair {
                key,
                path: path.clone(),
                cert: cert.clone(),
                source: source.into(),
            }
        })
    }
}

fn bytes(key: &'static str, path: &Path) -> Result<Zeroizing<Vec<u8>>, ClientCertificateError> {
    read_regular(path, LONGEST).map_err(|source| ClientCertificateError::File {
        key,
        path: path.to_owned(),
        source,
    })
}
