//! The host and port that a connection is made to.

use std::fmt;

use crate::config::{Origin, ProxyUrl};

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPort {
    /// A name or an address; an IPv6 address has no brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

impl From<&Origin> for HostPort {
    fn from(origin: &Origin) -> Self {
        Self {
            host: origin.authority.host().trim_matches(['[', ']']).to_owned(),
            port: origin.port(),
        }
    }
}

impl From<&ProxyUrl> for HostPort {
    fn from(proxy: &ProxyUrl) -> Self {
        Self {
            host: proxy.host.clone(),
            port: proxy.port,
        }
    }
}

/// `host:port`, with brackets around an IPv6 address (RFC 3986 section 3.2.2).
impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') {
            write!(f, "[{host}]:{port}")
        } else {
            write!(f, "{host}:{port}")
        }
    }
}
