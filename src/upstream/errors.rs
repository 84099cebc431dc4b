//! What can go wrong between us and the upstream: each with its limit, none with a text made of another error.

use std::io;
use std::time::Duration;

use super::certificate::CertificateRefused;
use super::handshake::{self, HandshakeError};
use super::tunnel::ProxyError;

/// No connection could be made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The upstream's name has no address.
    #[error("the name {host} could not be resolved")]
    Dns {
        /// As it stands in `upstream.url`.
        host: String,
        /// The resolver's words.
        source: io::Error,
    },
    /// Every address was tried; the last one failed like this.
    #[error("no connection to {address}")]
    Refused {
        /// The address tried last.
        address: std::net::SocketAddr,
        /// The system's words.
        source: io::Error,
    },
    /// Name resolution, TCP and TLS together took too long.
    #[error("no connection within {} (upstream.connect_timeout)", humantime::format_duration(*limit))]
    Timeout {
        /// `upstream.connect_timeout`.
        limit: Duration,
    },
    /// The same, by way of the corporate proxy, which may be the slow one.
    #[error(
        "no connection within {} (upstream.connect_timeout), through the corporate proxy {proxy} (network.proxy)",
        humantime::format_duration(*limit)
    )]
    ProxyTimeout {
        /// `upstream.connect_timeout`.
        limit: Duration,
        /// Its address, without user name and password.
        proxy: String,
    },
    /// The corporate proxy did not connect us.
    #[error("the corporate proxy {proxy} (network.proxy) connected us to nothing")]
    Proxy {
        /// Its address, without user name and password.
        proxy: String,
        /// Why.
        source: Box<ProxyError>,
    },
    /// The certificate does not prove that this is the upstream.
    #[error("the upstream's certificate is not accepted")]
    Certificate {
        /// Which check failed, and who issued what was presented.
        source: Box<CertificateRefused>,
    },
    /// The TLS handshake failed otherwise.
    #[error("the TLS handshake failed")]
    Handshake {
        /// What failed.
        source: HandshakeError,
    },
    /// hyper refused to start on the connection.
    #[error("the connection could not be used")]
    Http {
        /// hyper's words.
        source: hyper::Error,
    },
}

/// A request got no answer.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// It was never sent.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// It was sent, and no head came in time.
    #[error("no response head within {} (upstream.head_timeout)", humantime::format_duration(*limit))]
    HeadTimeout {
        /// `upstream.head_timeout`.
        limit: Duration,
    },
    /// The caller stopped sending the request's body.
    #[error("no byte of the request body within {} (upstream.stall_timeout)", humantime::format_duration(*limit))]
    CallerStalled {
        /// `upstream.stall_timeout`.
        limit: Duration,
    },
    /// The caller's body broke off or was malformed.
    #[error("the request body could not be read")]
    CallerBody {
        /// What the body said.
        source: hyper::Error,
    },
    /// The connection ended before the head of the answer was complete.
    #[error("the connection ended before the response head was complete")]
    Closed {
        /// hyper's words.
        source: hyper::Error,
    },
    /// A 101 that nobody asked for, or to another protocol than was asked for (RFC 9110 §7.8).
    #[error("the upstream switched to a protocol that was not asked for")]
    Switched,
    /// What came is not HTTP/1.
    #[error("the answer is not a valid HTTP/1.1 message")]
    Protocol {
        /// hyper's words.
        source: hyper::Error,
    },
    /// It is HTTP/1, but where it ends has two readings.
    #[error("the answer's framing is ambiguous: {0}")]
    Framing(&'static str),
}

impl SendError {
    /// Sorts what hyper says of an exchange by whose fault it is.
    pub(super) fn exchange(source: hyper::Error) -> Self {
        if let Some(source) = handshake::late_refusal(&source) {
            Self::Connect(ConnectError::Handshake { source })
        } else if source.is_user() {
            Self::CallerBody { source }
        } else if source.is_parse() {
            Self::Protocol { source }
        } else {
            Self::Closed { source }
        }
    }
}
