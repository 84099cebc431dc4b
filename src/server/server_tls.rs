//! The TLS of a server's connections.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use tokio::sync::watch;

/// The TLS of new connections.
#[derive(Debug)]
pub struct ServerTls {
    /// The certificate, and what clients may present.
    pub config: Arc<rustls::ServerConfig>,
    /// Who issues the certificates of clients.
    pub authorities: Arc<[CertificateDer<'static>]>,
    /// Becomes true when the certificates of clients no longer count.
    pub client_trust: watch::Receiver<bool>,
}
