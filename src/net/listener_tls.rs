//! The TLS that a listener speaks: its certificate, and the keys of its session tickets.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::crypto::aws_lc_rs;
use rustls::server::{NoServerSessionStorage, ProducesTickets};
use rustls::sign::SingleCertAndKey;

use super::tls::TlsSetupError;
use crate::config::TlsConfig;
use crate::credentials::not_after;

/// The keys of the session tickets of one listener. A key is used for 6 hours, and its tickets are valid for 12.
///
/// A reload keeps them, so that clients resume their sessions after the certificate has been replaced.
#[derive(Default)]
pub struct TicketKeys(Mutex<Option<Arc<dyn ProducesTickets>>>);

/// What a listener needs to speak TLS.
#[derive(Debug, Clone)]
pub struct ListenerTls {
    /// TLS 1.2 and 1.3 with the certificate of `tls.cert_file`.
    pub config: Arc<rustls::ServerConfig>,
    /// The end of its validity, since 1970.
    pub not_after: Option<Duration>,
}

/// Reads the certificate of a listener and its key. Blocks on the disk.
///
/// # Errors
/// A file cannot be read, or the private key does not belong to the certificate.
pub fn listener_tls(tls: &TlsConfig, tickets: &TicketKeys) -> Result<ListenerTls, TlsSetupError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let pair = tls.certificate.read(&provider)?;
    let not_after = not_after(&pair.cert);
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsSetupError::Versions)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(pair)));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.ticketer = tickets.current()?;
    config.session_storage = Arc::new(NoServerSessionStorage {}); // sessions are in the tickets alone
    Ok(ListenerTls {
        config: Arc::new(config),
        not_after,
    })
}

impl TicketKeys {
    fn current(&self) -> Result<Arc<dyn ProducesTickets>, TlsSetupError> {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(keys) = &*keys {
            return Ok(Arc::clone(keys));
        }
        let new = aws_lc_rs::Ticketer::new().map_err(TlsSetupError::Versions)?;
        Ok(Arc::clone(keys.insert(new)))
    }
}
