//! The HTTP client for the token endpoint: one request over one connection. Does not know grants.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body::{Body as _, Frame};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::coop;
use url::{Host, Url};

use super::grant_error::GrantError;
use super::unreachable::{HttpFailure, TokenServer, Unreachable};
use crate::config::ProxyRule;
use crate::net::{HostPort, WithoutInterim, connect_through, dial, http1_connector};

const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("cupbearer/", env!("CARGO_PKG_VERSION")));

/// The most fields of a response. A higher limit than hyper's own costs time that does not matter here.
const MAX_FIELDS: usize = 256;

/// The client for the token endpoint, which trusts the roots of `tls`.
///
/// It follows no redirects (they would send the secret elsewhere), keeps no connections (after half an hour a
/// connection is dead when it is needed) and does not retry (each retry would be a hidden token request).
#[must_use]
pub fn client(tls: rustls::ClientConfig, proxy: &ProxyRule) -> Client {
    Client {
        tls,
        proxy: proxy.clone(),
    }
}

/// The HTTP client for the token endpoint.
#[derive(Debug, Clone)]
pub struct Client {
    tls: rustls::ClientConfig,
    proxy: ProxyRule,
}

impl Client {
    /// The TLS configuration, without a client certificate.
    pub(super) fn tls(&self) -> &rustls::ClientConfig {
        &self.tls
    }

    /// A client that presents this certificate when the server requests one. It resumes no TLS session, since a
    /// resumed session keeps the previous certificate.
    pub(super) fn presenting(&self, pair: CertifiedKey) -> Self {
        let mut client = self.clone();
        client.tls.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(pair));
        client.tls.resumption = Resumption::disabled();
        client
    }

    /// A client that connects to every server directly.
    pub(super) fn without_proxy(&self) -> Self {
        Self {
            proxy: ProxyRule::Direct,
            ..self.clone()
        }
    }

    /// The server that a request for `url` goes to.
    pub(super) fn server(&self, url: &Url, key: &'static str) -> TokenServer {
        let proxy = self.proxy.for_url(url).map(|proxy| proxy.to_string());
        TokenServer::new(url, key, proxy)
    }

    /// Sends one request, and returns the response when its head has arrived. `connected` is set once there is a
    /// connection. Has no time limit of its own.
    pub(super) async fn send(
        &self,
        url: &Url,
        request: Request<Full<Bytes>>,
        connected: &AtomicBool,
    ) -> Result<TokenResponse, HttpFailure> {
        let request = addressed(request, url)?;
        let target = host_port(url)?;
        let stream = self.connect(url, &target).await?;
        if url.scheme() != "https" {
            connected.store(true, Ordering::Relaxed);
            return exchange(stream, request).await;
        }
        let name = ServerName::try_from(target.host).map_err(|_| invalid_url())?;
        let stream = http1_connector(&self.tls).connect(name, stream).await;
        let stream = stream.map_err(HttpFailure::Tls)?;
        connected.store(true, Ordering::Relaxed);
        exchange(stream, request).await
    }

    async fn connect(&self, url: &Url, target: &HostPort) -> Result<TcpStream, HttpFailure> {
        match self.proxy.for_url(url) {
            None => dial(target).await.map_err(HttpFailure::Dial),
            Some(proxy) => {
                connect_through(&proxy, target)
                    .await
                    .map_err(|error| HttpFailure::Proxy {
                        host: proxy.host,
                        error: Box::new(error),
                    })
            }
        }
    }
}

/// The request with its target, and the fields that every request has.
fn addressed(
    mut request: Request<Full<Bytes>>,
    url: &Url,
) -> Result<Request<Full<Bytes>>, HttpFailure> {
    let query = url.query().map(|query| format!("?{query}"));
    let target = format!("{}{}", url.path(), query.unwrap_or_default());
    *request.uri_mut() = target.parse().map_err(|_| invalid_url())?;
    let host = url.host_str().unwrap_or_default();
    let host = url
        .port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let host = HeaderValue::try_from(host).map_err(|_| invalid_url())?;
    request.headers_mut().insert(header::HOST, host);
    request.headers_mut().insert(header::USER_AGENT, USER_AGENT);
    Ok(request)
}

fn host_port(url: &Url) -> Result<HostPort, HttpFailure> {
    let host = match url.host() {
        Some(Host::Domain(name)) => name.to_owned(),
        Some(Host::Ipv4(address)) => address.to_string(),
        Some(Host::Ipv6(address)) => address.to_string(),
        None => return Err(invalid_url()),
    };
    let port = url.port_or_known_default().ok_or_else(invalid_url)?;
    Ok(HostPort { host, port })
}

/// Does not occur with the URLs that `config` and `discovery` accept.
fn invalid_url() -> HttpFailure {
    HttpFailure::Tls(io::Error::new(
        io::ErrorKind::InvalidInput,
        "the URL cannot be requested",
    ))
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<TokenResponse, HttpFailure>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let stream: Box<dyn Stream> = Box::new(WithoutInterim::new(stream));
    let (mut sender, connection) = http1::Builder::new()
        .allow_spaces_after_header_name_in_responses(true)
        .max_headers(MAX_FIELDS)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(HttpFailure::Exchange)?;
    let mut connection = Some(Box::pin(connection));
    let mut response = pin!(sender.send_request(request));
    let response = poll_fn(|cx| {
        drive(&mut connection, cx);
        response.as_mut().poll(cx)
    });
    let (head, body) = response.await.map_err(HttpFailure::Exchange)?.into_parts();
    Ok(TokenResponse {
        head: Response::from_parts(head, ()),
        body,
        connection,
        _sender: sender,
    })
}

/// Plain TCP or TLS.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

type TokenConnection = http1::Connection<TokioIo<Box<dyn Stream>>, Full<Bytes>>;

/// Reads and writes as far as possible. An error reaches the caller through the response or its body.
fn drive(connection: &mut Option<Pin<Box<TokenConnection>>>, cx: &mut Context<'_>) {
    if let Some(running) = connection
        && running.as_mut().poll(cx).is_ready()
    {
        *connection = None;
    }
}

/// A response, whose body has not been read yet.
pub(super) struct TokenResponse {
    head: Response<()>,
    body: Incoming,
    connection: Option<Pin<Box<TokenConnection>>>,
    /// Dropped earlier, it would end the connection.
    _sender: http1::SendRequest<Full<Bytes>>,
}

impl TokenResponse {
    pub(super) fn status(&self) -> StatusCode {
        self.head.status()
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        self.head.headers()
    }

    /// The next piece of the body; `None` at its end. Short pieces cost as much of the task's budget as long ones, so
    /// that a body of many pieces delays nobody else.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, HttpFailure> {
        loop {
            coop::consume_budget().await;
            match poll_fn(|cx| self.poll_frame(cx)).await {
                None => return Ok(None),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
                Some(Err(error)) => return Err(HttpFailure::Exchange(error)),
            }
        }
    }

    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let mut body = Pin::new(&mut self.body);
        let polled = body.as_mut().poll_frame(cx);
        if polled.is_ready() {
            return polled;
        }
        drive(&mut self.connection, cx);
        body.poll_frame(cx)
    }
}

/// Why `server` sent no response.
pub(super) fn unreachable(server: TokenServer, failure: HttpFailure) -> GrantError {
    GrantError::Unreachable(Box::new(Unreachable::new(server, failure)))
}
