//! Who is at the other end of a connection, as far as the system can tell. Asks nobody; `server` fills it in.

use std::net::SocketAddr;
use std::sync::Arc;

/// The other end of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Which kind of listener it came in by.
    pub way: Way,
    /// Where it comes from; a unix socket has no such address.
    pub address: Option<SocketAddr>,
    /// The user that owns its end, where the system says so.
    pub uid: Option<u32>,
}

/// The kind of a listener: by its own address, whoever connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// An address of 127.0.0.0/8, or `::1`.
    Loopback,
    /// A unix socket.
    Unix,
    /// Any other address.
    Network,
}

impl Peer {
    /// Who came from `address` to our own `listener`; of unknown uid.
    #[must_use]
    pub fn tcp(listener: SocketAddr, address: SocketAddr) -> Self {
        let way = if listener.ip().to_canonical().is_loopback() {
            Way::Loopback
        } else {
            Way::Network
        };
        Self {
            way,
            address: Some(address),
            uid: None,
        }
    }

    /// Who came to a unix socket.
    #[must_use]
    pub const fn unix(uid: Option<u32>) -> Self {
        Self {
            way: Way::Unix,
            address: None,
            uid,
        }
    }
}

/// A caller's name in the configuration, as logs and metrics show it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CallerName(Arc<str>);

impl CallerName {
    /// The name of `[guard.callers.NAME]`.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// As configured.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
