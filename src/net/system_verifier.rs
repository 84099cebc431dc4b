//! Verifies a server's certificate with the system's certificate authorities, whichever store they are in.

use std::sync::Arc;

#[cfg(all(unix, not(target_vendor = "apple")))]
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use rustls_platform_verifier::Verifier;

#[cfg(all(unix, not(target_vendor = "apple")))]
use super::system_store::named_certificates;

/// The platform's verifier, or one with the store that variables name.
#[derive(Debug)]
pub(super) enum SystemVerifier {
    Platform(Verifier),
    #[cfg(all(unix, not(target_vendor = "apple")))]
    Named(Arc<WebPkiServerVerifier>),
}

impl SystemVerifier {
    /// Trusts `more` too. Blocks on the disk.
    ///
    /// # Errors
    /// There is no certificate authority at all.
    pub(super) fn new(
        more: Vec<CertificateDer<'static>>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, rustls::Error> {
        #[cfg(all(unix, not(target_vendor = "apple")))]
        if let Some(named) = named_certificates() {
            return Self::with_named(named, more, provider);
        }
        let provider = Arc::clone(provider);
        // On Windows, an empty list of extra authorities is an error.
        let platform = if more.is_empty() {
            Verifier::new(provider)
        } else {
            Verifier::new_with_extra_roots(more, provider)
        };
        platform.map(Self::Platform)
    }

    #[cfg(all(unix, not(target_vendor = "apple")))]
    fn with_named(
        named: Vec<CertificateDer<'static>>,
        more: Vec<CertificateDer<'static>>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, rustls::Error> {
        let mut roots = rustls::RootCertStore::empty();
        for certificate in more {
            roots.add(certificate)?;
        }
        roots.add_parsable_certificates(named);
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
            .build()
            .map(Self::Named)
            .map_err(|error| rustls::Error::General(error.to_string()))
    }

    fn inner(&self) -> &dyn ServerCertVerifier {
        match self {
            Self::Platform(verifier) => verifier,
            #[cfg(all(unix, not(target_vendor = "apple")))]
            Self::Named(verifier) => &**verifier,
        }
    }
}

impl ServerCertVerifier for SystemVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.inner()
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner().verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner().verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner().supported_verify_schemes()
    }
}
