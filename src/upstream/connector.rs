//! Makes connections to the upstream: TCP, directly or through the corporate proxy, then TLS, all within one limit.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::errors::ConnectError;
use super::io::Io;
use crate::config;
use crate::metrics::Metrics;
use crate::net::{DialError, HostPort, TlsFailure, connect_through, dial, http1_connector};

/// Makes connections to the one upstream.
pub(super) struct Connector {
    upstream: HostPort,
    /// `upstream.connect_timeout`.
    limit: Duration,
    /// How long an upload's bytes may stay unacknowledged: the longer of the limits of an exchange.
    upload_user_timeout: Duration,
    proxy: Option<config::ProxyUrl>,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    metrics: Arc<Metrics>,
}

impl Connector {
    pub(super) fn new(
        config: &config::UpstreamConfig,
        tls: &rustls::ClientConfig,
        metrics: Arc<Metrics>,
    ) -> Self {
        let upstream = HostPort::from(&config.url);
        let tls = config.url.is_tls().then(|| {
            let name = ServerName::try_from(upstream.host.clone())
                .expect("config accepts only host names and addresses");
            (http1_connector(tls), name)
        });
        Self {
            upstream,
            limit: config.connect_timeout,
            upload_user_timeout: config.head_timeout.max(config.stall_timeout),
            proxy: config.proxy.clone(),
            tls,
            metrics,
        }
    }

    /// Connects within `upstream.connect_timeout`.
    pub(super) async fn connect(&self) -> Result<Io, ConnectError> {
        let connected = timeout(self.limit, self.attempt())
            .await
            .unwrap_or_else(|_| Err(self.timed_out()));
        self.metrics.upstream_connection(outcome(&connected));
        connected.map(|io| io.counted(self.metrics.upstream_connections().enter()))
    }

    async fn attempt(&self) -> Result<Io, ConnectError> {
        let stream = match &self.proxy {
            None => dial(&self.upstream).await?,
            Some(proxy) => connect_through(proxy, &self.upstream)
                .await
                .map_err(|source| ConnectError::Proxy {
                    proxy: proxy.to_string(),
                    source: Box::new(source),
                })?,
        };
        match &self.tls {
            None => Ok(Io::plain(stream, self.upload_user_timeout)),
            Some((connector, name)) => match connector.connect(name.clone(), stream).await {
                Ok(stream) => Ok(Io::tls(stream, self.upload_user_timeout)),
                Err(error) => {
                    let failure = TlsFailure::from_handshake(error);
                    Err(ConnectError::Tls { failure })
                }
            },
        }
    }

    fn timed_out(&self) -> ConnectError {
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

/// The label `outcome` of `cupbearer_upstream_connections_total`.
const fn outcome(connected: &Result<Io, ConnectError>) -> &'static str {
    match connected {
        Ok(_) => "opened",
        Err(ConnectError::Dial(DialError::Unresolved { .. })) => "dns",
        Err(ConnectError::Dial(DialError::Unreachable { .. }) | ConnectError::Http { .. }) => {
            "refused"
        }
        Err(ConnectError::Timeout { .. } | ConnectError::ProxyTimeout { .. }) => "timeout",
        Err(ConnectError::Proxy { .. }) => "proxy",
        Err(ConnectError::Tls { .. }) => "tls",
    }
}
