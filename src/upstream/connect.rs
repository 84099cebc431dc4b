//! From a name to a connection: resolution, TCP to the first address that answers, TLS.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::errors::ConnectError;
use super::io::Io;
use crate::config;

/// How long one address may be tried alone before the next is tried beside it (RFC 8305 §5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Makes connections to the one upstream.
pub(super) struct Connector {
    host: String,
    port: u16,
    limit: Duration,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Connector {
    pub(super) fn new(upstream: &config::Upstream, tls: &rustls::ClientConfig) -> Self {
        let host = upstream.url.authority.host();
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let tls = upstream.url.is_tls().then(|| {
            let mut tls = tls.clone();
            tls.alpn_protocols = vec![b"http/1.1".to_vec()];
            let name = ServerName::try_from(host.clone())
                .expect("config admits only host names and addresses");
            (TlsConnector::from(Arc::new(tls)), name)
        });
        Self {
            host,
            port: upstream.url.port(),
            limit: upstream.connect_timeout,
            tls,
        }
    }

    /// A connection ready to carry bytes, or why there is none, within `upstream.connect_timeout`.
    pub(super) async fn connect(&self) -> Result<Io, ConnectError> {
        timeout(self.limit, self.attempt())
            .await
            .unwrap_or(Err(ConnectError::Timeout { limit: self.limit }))
    }

    async fn attempt(&self) -> Result<Io, ConnectError> {
        let stream = race(self.resolve().await?).await?;
        // Heads and last chunks leave at once; hyper writes whole messages.
        let _ = stream.set_nodelay(true);
        match &self.tls {
            None => Ok(Io::plain(stream)),
            Some((connector, name)) => match connector.connect(name.clone(), stream).await {
                Ok(stream) => Ok(Io::tls(stream)),
                Err(error) => Err(handshake_error(error)),
            },
        }
    }

    async fn resolve(&self) -> Result<Vec<SocketAddr>, ConnectError> {
        let unresolved = |source| ConnectError::Dns {
            host: self.host.clone(),
            source,
        };
        let found: Vec<_> = tokio::net::lookup_host((self.host.as_str(), self.port))
            .await
            .map_err(unresolved)?
            .collect();
        if found.is_empty() {
            return Err(unresolved(io::Error::other("the name has no address")));
        }
        Ok(alternate(found))
    }
}

/// Address families by turns, each in the resolver's order (RFC 8305 §4).
fn alternate(found: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = found.first().is_some_and(SocketAddr::is_ipv6);
    let (preferred, other): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|address| address.is_ipv6() == first_is_v6);
    let mut ordered = Vec::with_capacity(preferred.len() + other.len());
    let (mut preferred, mut other) = (preferred.into_iter(), other.into_iter());
    loop {
        match (preferred.next(), other.next()) {
            (None, None) => return ordered,
            (a, b) => ordered.extend(a.into_iter().chain(b)),
        }
    }
}

/// Tries the addresses one after the other, the next beside the last after 250 ms or at its failure (RFC 8305 §5).
async fn race(addresses: Vec<SocketAddr>) -> Result<TcpStream, ConnectError> {
    let mut waiting = addresses.into_iter();
    let mut tries = tokio::task::JoinSet::new();
    let mut last = None;
    loop {
        if let Some(address) = waiting.next() {
            tries.spawn(async move {
                TcpStream::connect(address)
                    .await
                    .map_err(|source| ConnectError::Refused { address, source })
            });
        }
        let more = waiting.len() > 0;
        tokio::select! {
            ended = tries.join_next() => match ended {
                Some(Ok(Ok(stream))) => return Ok(stream),
                Some(Ok(Err(error))) => last = Some(error),
                Some(Err(_)) | None => {}
            },
            () = tokio::time::sleep(ATTEMPT_DELAY), if more => {}
        }
        if tries.is_empty() && waiting.len() == 0 {
            return Err(last.expect("there is at least one address, and none has answered"));
        }
    }
}

/// A certificate that fails its check is told apart from every other broken handshake.
fn handshake_error(error: io::Error) -> ConnectError {
    let cause = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match cause {
        Some(source @ rustls::Error::InvalidCertificate(_)) => ConnectError::Certificate {
            source: source.clone(),
        },
        _ => ConnectError::Handshake { source: error },
    }
}
