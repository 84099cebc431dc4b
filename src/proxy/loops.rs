//! Requests that come back: by our own pseudonym in `Via` (RFC 9110 section 7.6.3), and, before the first
//! request, by an upstream that is one of our listeners.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::header::{self, HeaderMap};
use http::{HeaderValue, Version};

use super::errors::ForwardError;
use super::headers;
use crate::config;

/// How one proxy of this process names itself in `Via`: not its host, which is nobody's business, and
/// not to be guessed, so that no request can be made to look as if it had been here.
#[derive(Debug, Clone)]
pub struct Pseudonym(Arc<str>);

impl Pseudonym {
    /// A new one for the proxy of this name, drawn at random.
    #[must_use]
    pub fn draw(name: &str) -> Self {
        Self(format!("{name}-{:08x}", fastrand::u32(..)).into())
    }

    /// Refuses a request that has been here before. All lines of `Via` count.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<(), ForwardError> {
        if headers::lines(headers, &header::VIA).any(|line| self.signed(line)) {
            return Err(ForwardError::Loop);
        }
        Ok(())
    }

    fn signed(&self, line: &HeaderValue) -> bool {
        let received_by = |entry: &[u8]| {
            entry
                .split(u8::is_ascii_whitespace)
                .filter(|word| !word.is_empty())
                .nth(1)
                .is_some_and(|name| name.eq_ignore_ascii_case(self.0.as_bytes()))
        };
        line.as_bytes().split(|byte| *byte == b',').any(received_by)
    }
}

/// The two lines that are put on requests, by the version in which they were received.
#[derive(Debug)]
pub(super) struct Via {
    http_11: HeaderValue,
    http_10: HeaderValue,
}

impl Via {
    pub(super) fn of(pseudonym: &Pseudonym) -> Self {
        let line = |version: &str| {
            HeaderValue::try_from(format!("{version} {}", pseudonym.0))
                .expect("a name is made of letters, digits and a few marks")
        };
        Self {
            http_11: line("1.1"),
            http_10: line("1.0"),
        }
    }

    pub(super) const fn line(&self, received: Version) -> &HeaderValue {
        match received {
            Version::HTTP_10 => &self.http_10,
            _ => &self.http_11,
        }
    }
}

/// The listener that requests to `upstream` would arrive at, if that is one of ours.
///
/// Names other than `localhost` are not resolved: where one leads here all the same, `Via` shows it.
#[must_use]
pub fn own_listener(upstream: &config::Origin, listeners: &[SocketAddr]) -> Option<SocketAddr> {
    let reached_by = |listener: &&SocketAddr| {
        listener.port() == upstream.port() && accepts(listener.ip(), upstream.authority.host())
    };
    listeners.iter().find(reached_by).copied()
}

/// Whether a listener on `listener` is what a connection to `host` may find.
fn accepts(listener: IpAddr, host: &str) -> bool {
    let bare = host
        .strip_prefix('[')
        .and_then(|inner| inner.strip_suffix(']'))
        .unwrap_or(host);
    let listener = listener.to_canonical();
    if host.eq_ignore_ascii_case("localhost") {
        return listener.is_loopback() || listener.is_unspecified();
    }
    bare.parse::<IpAddr>().is_ok_and(|address| {
        let address = address.to_canonical();
        // The unspecified address is this machine for who connects, and every address for who listens.
        let is_here = address.is_loopback() || address.is_unspecified();
        address == listener
            || listener.is_unspecified() && is_here
            || address.is_unspecified() && listener.is_loopback()
    })
}

#[cfg(test)]
mod tests;
