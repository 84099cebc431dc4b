//! HTTP origins: scheme, host and port, compared as RFC 3986 section 6.2 defines their equivalence.

use http::HeaderValue;

use crate::config;
use crate::guard::OwnScheme;

/// An origin, borrowed from the configuration or from a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct OriginRef<'a> {
    scheme: &'static str,
    host: &'a [u8],
    port: u16,
}

/// The address that a client used, as its URLs name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClientAddress {
    pub(super) scheme: OwnScheme,
    /// As in `Host`.
    pub(super) authority: String,
}

impl<'a> OriginRef<'a> {
    pub(super) fn of_upstream(url: &'a config::Origin) -> Self {
        Self {
            scheme: if url.is_tls() { "https" } else { "http" },
            host: url.authority.host().as_bytes(),
            port: url.port(),
        }
    }

    /// The address that the client used, according to its connection and `Host`.
    pub(super) fn of_client(scheme: OwnScheme, host: &'a HeaderValue) -> Option<Self> {
        let scheme = scheme.name();
        let (host, port) = split_authority(host.as_bytes())?;
        Some(Self {
            scheme,
            host,
            port: parse_port(port, scheme)?,
        })
    }

    /// `http` or `https`.
    pub(super) const fn scheme(&self) -> &'static str {
        self.scheme
    }

    /// `url` with its origin replaced, if that is this origin. `None` means that it stays byte for byte.
    ///
    /// `new` is a whole origin, such as `http://localhost:6749`.
    pub(super) fn replaced_in(&self, url: &HeaderValue, new: &[u8]) -> Option<HeaderValue> {
        let url = url.as_bytes();
        let rest = &url[self.prefix_of(url)?..];
        HeaderValue::from_bytes(&[new, rest].concat()).ok()
    }

    /// The length of this origin at the start of `url`, if `url` starts with it: that of `https://host:443` in
    /// `https://host:443/x`. A reference without a scheme (`//host/x`) takes the scheme of this origin.
    pub(super) fn prefix_of(&self, url: &[u8]) -> Option<usize> {
        let rest = self.without_scheme(url).strip_prefix(b"//")?;
        let end = rest
            .iter()
            .position(|byte| matches!(byte, b'/' | b'?' | b'#'))
            .unwrap_or(rest.len());
        self.has_authority(&rest[..end])
            .then_some(url.len() - rest.len() + end)
    }

    fn without_scheme<'u>(&self, url: &'u [u8]) -> &'u [u8] {
        match url.split_at_checked(self.scheme.len()) {
            Some((scheme, [b':', rest @ ..]))
                if scheme.eq_ignore_ascii_case(self.scheme.as_bytes()) =>
            {
                rest
            }
            _ => url,
        }
    }

    /// Whether `authority` is this host and port. One with a user name is not, since replacing it would lose the name.
    pub(super) fn has_authority(&self, authority: &[u8]) -> bool {
        split_authority(authority).is_some_and(|(host, port)| {
            host.eq_ignore_ascii_case(self.host) && parse_port(port, self.scheme) == Some(self.port)
        })
    }
}

/// The host, in brackets if it is an IPv6 address, and the text of the port.
fn split_authority(authority: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = match authority.first()? {
        b'[' => authority.iter().position(|byte| *byte == b']')? + 1,
        _ => authority
            .iter()
            .position(|byte| *byte == b':')
            .unwrap_or(authority.len()),
    };
    match authority.split_at(end) {
        (host, []) => Some((host, b"")),
        (host, [b':', port @ ..]) => Some((host, port)),
        _ => None,
    }
}

/// A missing or empty port means the scheme's default (RFC 3986 section 6.2.3).
fn parse_port(text: &[u8], scheme: &str) -> Option<u16> {
    if text.is_empty() {
        return Some(if scheme == "https" { 443 } else { 80 });
    }
    if !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests;
