//! The client certificate for the token endpoint (RFC 8705 2), read from its files.
//!
//! Knows TLS, not HTTP. The key is never in an error.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use crate::config::{self, FileError, read_regular};

/// Chains are a few KiB; longer is the wrong file.
const LONGEST: u64 = 1 << 20;

/// Why it cannot be presented.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// One of the files cannot be read.
    #[error("{} {source}", path.display())]
    File {
        /// As configured.
        path: PathBuf,
        /// Why.
        source: FileError,
    },
    /// No certificate in it, or a broken one.
    #[error("{} holds no certificate that can be read", .0.display())]
    NoCertificate(PathBuf),
    /// No key in it, an encrypted or a broken one.
    #[error("{} holds no private key that can be read", .0.display())]
    NoKey(PathBuf),
    /// Each is good, but not for the other, or not for TLS.
    #[error("the certificate and its key do not go together")]
    Mismatch,
}

/// Whether the files hold a certificate and its key.
///
/// # Errors
/// See [`CertificateError`].
pub fn check_certificate(files: &config::Certificate) -> Result<(), CertificateError> {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    certified(files, &provider).map(drop)
}

/// `tls` with this certificate for whoever asks for one. No session is resumed: it would keep the
/// certificate of before.
pub(super) fn present(
    files: &config::Certificate,
    mut tls: rustls::ClientConfig,
) -> Result<rustls::ClientConfig, CertificateError> {
    let certified = certified(files, tls.crypto_provider())?;
    tls.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(certified));
    tls.resumption = Resumption::disabled();
    Ok(tls)
}

fn certified(
    files: &config::Certificate,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, CertificateError> {
    let read = |path: &PathBuf| {
        read_regular(path, LONGEST).map_err(|source| CertificateError::File {
            path: path.clone(),
            source,
        })
    };
    let no_certificate = || CertificateError::NoCertificate(files.cert_file.clone());
    let chain = CertificateDer::pem_slice_iter(&read(&files.cert_file)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| no_certificate())?;
    if chain.is_empty() {
        return Err(no_certificate());
    }
    let key = PrivateKeyDer::from_pem_slice(&read(&files.key_file)?)
        .map_err(|_| CertificateError::NoKey(files.key_file.clone()))?;
    CertifiedKey::from_der(chain, key, provider).map_err(|_| CertificateError::Mismatch)
}
