//! `upstream.san`: verifies that a server has another name than the host that was connected to.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};

use crate::credentials::CertificateNames;
use crate::text::{Unprintable, sanitize, shorten};

/// Verifies a server by a fixed name instead of its host.
#[derive(Debug)]
pub(super) struct NamedServerVerifier<V> {
    inner: V,
    name: ServerName<'static>,
}

impl<V> NamedServerVerifier<V> {
    pub(super) const fn new(inner: V, name: ServerName<'static>) -> Self {
        Self { inner, name }
    }
}

impl<V: ServerCertVerifier> ServerCertVerifier for NamedServerVerifier<V> {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _host: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.inner
            .verify_server_cert(end_entity, intermediates, &self.name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Verifies a server by its SPIFFE ID. Only the authorities of `network.ca_file` are trusted for that.
#[derive(Debug)]
pub(super) struct SpiffeVerifier {
    roots: RootCertStore,
    id: String,
    algorithms: WebPkiSupportedAlgorithms,
}

/// The certificate was issued to another server.
#[derive(Debug, Clone)]
struct OtherId {
    expected: String,
    found: Vec<String>,
}

impl fmt::Display for OtherId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let printable = |name: &String| shorten(&sanitize(name, Unprintable::Mark), 120);
        match &self.found[..] {
            [] => f.write_str("it contains no URI")?,
            [only] => write!(f, "it is valid for {}", printable(only))?,
            [first, ..] => write!(f, "it contains several URIs, such as {}", printable(first))?,
        }
        write!(f, ", not for {} (upstream.san)", self.expected)
    }
}

impl std::error::Error for OtherId {}

impl SpiffeVerifier {
    pub(super) fn new(
        authorities: Vec<CertificateDer<'static>>,
        id: String,
        provider: &Arc<CryptoProvider>,
    ) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(authorities);
        Self {
            roots,
            id,
            algorithms: provider.signature_verification_algorithms,
        }
    }
}

impl ServerCertVerifier for SpiffeVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _host: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        verify_server_cert_signed_by_trust_anchor(
            &ParsedCertificate::try_from(end_entity)?,
            &self.roots,
            intermediates,
            now,
            self.algorithms.all,
        )?;
        let names = CertificateNames::of(end_entity);
        if names.has_uri(&self.id) {
            return Ok(ServerCertVerified::assertion());
        }
        let other = OtherId {
            expected: self.id.clone(),
            found: names.uris().to_vec(),
        };
        Err(CertificateError::Other(OtherError(Arc::new(other))).into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
