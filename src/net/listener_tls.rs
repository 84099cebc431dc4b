//! The TLS that a listener speaks: its certificate, the authorities of its clients, and the keys of its session
//! tickets.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::CertificateDer;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, ProducesTickets, WebPkiClientVerifier};
use rustls::sign::SingleCertAndKey;
use tokio::sync::watch;

use super::ca_file::read_ca_file;
use super::tls::TlsSetupError;
use crate::config::TlsConfig;
use crate::credentials::not_after;

/// What a listener needs to speak TLS.
#[derive(Debug, Clone)]
pub struct ListenerTls {
    /// TLS 1.2 and 1.3 with the certificate of `tls.cert_file`.
    pub config: Arc<rustls::ServerConfig>,
    /// The end of its validity, since 1970.
    pub not_after: Option<Duration>,
    clients: ClientTrust,
}

/// What clients may present, and what follows from it.
#[derive(Debug, Clone)]
struct ClientTrust {
    /// The certificates of `tls.client_ca_file`.
    authorities: Arc<[CertificateDer<'static>]>,
    /// rustls does not verify the certificate of a resumed session again, so tickets belong to these authorities. A
    /// key is used for 6 hours, and its tickets are valid for 12.
    tickets: Arc<dyn ProducesTickets>,
    /// Becomes true when other authorities replace these.
    /// `tls.require_client`.
    requires_client: bool,
    is_withdrawn: watch::Sender<bool>,
}

impl ClientTrust {
    fn new(
        authorities: Arc<[CertificateDer<'static>]>,
        requires_client: bool,
    ) -> Result<Self, TlsSetupError> {
        Ok(Self {
            authorities,
            requires_client,
            tickets: aws_lc_rs::Ticketer::new().map_err(TlsSetupError::Versions)?,
            is_withdrawn: watch::Sender::new(false),
        })
    }
}

impl ListenerTls {
    /// The certificates of `tls.client_ca_file`.
    #[must_use]
    pub fn authorities(&self) -> Arc<[CertificateDer<'static>]> {
        Arc::clone(&self.clients.authorities)
    }

    /// Becomes true when a certificate that a client has presented no longer counts, whatever it says.
    #[must_use]
    pub fn client_trust(&self) -> watch::Receiver<bool> {
        self.clients.is_withdrawn.subscribe()
    }

    /// Records that `next` has replaced this. If clients may present other certificates there, those that they have
    /// presented here count no longer.
    pub fn succeeded_by(&self, next: Option<&Self>) {
        if next.is_none_or(|next| !Arc::ptr_eq(&next.clients.tickets, &self.clients.tickets)) {
            self.clients.is_withdrawn.send_replace(true);
        }
    }
}

/// Reads the certificate of a listener, its key, and the authorities of its clients. Blocks on the disk. If those are
/// the same as in `previous`, clients resume the sessions that they have there.
///
/// # Errors
/// A file cannot be read, or the private key does not belong to the certificate.
pub fn listener_tls(
    tls: &TlsConfig,
    previous: Option<&ListenerTls>,
) -> Result<ListenerTls, TlsSetupError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let pair = tls.certificate.read(&provider)?;
    let not_after = not_after(&pair.cert);
    let authorities = match &tls.client_ca_file {
        Some(path) => read_authorities(path)?.into(),
        None => Arc::default(),
    };
    let clients = match previous.map(|previous| &previous.clients) {
        // A resumed session is not asked for a certificate again.
        Some(same)
            if same.authorities == authorities
                && same.requires_client == tls.requires_client
                && !*same.is_withdrawn.borrow() =>
        {
            same.clone()
        }
        Some(_) | None => ClientTrust::new(authorities, tls.requires_client)?,
    };
    let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(TlsSetupError::Versions)?;
    let builder = if clients.authorities.is_empty() {
        builder.with_no_client_auth()
    } else {
        builder.with_client_cert_verifier(verifier(
            &clients.authorities,
            tls.requires_client,
            provider,
        )?)
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(pair)));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ticketer = Arc::clone(&clients.tickets);
    config.session_storage = Arc::new(NoServerSessionStorage {}); // sessions are in the tickets alone
    Ok(ListenerTls {
        config: Arc::new(config),
        not_after,
        clients,
    })
}

fn read_authorities(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsSetupError> {
    let read = read_ca_file(path).map_err(|defect| TlsSetupError::ClientCaFile {
        path: path.to_owned(),
        defect,
    })?;
    Ok(read.certificates)
}

fn verifier(
    authorities: &[CertificateDer<'static>],
    requires_client: bool,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsSetupError> {
    let mut roots = RootCertStore::empty();
    // Each of them can be a trust anchor, or the file would have been rejected.
    roots.add_parsable_certificates(authorities.iter().cloned());
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = if requires_client {
        builder
    } else {
        builder.allow_unauthenticated()
    };
    builder
        .build()
        .map_err(|error| TlsSetupError::Versions(rustls::Error::General(error.to_string())))
}
