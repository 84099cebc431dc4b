//! Our own certificate and its key (mutual TLS): read from their files, and what may be wrong with them.

use std::path::{Path, PathBuf};

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use zeroize::Zeroizing;

use crate::config::{self, FileError};

const CERT: &str = "upstream.client_cert_file";
const KEY: &str = "upstream.client_key_file";

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
        /// The file.
        path: PathBuf,
    },
    /// No key in its file, or none that can be read without a passphrase.
    #[error("{} holds no PEM private key without a passphrase", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// Each is fine, and they do not belong together.
    #[error("{} is not the key of the first certificate in {}", key.display(), cert.display())]
    NoPair {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What rustls says.
        source: rustls::Error,
    },
}

impl ClientCertificateError {
    /// The key of the configuration that names the file at fault.
    #[must_use]
    pub const fn key(&self) -> &'static str {
        match self {
            Self::File { key, .. } => key,
            Self::NoCertificate { .. } => CERT,
            Self::NoKey { .. } | Self::NoPair { .. } => KEY,
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

/// Whether the two files can be used, for `check`.
///
/// # Errors
/// Which of them cannot, and why.
pub fn check_client_certificate(
    files: &config::ClientCertificate,
) -> Result<(), ClientCertificateError> {
    read(files, &aws_lc_rs::default_provider()).map(drop)
}

pub(super) fn read(
    files: &config::ClientCertificate,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, ClientCertificateError> {
    let (cert, key) = (&files.cert_file, &files.key_file);
    let pem = bytes(CERT, cert)?;
    let chain = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .ok()
        .filter(|chain| !chain.is_empty())
        .ok_or_else(|| ClientCertificateError::NoCertificate { path: cert.clone() })?;
    let pem = bytes(KEY, key)?;
    let private = PrivateKeyDer::from_pem_slice(&pem)
        .map_err(|_| ClientCertificateError::NoKey { path: key.clone() })?;
    CertifiedKey::from_der(chain, private, provider).map_err(|source| {
        ClientCertificateError::NoPair {
            cert: cert.clone(),
            key: key.clone(),
            source,
        }
    })
}

fn bytes(key: &'static str, path: &Path) -> Result<Zeroizing<Vec<u8>>, ClientCertificateError> {
    const LONGEST: u64 = 1 << 20;
    config::read_regular(path, LONGEST).map_err(|source| ClientCertificateError::File {
        key,
        path: path.to_owned(),
        source,
    })
}
