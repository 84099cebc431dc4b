//! A name in a certificate: which one a caller's certificate or the API's must have.

use std::net::IpAddr;

use rustls::pki_types::DnsName;

use super::address;
use super::problems::InvalidValue;
use crate::text::quoted;

/// A subject alternative name (RFC 5280 section 4.2.1.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateName {
    /// Compared byte for byte.
    Uri(String),
    /// Lower case; compared without case.
    Dns(DnsName<'static>),
    /// An address.
    Ip(IpAddr),
}

const EXAMPLE: &str = "write \"orders.example.com\", a URI such as spiffe://cluster.local/ns/orders/sa/orders, or an IP \
                       address";

impl CertificateName {
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidValue> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Ip(address));
        }
        if text.contains('*') {
            let problem = format!("{} is a wildcard, which names nobody", quoted(text));
            return Err((problem, "write the whole name").into());
        }
        if let Some((scheme, rest)) = text.split_once(':') {
            let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
                && scheme
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
            let is_uri =
                is_scheme && !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic());
            // A port would make a name look like a URI.
            let is_port = rest.bytes().all(|byte| byte.is_ascii_digit());
            if is_uri && !is_port {
                return Ok(Self::Uri(text.to_owned()));
            }
            return Err((
                format!("{} is not a name in a certificate", quoted(text)),
                EXAMPLE,
            )
                .into());
        }
        address::dns_name(text).map(Self::Dns).ok_or_else(|| {
            let problem = format!("{} is not a name in a certificate", quoted(text));
            (problem, EXAMPLE).into()
        })
    }

    /// Whether it is a SPIFFE ID.
    #[must_use]
    pub fn is_spiffe(&self) -> bool {
        matches!(self, Self::Uri(uri) if uri.starts_with("spiffe://"))
    }
}

#[cfg(test)]
mod tests;
