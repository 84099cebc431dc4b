//! Makes connections to the upstream: TCP, directly or through the corporate proxy, then TLS, all within one limit.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;

use super::errors::ConnectError;
use super::io::Io;
use crate::config;
use crate::metrics::Metrics;
use crate::net::{
    DialError, HostPort, TlsFailure, connect_through, dial, http1_connector, http2_connector,
};

/// Makes connections to the one upstream.
pub(super) struct Connector {
    upstream: HostPort,
    /// `upstream.connect_timeout`.
    limit: Duration,
    /// How long an upload's bytes may stay unacknowledged: the longer of the limits of an exchange.
    upload_user_timeout: Duration,
    proxy: Option<config::ProxyUrl>,
    tls: Option<TlsTarget>,
    metrics: Arc<Metrics>,
}

/// How TLS with the upstream begins.
struct TlsTarget {
    name: ServerName<'static>,
    http1: TlsConnector,
    /// Offers HTTP/2 as well.
    http2: TlsConnector,
}

/// A connection and the protocol that it is for.
pub(super) enum Negotiated {
    Http1(Io),
    Http2(Io),
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
            TlsTarget {
                name,
                http1: http1_connector(tls),
                http2: http2_connector(tls),
            }
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

    /// Connects for HTTP/1.1 within `upstream.connect_timeout`.
    pub(super) async fn connect(&self) -> Result<Io, ConnectError> {
        let attempt = self.attempt(self.tls.as_ref().map(|tls| (&tls.http1, &tls.name)));
        let connected = timeout(self.limit, attempt)
            .await
            .unwrap_or_else(|_| Err(self.timed_out()));
        self.counted(connected)
    }

    /// Connects until `deadline` for HTTP/2, if the API accepts it. Without TLS it is expected to.
    pub(super) async fn connect_http2(
        &self,
        deadline: Instant,
    ) -> Result<Negotiated, ConnectError> {
        let attempt = self.attempt(self.tls.as_ref().map(|tls| (&tls.http2, &tls.name)));
        let connected = timeout_at(deadline, attempt)
            .await
            .unwrap_or_else(|_| Err(self.timed_out()));
        let io = self.counted(connected)?;
        Ok(if io.chose_http2().unwrap_or(true) {
            Negotiated::Http2(io.for_many_requests())
        } else {
            Negotiated::Http1(io)
        })
    }

    /// When a connection that begins now must be ready.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.limit
    }

    fn counted(&self, connected: Result<Io, ConnectError>) -> Result<Io, ConnectError> {
        self.metrics.upstream_connection(outcome(&connected));
        connected.map(|io| io.counted(self.metrics.upstream_connections().enter()))
    }

    async fn attempt(
        &self,
        tls: Option<(&TlsConnector, &ServerName<'static>)>,
    ) -> Result<Io, ConnectError> {
        let stream = match &self.proxy {
            None => dial(&self.upstream).await?,
            Some(proxy) => connect_through(proxy, &self.upstream)
                .await
                .map_err(|source| ConnectError::Proxy {
                    proxy: proxy.to_string(),
                    source: Box::new(source),
                })?,
        };
        match tls {
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

    /// The error when the time for a connection is over.
    pub(super) fn timed_out(&self) -> ConnectError {
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
        Err(
            ConnectError::Dial(DialError::Unreachable { .. })
            | ConnectError::Http { .. }
            | ConnectError::NotHttp2,
        ) => "refused",
        Err(ConnectError::Timeout { .. } | ConnectError::ProxyTimeout { .. }) => "timeout",
        Err(ConnectError::Proxy { .. }) => "proxy",
        Err(ConnectError::Tls { .. }) => "tls",
    }
}
