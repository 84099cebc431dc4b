//! TLS as a client: the system's certificate authorities, `network.ca_file` beside them, one provider.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::sign::SingleCertAndKey;
use rustls_platform_verifier::Verifier;

use super::certificate::Explained;
use crate::config;
use crate::credentials::ClientCertificateError;

/// The certificate authorities could not be had.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// `network.ca_file` cannot be read.
    #[error("network.ca_file {} cannot be read: {source}", path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// `network.ca_file` holds no certificate.
    #[error("network.ca_file {} holds no PEM certificate (\"-----BEGIN CERTIFICATE-----\")", path.display())]
    CaFileEmpty {
        /// The file.
        path: PathBuf,
    },
    /// The client certificate cannot be used.
    #[error("{}: {source}; {}", source.key(), source.remedy())]
    ClientCertificate {
        /// Why.
        #[from]
        source: ClientCertificateError,
    },
    /// The provider cannot do TLS 1.2 and 1.3.
    #[error("TLS cannot be set up")]
    Versions {
        /// What the provider said.
        source: rustls::Error,
    },
    /// Neither the system nor the file gave one.
    #[error(
        "no certificate authorities to trust: {source}; install the system's (ca-certificates) or set network.ca_file"
    )]
    Roots {
        /// What the system's store said.
        source: rustls::Error,
    },
}

/// TLS 1.2 and 1.3 with the system's roots and `network.ca_file`, for upstream and token endpoint alike.
///
/// # Errors
/// The file cannot be read or holds no certificate, or there is no root at all.
pub fn client_config(network: &config::NetworkConfig) -> Result<rustls::ClientConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let extra = network
        .ca_file
        .as_ref()
        .map_or(Ok(Vec::new()), read_ca_file)?;
    let verifier = Verifier::new_with_extra_roots(extra, Arc::clone(&provider))
        .map_err(|source| TlsError::Roots { source })?;
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|source| TlsError::Versions { source })?
        .dangerous() // the name of the door; what goes through it is the platform's own verifier
        .with_custom_certificate_verifier(Arc::new(Explained(verifier)))
        .with_no_client_auth();
    Ok(config)
}

/// `tls` with the client certificate of `upstream`, if one is configured. The token endpoint is never
/// given it: that one gets the configuration from before.
///
/// # Errors
/// A file cannot be read, or the two are no pair of certificate and key.
pub fn with_client_certificate(
    tls: &rustls::ClientConfig,
    upstream: &config::UpstreamConfig,
) -> Result<rustls::ClientConfig, TlsError> {
    let mut tls = tls.clone();
    // Sessions of its own: none that has proved who we are is ever resumed for somebody else.
    tls.resumption = Resumption::default();
    if let Some(files) = &upstream.client_certificate {
        let pair = files.read(tls.crypto_provider())?;
        tls.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(pair));
    }
    Ok(tls)
}

fn read_ca_file(path: &PathBuf) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|source| TlsError::CaFile {
            path: path.clone(),
            source,
        })?;
    if certificates.is_empty() {
        return Err(TlsError::CaFileEmpty { path: path.clone() });
    }
    Ok(certificates)
}
