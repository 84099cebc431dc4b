//! Requests that come back to the proxy that sent them. They are recognized by our own name in `Via` (RFC 9110 section
//! 7.6.3).

use std::sync::Arc;

use http::header::{self, HeaderMap};
use http::{HeaderValue, Version};

use super::header_lines::lines;

/// The name of one proxy of this process in `Via`. It does not reveal the host, and nobody can guess it to make a
/// request look like one that has been here.
#[derive(Debug, Clone)]
pub struct ViaName(Arc<str>);

/// The request has been here before.
#[derive(Debug, thiserror::Error)]
#[error("the request has passed through this proxy before")]
pub(super) struct RequestLoop;

impl ViaName {
    /// A new random name for the proxy that is called `name` in the configuration.
    #[must_use]
    pub fn generate(name: &str) -> Self {
        Self(format!("{name}-{:08x}", fastrand::u32(..)).into())
    }

    /// Whether a request has been here before. All lines of `Via` count.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<(), RequestLoop> {
        if lines(headers, &header::VIA).any(|line| self.is_in(line)) {
            return Err(RequestLoop);
        }
        Ok(())
    }

    fn is_in(&self, line: &HeaderValue) -> bool {
        let is_ours = |entry: &[u8]| {
            entry
                .split(u8::is_ascii_whitespace)
                .filter(|word| !word.is_empty())
                .nth(1)
                .is_some_and(|name| name.eq_ignore_ascii_case(self.0.as_bytes()))
        };
        line.as_bytes().split(|byte| *byte == b',').any(is_ours)
    }
}

/// The `Via` lines that we add to requests, one for each version in which a request can be received.
#[derive(Debug)]
pub(super) struct ViaLines {
    http_11: HeaderValue,
    http_10: HeaderValue,
    version_2: HeaderValue,
}

impl ViaLines {
    pub(super) fn of(name: &ViaName) -> Self {
        let line = |version: &str| {
            HeaderValue::try_from(format!("{version} {}", name.0))
                .expect("a name consists of letters, digits and a few marks")
        };
        Self {
            http_11: line("1.1"),
            http_10: line("1.0"),
            version_2: line("2.0"),
        }
    }

    pub(super) const fn line(&self, received: Version) -> &HeaderValue {
        match received {
            Version::HTTP_10 => &self.http_10,
            Version::HTTP_2 => &self.version_2,
            _ => &self.http_11,
        }
    }
}

#[cfg(test)]
mod tests;
