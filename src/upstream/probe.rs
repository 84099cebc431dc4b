//! A connection stage by stage, for whoever wants to know which stage fails: the doctor.
//!
//! Makes the same connections as `connect`, keeps none of them, and sends nothing over them. Has no
//! limit of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, RootCertStore};
use rustls_platform_verifier::Verifier;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::certificate;
use super::dial::{DialError, dial};
use super::errors::ConnectError;
use super::handshake;
use super::tunnel::{self, ProxyError};
use crate::config;

/// A host as connections are made to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// A name or an address, without brackets.
    pub host: String,
    /// The port that is connected to.
    pub port: u16,
}

impl Target {
    /// Where connections for this origin go.
    #[must_use]
    pub fn of(origin: &config::Origin) -> Self {
        let host = origin.authority.host();
        Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: origin.port(),
        }
    }

    /// The addresses of the name.
    ///
    /// # Errors
    /// [`ConnectError::Dns`].
    pub async fn resolve(&self) -> Result<Vec<SocketAddr>, ConnectError> {
        let found = tokio::net::lookup_host((&*self.host, self.port)).await;
        let found: Vec<_> = found.map_err(|source| self.unresolved(source))?.collect();
        if found.is_empty() {
            return Err(self.unresolved(std::io::Error::other("the name has no address")));
        }
        Ok(found)
    }

    /// A TCP connection, to the first address that answers.
    ///
    /// # Errors
    /// [`ConnectError::Dns`] or [`ConnectError::Refused`].
    pub async fn connect(&self) -> Result<TcpStream, ConnectError> {
        dial(&self.host, self.port)
            .await
            .map_err(|error| match error {
                DialError::Unresolved(source) => self.unresolved(source),
                DialError::Refused { address, source } => ConnectError::Refused { address, source },
            })
    }

    /// The same through a corporate proxy.
    ///
    /// # Errors
    /// What the proxy said to CONNECT.
    pub async fn connect_through(&self, proxy: &config::ProxyUrl) -> Result<TcpStream, ProxyError> {
        tunnel::open(proxy, &self.host, self.port).await
    }

    /// TLS on such a connection, and who vouches for whom it leads to.
    ///
    /// # Errors
    /// [`ConnectError::Certificate`] or [`ConnectError::Handshake`].
    pub async fn handshake(
        &self,
        stream: TcpStream,
        tls: &rustls::ClientConfig,
    ) -> Result<Vouched, ConnectError> {
        let broken = |words: &'static str| handshake::failed(std::io::Error::other(words));
        let name = ServerName::try_from(self.host.clone())
            .map_err(|_| broken("the host is no name that a certificate could have"))?;
        let mut tls = tls.clone();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        let stream = TlsConnector::from(Arc::new(tls))
            .connect(name.clone(), stream)
            .await
            .map_err(handshake::failed)?;
        let chain = stream.get_ref().1.peer_certificates();
        Vouched::by(chain.unwrap_or_default(), &name)
            .ok_or_else(|| broken("it presented no certificate that can be read"))
    }

    fn unresolved(&self, source: std::io::Error) -> ConnectError {
        ConnectError::Dns {
            host: self.host.clone(),
            source,
        }
    }
}

/// A certificate that was accepted: who issued it, and who else than we would accept it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vouched {
    /// Who issued it, as RFC 4514 writes names, shortened; only what may be printed.
    pub issuer: String,
    /// Its last moment.
    pub not_after: SystemTime,
    /// Whose authority made it acceptable.
    pub authority: Authority,
}

/// Who knows the authority at the end of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authority {
    /// Everyone: it is one of those that browsers come with.
    Public,
    /// This machine, which somebody has told to trust it.
    Machine,
    /// Only we: it is in `network.ca_file`.
    CaFile,
}

impl Vouched {
    fn by(chain: &[CertificateDer<'_>], name: &ServerName<'_>) -> Option<Self> {
        let (end, intermediates) = chain.split_first()?;
        let (issuer, not_after) = certificate::issuer_and_end(end)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let known_to = |verifier: Option<&dyn ServerCertVerifier>| {
            verifier.is_none_or(|verifier| knows(verifier, end, intermediates, name))
        };
        let mut public = RootCertStore::empty();
        public.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
        let public =
            WebPkiServerVerifier::builder_with_provider(Arc::new(public), Arc::clone(&provider));
        let public = public.build().ok();
        let machine = Verifier::new(provider).ok();
        let authority = if known_to(public.as_deref().map(|verifier| verifier as _)) {
            Authority::Public
        } else if known_to(machine.as_ref().map(|verifier| verifier as _)) {
            Authority::Machine
        } else {
            Authority::CaFile
        };
        Some(Self {
            issuer,
            not_after: UNIX_EPOCH + not_after,
            authority,
        })
    }
}

/// Whether a verifier knows the authority; whatever else it finds was judged already.
fn knows(
    verifier: &dyn ServerCertVerifier,
    end: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    name: &ServerName<'_>,
) -> bool {
    let judged = verifier.verify_server_cert(end, intermediates, name, &[], UnixTime::now());
    !matches!(
        judged,
        Err(rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature
        ))
    )
}
