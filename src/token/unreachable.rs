//! Why the token endpoint sent no response: what failed on the way, on which side, and which configuration key to
//! change. Classifies the errors that libraries report; sends nothing.

use std::error::Error;
use std::sync::Arc;
use std::{fmt, io};

use url::Url;

use super::cause::Cause;
use crate::config::{SOURCE_KEY, is_loopback};
use crate::net::{CorporateProxyError, DialError, InterimFlood, TlsFailure};
use crate::text::causes;

/// Which of an authorization server's endpoints a request goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointRole {
    /// RFC 6749 3.2.
    Token,
    /// RFC 8628 3.1.
    Device,
    /// RFC 7009 2.
    Revocation,
}

impl fmt::Display for EndpointRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token => "token endpoint",
            Self::Device => "device authorization endpoint",
            Self::Revocation => "revocation endpoint",
        })
    }
}

/// The server that a request goes to, as messages describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenServer {
    /// What the request is for.
    pub role: EndpointRole,
    /// `host:port` of the endpoint, or of the issuer whose metadata is read.
    pub address: String,
    /// The configuration key that names it.
    pub key: &'static str,
    /// The corporate proxy that the request goes through, without user name and password.
    pub proxy: Option<String>,
}

impl TokenServer {
    pub(super) fn new(url: &Url, key: &'static str, proxy: Option<String>) -> Self {
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or_default();
        Self {
            role: EndpointRole::Token,
            address: format!("{host}:{port}"),
            key,
            proxy,
        }
    }

    /// What messages call it.
    pub(super) fn title(&self) -> String {
        if self.key == SOURCE_KEY {
            "the server in token.source,".to_owned()
        } else {
            format!("the {}", self.role)
        }
    }

    /// Whether it runs on this machine, so that neither VPN, firewall nor corporate proxy is in between.
    pub(super) fn is_loopback(&self) -> bool {
        Url::parse(&format!("http://{}/", self.address)).is_ok_and(|url| is_loopback(&url))
    }

    /// The proxy as part of a sentence; empty without a proxy.
    pub(super) fn through_proxy(&self) -> String {
        match &self.proxy {
            None => String::new(),
            Some(proxy) => format!(" through the corporate proxy {proxy} (network.proxy)"),
        }
    }
}

/// The token endpoint sent no response.
#[derive(Debug, thiserror::Error)]
#[error("no response from {} {}{}", server.title(), server.address, server.through_proxy())]
pub struct Unreachable {
    /// The server that was asked.
    pub server: TokenServer,
    /// What failed.
    #[source]
    pub cause: UnreachableCause,
}

/// What failed between this proxy and the token endpoint.
#[derive(Debug, thiserror::Error)]
pub enum UnreachableCause {
    /// A name has no address: the token endpoint's, or the corporate proxy's.
    #[error("the name {host} cannot be resolved")]
    Unresolved {
        /// The name.
        host: String,
        /// The resolver's error.
        source: Arc<io::Error>,
    },
    /// No process listens there, or a firewall rejects the connection.
    #[error("the connection was refused")]
    Refused,
    /// The operating system reports that there is no route.
    #[error("it cannot be reached over the network")]
    NoRoute(#[source] io::Error),
    /// The corporate proxy answered 407.
    #[error("the proxy requires a user name and password, or rejects the configured ones")]
    ProxyCredentials,
    /// The corporate proxy did not open a connection, for another reason.
    #[error("the proxy did not open a connection to it")]
    Proxy,
    /// The TLS handshake failed, or the certificate was rejected.
    #[error(transparent)]
    Tls(TlsFailure),
    /// The response is not HTTP/1.
    #[error("the response is not HTTP/1.1")]
    NotHttp,
    /// There were too many interim responses.
    #[error(transparent)]
    Interim(InterimFlood),
    /// The connection ended before the response was complete.
    #[error("the connection ended before the response was complete")]
    Ended,
    /// Anything else.
    #[error("the request failed")]
    Other(#[source] Cause),
}

/// Where a request failed.
pub(super) enum HttpFailure {
    /// On the way to the server.
    Dial(DialError),
    /// At the corporate proxy, or on the way to it.
    Proxy {
        host: String,
        error: Box<CorporateProxyError>,
    },
    /// In the TLS handshake.
    Tls(io::Error),
    /// After the connection was made.
    Exchange(hyper::Error),
}

impl Unreachable {
    /// Classifies why `server` sent no response.
    pub(super) fn new(server: TokenServer, failure: HttpFailure) -> Self {
        let cause = match failure {
            HttpFailure::Dial(DialError::Unresolved { host, source }) => {
                UnreachableCause::unresolved(host, source)
            }
            HttpFailure::Dial(DialError::Unreachable { source, .. }) => {
                UnreachableCause::no_connection(source)
            }
            HttpFailure::Proxy { host, error } => UnreachableCause::at_proxy(host, *error),
            HttpFailure::Tls(error) => UnreachableCause::other(error.into()),
            HttpFailure::Exchange(error) => UnreachableCause::other(error.into()),
        };
        Self { server, cause }
    }

    /// On which side the problem is, as far as that is known, and what to change there.
    #[must_use]
    pub fn remedy(&self) -> String {
        use UnreachableCause as Cause;
        let key = self.server.key;
        let through_proxy = self.server.proxy.is_some();
        match &self.cause {
            Cause::Unresolved { .. } | Cause::NoRoute(_) | Cause::Refused if through_proxy => {
                "the problem is on the way to the proxy: check network.proxy".to_owned()
            }
            Cause::Unresolved { .. } => format!(
                "the problem is on this machine's side: check {key} and this machine's DNS, and set network.proxy if \
                 the network requires a proxy"
            ),
            Cause::Refused | Cause::NoRoute(_) if self.server.is_loopback() => {
                format!("no process listens there: start it, or correct the port in {key}")
            }
            Cause::NoRoute(_) => format!(
                "the problem is on this machine's side or in the network: check {key} and the network connection, and \
                 set network.proxy if the network requires a proxy"
            ),
            Cause::Refused => format!(
                "the problem is on the server's side: no process listens there; check the host and port in {key}, and \
                 set network.proxy if the network requires a proxy"
            ),
            Cause::ProxyCredentials => {
                "set network.proxy = \"http://USER:PASSWORD@HOST:PORT\"".to_owned()
            }
            Cause::Proxy => format!(
                "the problem is on the proxy's side: ask whether it allows connections to the host in {key}"
            ),
            Cause::Tls(failure) => tls_remedy(failure, key),
            Cause::NotHttp | Cause::Interim(_) => {
                format!("check that {key} names a {}", self.server.role)
            }
            Cause::Ended | Cause::Other(_) => outside_remedy(key),
        }
    }
}

fn tls_remedy(failure: &TlsFailure, key: &str) -> String {
    match failure {
        // The description of the certificate contains its own remedy.
        TlsFailure::Certificate(_) => {
            format!("no secret was sent; {key} names the server")
        }
        TlsFailure::NotTls => format!("check that the port in {key} is the one for https"),
        TlsFailure::OldVersion => {
            format!("the problem is on the side of the server in {key}: it needs a newer TLS version")
        }
        TlsFailure::ClientCertificateRequired
        | TlsFailure::Rejected(_)
        | TlsFailure::Protocol(rustls::Error::AlertReceived(_)) => {
            "if it requires a client certificate, set token.client_cert_file and token.client_key_file"
                .to_owned()
        }
        TlsFailure::Closed | TlsFailure::Protocol(_) | TlsFailure::Io(_) => outside_remedy(key),
    }
}

fn outside_remedy(key: &str) -> String {
    format!(
        "the problem is on the side of the server in {key} or in the network, and may be temporary"
    )
}

impl UnreachableCause {
    fn unresolved(host: String, source: io::Error) -> Self {
        let source = Arc::new(source);
        Self::Unresolved { host, source }
    }

    fn no_connection(source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            _ => Self::NoRoute(source), // `io::ErrorKind` is non-exhaustive
        }
    }

    fn at_proxy(host: String, error: CorporateProxyError) -> Self {
        match error {
            CorporateProxyError::Unresolved { source } => Self::unresolved(host, source),
            CorporateProxyError::Unreachable { source, .. } => Self::no_connection(source),
            CorporateProxyError::CredentialsRequired { .. }
            | CorporateProxyError::CredentialsRejected { .. } => Self::ProxyCredentials,
            CorporateProxyError::Refused { .. }
            | CorporateProxyError::NotHttp
            | CorporateProxyError::TooLong { .. } => Self::Proxy,
            CorporateProxyError::Ended { .. } => Self::Ended,
        }
    }

    /// Classifies the error of a library.
    fn other(error: Cause) -> Self {
        let found = causes(&*error).find_map(Self::from_error);
        found.unwrap_or(Self::Other(error))
    }

    /// Classifies one error among the causes; `None` if it is not recognized.
    fn from_error(error: &(dyn Error + 'static)) -> Option<Self> {
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return Some(Self::Tls(TlsFailure::from_tls(error)));
        }
        if let Some(flood) = error.downcast_ref() {
            return Some(Self::Interim(*flood));
        }
        if let Some(error) = error.downcast_ref::<hyper::Error>() {
            return Self::from_http(error);
        }
        match error.downcast_ref::<io::Error>()?.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe => Some(Self::Ended),
            _ => None, // `io::ErrorKind` is non-exhaustive
        }
    }

    fn from_http(error: &hyper::Error) -> Option<Self> {
        if error.is_parse() {
            Some(Self::NotHttp)
        } else if error.is_incomplete_message() || error.is_canceled() {
            Some(Self::Ended)
        } else {
            None
        }
    }
}
