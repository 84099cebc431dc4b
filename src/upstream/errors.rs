//! What can go wrong between us and the upstream: each with its limit, none with a text made of another error.

use std::io;
use std::time::Duration;

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
    /// The certificate does not prove that this is the upstream.
    #[error("the certificate presented is not accepted")]
    Certificate {
        /// Which check failed.
        source: rustls::Error,
    },
    /// The TLS handshake failed otherwise.
    #[error("the TLS handshake failed")]
    Handshake {
        /// What failed.
        source: io::Error,
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
        if source.is_user() {
            Self::CallerBody { source }
        } else if source.is_parse() {
            Self::Protocol { source }
        } else {
            Self::Closed { source }
        }
    }
}
