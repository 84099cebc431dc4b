//! The doctor's view of a TLS handshake: whether it succeeds, and who issued the certificate.
//!
//! The other stages of a connection are [`resolve`](super::resolve), [`dial`](fn@super::dial) and
//! [`connect_through`](super::connect_through). None of them has a time limit of its own.

use std::io;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::net::TcpStream;

use super::certificate::issuer_and_end;
use super::system_verifier::system_verifier;
use super::tls::http2_connector;
use super::tls_failure::TlsFailure;

/// A certificate that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedCertificate {
    /// The issuer's name in the notation of RFC 4514, shortened and safe to print.
    pub issuer: String,
    /// The end of its validity.
    pub not_after: SystemTime,
    /// Why its authority is trusted.
    pub trust: TrustSource,
    /// Whether the server offers HTTP/2.
    pub offers_http2: bool,
}

/// Where the certificate authority at the end of a chain is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrustSource {
    /// In the public list of authorities that browsers ship with.
    Public,
    /// In this machine's own store, where an administrator added it.
    Machine,
    /// Only in `network.ca_file`.
    CaFile,
}

/// Performs a TLS handshake with `host` over `stream`, and closes the connection.
///
/// # Errors
/// The handshake failed, or the certificate was rejected.
pub async fn tls_handshake(
    stream: TcpStream,
    host: &str,
    tls: &rustls::ClientConfig,
) -> Result<AcceptedCertificate, TlsFailure> {
    let other = |message: &'static str| TlsFailure::Io(io::Error::other(message));
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| other("the host is not a name that a certificate can contain"))?;
    let stream = http2_connector(tls)
        .connect(name.clone(), stream)
        .await
        .map_err(TlsFailure::from_handshake)?;
    let session = stream.get_ref().1;
    let chain = session.peer_certificates().unwrap_or_default();
    let offers_http2 = session.alpn_protocol() == Some(b"h2");
    AcceptedCertificate::new(chain, &name, offers_http2)
        .ok_or_else(|| other("the server presented no certificate that can be parsed"))
}

impl AcceptedCertificate {
    fn new(
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        offers_http2: bool,
    ) -> Option<Self> {
        let (end_entity, intermediates) = chain.split_first()?;
        let (issuer, not_after) = issuer_and_end(end_entity)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let is_known_to = |verifier: Option<&dyn ServerCertVerifier>| {
            verifier.is_none_or(|verifier| knows(verifier, end_entity, intermediates, name))
        };
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
        let public =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .ok();
        let machine = system_verifier(Vec::new(), &provider).ok();
        let trust = if is_known_to(public.as_deref().map(|verifier| verifier as _)) {
            TrustSource::Public
        } else if is_known_to(machine.as_deref().map(|verifier| verifier as _)) {
            TrustSource::Machine
        } else {
            TrustSource::CaFile
        };
        Some(Self {
            issuer,
            not_after: UNIX_EPOCH + not_after,
            trust,
            offers_http2,
        })
    }
}

/// Whether `verifier` accepts the certificate. Only one that is pinned in `network.ca_file` is rejected by all.
fn knows(
    verifier: &dyn ServerCertVerifier,
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    name: &ServerName<'_>,
) -> bool {
    verifier
        .verify_server_cert(end_entity, intermediates, name, &[], UnixTime::now())
        .is_ok()
}
