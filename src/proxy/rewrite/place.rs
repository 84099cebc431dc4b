//! Whom an address names: scheme, host and port, compared as RFC 3986 section 6.2 has them equal.

use http::HeaderValue;

use crate::config;

/// An HTTP origin, borrowed from where it stands.
#[derive(Debug, Clone, Copy)]
pub(in crate::proxy) struct Place<'a> {
    scheme: &'static str,
    host: &'a [u8],
    port: u16,
}

impl<'a> Place<'a> {
    /// The upstream.
    pub(in crate::proxy) fn of_upstream(url: &'a config::Origin) -> Self {
        Self {
            scheme: if url.is_tls() { "https" } else { "http" },
            host: url.authority.host().as_bytes(),
            port: url.port(),
        }
    }

    /// The address that the client used: our listeners speak plain HTTP.
    pub(in crate::proxy) fn of_client(host: &'a HeaderValue) -> Option<Self> {
        const SCHEME: &str = "http";
        let (host, port) = split(host.as_bytes())?;
        Some(Self {
            scheme: SCHEME,
            host,
            port: port_of(port, SCHEME)?,
        })
    }

    /// `http` or `https`.
    pub(in crate::proxy) const fn scheme(&self) -> &'static str {
        self.scheme
    }

    /// How many bytes at the start of `url` name this place, if they do: `https://host:443` of
    /// `https://host:443/x`. A reference without scheme (`//host/x`) takes the scheme of this place.
    pub(in crate::proxy) fn named_by(&self, url: &[u8]) -> Option<usize> {
        let rest = self.after_scheme(url).strip_prefix(b"//")?;
        let end = rest
            .iter()
            .position(|byte| matches!(byte, b'/' | b'?' | b'#'))
            .unwrap_or(rest.len());
        self.is(&rest[..end])
            .then_some(url.len() - rest.len() + end)
    }

    fn after_scheme<'u>(&self, url: &'u [u8]) -> &'u [u8] {
        match url.split_at_checked(self.scheme.len()) {
            Some((scheme, [b':', rest @ ..]))
                if scheme.eq_ignore_ascii_case(self.scheme.as_bytes()) =>
            {
                rest
            }
            _ => url,
        }
    }

    /// Whether an authority is this host and port. One with a user name is not: it would be lost.
    pub(in crate::proxy) fn is(&self, authority: &[u8]) -> bool {
        split(authority).is_some_and(|(host, port)| {
            host.eq_ignore_ascii_case(self.host) && port_of(port, self.scheme) == Some(self.port)
        })
    }
}

/// Host, in brackets where it is IPv6, and the text of the port.
fn split(authority: &[u8]) -> Option<(&[u8], &[u8])> {
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

/// No port and an empty one are the scheme's own (RFC 3986 section 6.2.3).
fn port_of(text: &[u8], scheme: &str) -> Option<u16> {
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
