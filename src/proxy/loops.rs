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
mod tests {
    use http::uri::{Authority, Scheme};

    use super::*;

    #[test]
    fn our_own_pseudonym_is_seen_in_any_line_and_nothing_else_is() {
        let ours = Pseudonym::draw("cupbearer");
        let own_line = Via::of(&ours).line(Version::HTTP_11).clone();
        let other = Via::of(&Pseudonym::draw("other"))
            .line(Version::HTTP_11)
            .clone();
        let text = own_line.to_str().unwrap();
        for (lines, is_loop) in [
            (vec![text.to_owned()], true),
            (vec![text.to_uppercase()], true),
            (
                vec![
                    "1.0 fred".to_owned(),
                    format!("HTTP/1.1  nowhere.com:80 (x),{text} (y)"),
                ],
                true,
            ),
            (vec![other.to_str().unwrap().to_owned()], false),
            (vec![format!("{text}0")], false),
            (vec![format!("1.1 fred ({text})")], false),
            (vec![String::new()], false),
            (vec![], false),
        ] {
            let mut headers = HeaderMap::new();
            for line in &lines {
                headers.append(header::VIA, HeaderValue::try_from(line).unwrap());
            }
            assert_eq!(ours.check(&headers).is_err(), is_loop, "{lines:?}");
        }
    }

    #[test]
    fn via_says_in_which_version_the_request_came() {
        let ours = Pseudonym::draw("a.b");
        let via = Via::of(&ours);
        assert_eq!(via.line(Version::HTTP_11), &format!("1.1 {}", ours.0));
        assert_eq!(via.line(Version::HTTP_10), &format!("1.0 {}", ours.0));
        assert!(ours.0.starts_with("a.b-"));
        assert_ne!(ours.0, Pseudonym::draw("a.b").0);
    }

    #[test]
    fn an_upstream_is_one_of_our_listeners_by_address_and_port() {
        for (upstream, listener, expected) in [
            ("127.0.0.1:6749", "127.0.0.1:6749", true),
            ("127.0.0.1:6749", "127.0.0.1:6750", false),
            ("127.0.0.2:6749", "127.0.0.1:6749", false),
            ("127.0.0.2:6749", "0.0.0.0:6749", true),
            ("localhost:6749", "127.0.0.1:6749", true),
            ("LOCALHOST:6749", "[::1]:6749", true),
            ("localhost:6749", "10.0.0.1:6749", false),
            ("[::1]:6749", "[::1]:6749", true),
            ("[::1]:6749", "127.0.0.1:6749", false),
            ("[::1]:6749", "[::]:6749", true),
            ("[::ffff:127.0.0.1]:6749", "127.0.0.1:6749", true),
            ("10.0.0.1:6749", "10.0.0.1:6749", true),
            ("10.0.0.1:6749", "0.0.0.0:6749", false),
            ("0.0.0.0:6749", "127.0.0.1:6749", true),
            ("api.example.com:6749", "127.0.0.1:6749", false),
            ("127.0.0.1", "127.0.0.1:80", true),
        ] {
            let origin = config::Origin {
                scheme: Scheme::HTTP,
                authority: Authority::try_from(upstream).unwrap(),
            };
            let found = own_listener(&origin, &[listener.parse().unwrap()]);
            assert_eq!(found.is_some(), expected, "{upstream} {listener}");
        }
    }
}
