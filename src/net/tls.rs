//! The configuration of TLS clients: trusted certificate authorities, client certificates, and one crypto provider.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::Resumption;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::TlsConnector;

use super::ca_file::{CaFileError, read_ca_file};
use super::certificate::ExplainingVerifier;
use super::named_server::{NamedServerVerifier, SpiffeVerifier};
use super::system_store::store_warnings;
use super::system_verifier::system_verifier;
use super::tls_words::tls_words;
use crate::config::{CertificateName, Config, NetworkConfig, UpstreamConfig};
use crate::credentials::{CertificateFiles, CertificateFilesError, has_same_holder, not_after};

/// A TLS client could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsSetupError {
    /// `network.ca_file` cannot be used.
    #[error("network.ca_file: {defect} ({}); {}", path.display(), defect.remedy())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        defect: CaFileError,
    },
    /// `tls.client_ca_file` cannot be used.
    #[error("tls.client_ca_file: {defect} ({}); {}", path.display(), defect.remedy())]
    ClientCaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        defect: CaFileError,
    },
    /// A certificate that is presented to the upstream or to clients cannot be used.
    #[error("{}: {source}; {}", source.key(), source.remedy())]
    CertificateFiles {
        /// What is wrong with it.
        #[from]
        source: CertificateFilesError,
    },
    /// The crypto provider does not support TLS 1.2 and 1.3, or has no random numbers.
    #[error("TLS could not be set up: {}", tls_words(.0))]
    Versions(rustls::Error),
    /// The system's store holds no certificate, because a variable names another one, and there is no
    /// `network.ca_file`.
    #[error("{0}; correct or unset that variable, or set network.ca_file")]
    Store(String),
    /// Neither the system nor `network.ca_file` supplied a certificate authority.
    #[error(
        "no trusted certificate authorities were found: {}; install the system's (ca-certificates) or set network.ca_file",
        tls_words(.0)
    )]
    Roots(rustls::Error),
}

/// TLS 1.2 and 1.3, trusting the system's certificate authorities and those of `network.ca_file`. The upstream and
/// the token endpoint both start from this configuration.
///
/// # Errors
/// The file cannot be read or contains no certificate, or there is no certificate authority at all.
pub fn client_config(network: &NetworkConfig) -> Result<rustls::ClientConfig, TlsSetupError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = verifier(network, &provider)?;
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsSetupError::Versions)?
        .dangerous() // rustls calls every custom verifier so; this one wraps the platform's
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(config)
}

/// The same for a configuration. If none of its servers is reached with TLS, a system without certificate authorities
/// is no error: no server's certificate is trusted then.
///
/// # Errors
/// The same as those of [`client_config`].
pub fn client_config_for(config: &Config) -> Result<rustls::ClientConfig, TlsSetupError> {
    match client_config(&config.network) {
        Err(TlsSetupError::Roots(_) | TlsSetupError::Store(_)) if !config.names_https() => {
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let tls = rustls::ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .map_err(TlsSetupError::Versions)?
                .with_root_certificates(rustls::RootCertStore::empty())
                .with_no_client_auth();
            Ok(tls)
        }
        other => other,
    }
}

/// Trusts the system's certificate authorities and those of `network.ca_file`.
fn verifier(
    network: &NetworkConfig,
    provider: &Arc<CryptoProvider>,
) -> Result<ExplainingVerifier, TlsSetupError> {
    let pinned = authorities(network)?;
    let system = system_verifier(pinned.clone(), provider).map_err(no_roots)?;
    Ok(ExplainingVerifier::new(system, pinned))
}

/// The certificates of `network.ca_file`.
fn authorities(network: &NetworkConfig) -> Result<Vec<CertificateDer<'static>>, TlsSetupError> {
    let Some(path) = &network.ca_file else {
        return Ok(Vec::new());
    };
    let read = read_ca_file(path).map_err(|defect| TlsSetupError::CaFile {
        path: path.clone(),
        defect,
    })?;
    Ok(read.certificates)
}

/// The TLS for the upstream: that of `network`, with its client certificate and `upstream.san`.
///
/// # Errors
/// A file cannot be read, or the private key does not belong to the certificate.
pub fn upstream_tls(
    tls: &rustls::ClientConfig,
    network: &NetworkConfig,
    upstream: &UpstreamConfig,
) -> Result<ClientTls, TlsSetupError> {
    let mut client = with_client_certificate(tls, upstream.client_certificate.as_ref())?;
    let Some(san) = &upstream.san else {
        return Ok(client);
    };
    let provider = Arc::clone(tls.crypto_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match san {
        CertificateName::Uri(uri) => {
            let spiffe = SpiffeVerifier::new(authorities(network)?, uri.clone(), &provider);
            Arc::new(ExplainingVerifier::new(Arc::new(spiffe), Vec::new()))
        }
        CertificateName::Dns(name) => {
            let name = ServerName::DnsName(name.clone());
            Arc::new(NamedServerVerifier::new(
                verifier(network, &provider)?,
                name,
            ))
        }
        CertificateName::Ip(address) => {
            let name = ServerName::from(*address);
            Arc::new(NamedServerVerifier::new(
                verifier(network, &provider)?,
                name,
            ))
        }
    };
    client.config.dangerous().set_certificate_verifier(verifier);
    Ok(client)
}

/// Why no certificate authority was found.
fn no_roots(error: rustls::Error) -> TlsSetupError {
    match store_warnings().pop() {
        Some(warning) => TlsSetupError::Store(warning),
        None => TlsSetupError::Roots(error),
    }
}

/// A TLS client, and the end of the validity of the certificate that it presents, since 1970.
#[derive(Debug, Clone)]
pub struct ClientTls {
    /// The configuration.
    pub config: rustls::ClientConfig,
    /// `None` if it presents none.
    pub not_after: Option<Duration>,
}

impl ClientTls {
    /// Whether both present a certificate of the same holder, or none.
    #[must_use]
    pub fn presents_same_holder(&self, other: &Self) -> bool {
        match (self.presented(), other.presented()) {
            (Some(one), Some(two)) => match (one.cert.first(), two.cert.first()) {
                (Some(one), Some(two)) => one == two || has_same_holder(one, two),
                (None, _) | (_, None) => false,
            },
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        }
    }

    fn presented(&self) -> Option<Arc<CertifiedKey>> {
        self.config.client_auth_cert_resolver.resolve(&[], &[])
    }
}

/// A copy of `tls` that presents `certificate` to a server that asks for one. The original is left as it is, so the
/// certificate for the upstream never reaches the token endpoint.
///
/// # Errors
/// A file cannot be read, or the private key does not belong to the certificate.
pub fn with_client_certificate(
    tls: &rustls::ClientConfig,
    certificate: Option<&CertificateFiles>,
) -> Result<ClientTls, TlsSetupError> {
    let mut config = tls.clone();
    // Its own session store: a session in which we proved our identity must not be resumed by another client.
    config.resumption = Resumption::default();
    let mut validity = None;
    if let Some(files) = certificate {
        let pair = files.read(config.crypto_provider())?;
        validity = not_after(&pair.cert);
        config.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(pair));
    }
    Ok(ClientTls {
        config,
        not_after: validity,
    })
}

/// A connector with this configuration that negotiates HTTP/1.1.
#[must_use]
pub fn http1_connector(tls: &rustls::ClientConfig) -> TlsConnector {
    connector(tls, &[b"http/1.1"])
}

/// A connector with this configuration that negotiates HTTP/2, or else HTTP/1.1.
#[must_use]
pub fn http2_connector(tls: &rustls::ClientConfig) -> TlsConnector {
    connector(tls, &[b"h2", b"http/1.1"])
}

fn connector(tls: &rustls::ClientConfig, protocols: &[&[u8]]) -> TlsConnector {
    let mut tls = tls.clone();
    tls.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    TlsConnector::from(Arc::new(tls))
}
