//! Who is at the other end of a connection. `server` fills this in when it accepts the connection.

use std::net::SocketAddr;
use std::sync::Arc;

use super::peer_certificate::PeerCertificate;

/// The client of one connection.
#[derive(Debug, Clone)]
pub struct Peer {
    /// The kind of listener that accepted the connection.
    pub transport: Transport,
    /// Whether the connection is encrypted.
    pub scheme: OwnScheme,
    /// The client's address; `None` on a unix socket.
    pub address: Option<SocketAddr>,
    /// The user that owns the client's end, if the system tells.
    pub uid: Option<u32>,
    /// The certificate that it has presented, if any.
    pub certificate: Option<Arc<PeerCertificate>>,
}

/// The scheme of the URL by which a client reaches this proxy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OwnScheme {
    /// Plain HTTP.
    #[default]
    Http,
    /// TLS (`tls.cert_file`).
    Https,
}

impl OwnScheme {
    /// `http` or `https`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// What comes before the authority of a URL: `http://` or `https://`.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Http => "http://",
            Self::Https => "https://",
        }
    }
}

/// The kind of a listener, by its own address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// An address of 127.0.0.0/8, or `::1`.
    Loopback,
    /// A unix socket.
    Unix,
    /// Any other address.
    Network,
}

impl Peer {
    /// A client at `address` that connected to our `listener`, with an unknown user.
    #[must_use]
    pub fn tcp(listener: SocketAddr, address: SocketAddr) -> Self {
        let transport = if listener.ip().to_canonical().is_loopback() {
            Transport::Loopback
        } else {
            Transport::Network
        };
        Self {
            transport,
            scheme: OwnScheme::Http,
            address: Some(address),
            uid: None,
            certificate: None,
        }
    }

    /// Whether it connected to a loopback address, whatever address the listener has: only then is its own address one.
    pub(super) fn is_on_loopback(&self) -> bool {
        self.address
            .is_some_and(|address| address.ip().to_canonical().is_loopback())
    }

    /// A client that connected to a unix socket.
    #[must_use]
    pub const fn unix(uid: Option<u32>) -> Self {
        Self {
            transport: Transport::Unix,
            scheme: OwnScheme::Http,
            address: None,
            uid,
            certificate: None,
        }
    }
}

/// The name of a caller in the configuration, as logs and metrics show it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CallerName(Arc<str>);

impl CallerName {
    /// The name of `[guard.callers.NAME]`.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
