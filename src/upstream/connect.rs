//! To the upstream: TCP directly or through the corporate proxy, then TLS, within one limit.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::dial::{DialError, dial};
use super::errors::ConnectError;
use super::handshake;
use super::io::Io;
use super::tunnel;
use crate::config;
use crate::metrics::Metrics;

/// Makes connections to the one upstream.
pub(super) struct Connector {
    host: String,
    port: u16,
    limit: Duration,
    /// The longest of the limits of an exchange.
    patience: Duration,
    proxy: Option<config::ProxyUrl>,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    metrics: Arc<Metrics>,
}

impl Connector {
    pub(super) fn new(
        upstream: &config::UpstreamConfig,
        tls: &rustls::ClientConfig,
        metrics: Arc<Metrics>,
    ) -> Self {
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
            patience: upstream.head_timeout.max(upstream.stall_timeout),
            proxy: upstream.proxy.clone(),
            tls,
            metrics,
        }
    }

    /// A connection ready to carry bytes, or why there is none, within `upstream.connect_timeout`.
    pub(super) async fn connect(&self) -> Result<Io, ConnectError> {
        let connected = timeout(self.limit, self.attempt())
            .await
            .unwrap_or_else(|_| Err(self.too_late()));
        self.metrics.upstream_connection(outcome(&connected));
        connected.map(|io| io.counted(self.metrics.upstream_connections().enter()))
    }

    async fn attempt(&self) -> Result<Io, ConnectError> {
        let stream = match &self.proxy {
            None => self.directly().await?,
            Some(proxy) => tunnel::open(proxy, &self.host, self.port)
                .await
                .map_err(|source| ConnectError::Proxy {
                    proxy: proxy.to_string(),
                    source: Box::new(source),
                })?,
        };
        match &self.tls {
            None => Ok(Io::plain(stream, self.patience)),
            Some((connector, name)) => match connector.connect(name.clone(), stream).await {
                Ok(stream) => Ok(Io::tls(stream, self.patience)),
                Err(error) => Err(handshake::failed(error)),
            },
        }
    }

    async fn directly(&self) -> Result<TcpStream, ConnectError> {
        dial(&self.host, self.port)
            .await
            .map_err(|error| match error {
                DialError::Unresolved(source) => ConnectError::Dns {
                    host: self.host.clone(),
                    source,
                },
                DialError::Refused { address, source } => ConnectError::Refused { address, source },
            })
    }

    fn too_late(&self) -> ConnectError {
        let limit = self.limit;
        match &self.proxy {
            None => ConnectError::Timeout { limit },
            Some(proxy) => ConnectError::ProxyTimeout {
                limit,
                proxy: proxy.to_string(),
            },
        }
    }
}

/// One word for the metrics.
const fn outcome(connected: &Result<Io, ConnectError>) -> &'static str {
    match connected {
        Ok(_) => "opened",
        Err(ConnectError::Dns { .. }) => "dns",
        Err(ConnectError::Refused { .. } | ConnectError::Http { .. }) => "refused",
        Err(ConnectError::Timeout { .. } | ConnectError::ProxyTimeout { .. }) => "timeout",
        Err(ConnectError::Proxy { .. }) => "proxy",
        Err(ConnectError::Certificate { .. } | ConnectError::Handshake { .. }) => "tls",
    }
}
