//! Why no answer came from the token endpoint: what failed on the way, on whose side, and which key to
//! change. Sorts the causes that libraries report; sends nothing.

use std::error::Error;
use std::io;
use std::sync::Arc;

use url::Url;

use super::failure::Cause;
use crate::config::is_loopback;
use crate::net::TlsFailure;
use crate::text::causes;

/// Whom we speak to, as it is told to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// `host:port` of the token endpoint, or of the issuer whose metadata is read.
    pub address: String,
    /// The key that names it.
    pub key: &'static str,
    /// The corporate proxy on the way, without user name and password.
    pub proxy: Option<String>,
}

impl Peer {
    pub(super) fn new(url: &Url, key: &'static str, proxy: Option<String>) -> Self {
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or_default();
        Self {
            address: format!("{host}:{port}"),
            key,
            proxy,
        }
    }

    /// Whether it is on this machine, where neither VPN, firewall nor corporate proxy is on the way.
    pub(super) fn is_loopback(&self) -> bool {
        Url::parse(&format!("http://{}/", self.address)).is_ok_and(|url| is_loopback(&url))
    }

    /// The proxy as part of a sentence, or nothing.
    pub(super) fn by_way_of(&self) -> String {
        match &self.proxy {
            None => String::new(),
            Some(proxy) => format!(" through the corporate proxy {proxy} (network.proxy)"),
        }
    }
}

/// No answer came.
#[derive(Debug, thiserror::Error)]
#[error("no answer from the token endpoint {}{}", peer.address, peer.by_way_of())]
pub struct Unreachable {
    /// From whom.
    pub peer: Peer,
    /// What failed.
    #[source]
    pub obstacle: Obstacle,
}

/// What failed between us and the token endpoint.
#[derive(Debug, thiserror::Error)]
pub enum Obstacle {
    /// A name without an address: the endpoint's, or the corporate proxy's.
    #[error("the name {host} cannot be resolved")]
    Unresolved {
        /// The name.
        host: String,
        /// The resolver's words.
        source: Arc<io::Error>,
    },
    /// Nobody listens there, or a firewall says no.
    #[error("the connection is refused")]
    Refused,
    /// The network says that there is no way.
    #[error("it cannot be connected to")]
    NoWay(#[source] io::Error),
    /// The corporate proxy answered 407.
    #[error("the proxy wants a user name and password, or other ones")]
    ProxyCredentials,
    /// The corporate proxy did not connect us for another reason.
    #[error("the proxy did not connect us")]
    Proxy,
    /// The TLS handshake failed, or the certificate was rejected.
    #[error(transparent)]
    Tls(TlsFailure),
    /// What came is no HTTP/1.
    #[error("what it sent is no HTTP/1.1 answer")]
    NotHttp,
    /// The connection ended before the answer was complete.
    #[error("the connection ended before the answer was complete")]
    Ended,
    /// Anything else.
    #[error("the exchange failed")]
    Other(#[source] Cause),
}

/// How our resolver says that a name has no address, so that it can be found among the causes.
#[derive(Debug, thiserror::Error)]
#[error("{host}")]
pub(super) struct Unresolved {
    pub(super) host: String,
    pub(super) source: Arc<io::Error>,
}

impl Unreachable {
    /// Sorts what a library reports. `connecting`: whether there was no connection yet.
    pub(super) fn new(peer: Peer, connecting: bool, error: Cause) -> Self {
        let named = causes(&*error).find_map(|cause| Obstacle::named(connecting, cause));
        let obstacle = named.unwrap_or_else(|| Obstacle::Other(error));
        Self { peer, obstacle }
    }

    /// Whose side it is on, as far as can be told, and what to change there.
    #[must_use]
    pub fn remedy(&self) -> String {
        let key = self.peer.key;
        let through = self.peer.proxy.is_some();
        match &self.obstacle {
            Obstacle::Unresolved { .. } | Obstacle::NoWay(_) | Obstacle::Refused if through => {
                "on the way to the proxy: check network.proxy".to_owned()
            }
            Obstacle::Unresolved { .. } => format!(
                "on our side: check {key}, this machine's DNS, and whether it needs network.proxy"
            ),
            Obstacle::Refused | Obstacle::NoWay(_) if self.peer.is_loopback() => {
                format!("nobody listens there: start it, or correct the port in {key}")
            }
            Obstacle::NoWay(_) => format!(
                "on our side or between: check this machine's network, {key}, and whether it needs network.proxy"
            ),
            Obstacle::Refused => format!(
                "on its side: nobody listens there; check {key}, its port too, and whether it needs network.proxy"
            ),
            Obstacle::ProxyCredentials => {
                "write network.proxy = \"http://USER:PASSWORD@HOST:PORT\"".to_owned()
            }
            Obstacle::Proxy => format!("on the proxy's side: may it connect to what {key} names?"),
            Obstacle::Tls(failure) => tls_remedy(failure, key),
            Obstacle::NotHttp => format!("does {key} name a token endpoint?"),
            Obstacle::Ended | Obstacle::Other(_) => elsewhere(key),
        }
    }
}

fn tls_remedy(failure: &TlsFailure, key: &str) -> String {
    match failure {
        // The description of the certificate contains its own remedy.
        TlsFailure::Certificate(_) => format!("nothing was sent; {key} names it"),
        TlsFailure::NotTls => format!("is the port in {key} the one for https?"),
        TlsFailure::OldVersion => format!("on its side: it needs a newer TLS; {key} names it"),
        TlsFailure::ClientCertificateRequired | TlsFailure::Rejected(_) => {
            "if it requires a client certificate, set token.client_cert_file and token.client_key_file"
                .to_owned()
        }
        TlsFailure::Closed | TlsFailure::Protocol(_) | TlsFailure::Io(_) => elsewhere(key),
    }
}

fn elsewhere(key: &str) -> String {
    format!("on its side or between; {key} names it, it is tried again")
}

impl Obstacle {
    /// What one cause among several says, if it says anything.
    fn named(connecting: bool, cause: &(dyn Error + 'static)) -> Option<Self> {
        if let Some(Unresolved { host, source }) = cause.downcast_ref() {
            let (host, source) = (host.clone(), Arc::clone(source));
            return Some(Self::Unresolved { host, source });
        }
        if let Some(error) = cause.downcast_ref::<rustls::Error>() {
            return Some(Self::Tls(TlsFailure::from_tls(error)));
        }
        if let Some(error) = cause.downcast_ref::<hyper::Error>() {
            return Self::of_http(error);
        }
        let Some(error) = cause.downcast_ref::<io::Error>() else {
            return Self::of_tunnel(cause);
        };
        match (error.kind(), error.raw_os_error()) {
            (io::ErrorKind::ConnectionRefused, _) => Some(Self::Refused),
            (
                io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe,
                _,
            ) => Some(Self::Ended),
            (_, Some(code)) if connecting => Some(Self::NoWay(io::Error::from_raw_os_error(code))),
            _ => None, // the system's own list, which grows
        }
    }

    fn of_http(error: &hyper::Error) -> Option<Self> {
        if error.is_parse() {
            Some(Self::NotHttp)
        } else if error.is_incomplete_message() {
            Some(Self::Ended)
        } else {
            None
        }
    }

    /// reqwest's connector keeps this kind of error to itself; its words are all there is.
    fn of_tunnel(cause: &(dyn Error + 'static)) -> Option<Self> {
        let words = cause.to_string();
        let words = words.strip_prefix("tunnel error: ")?;
        if cause.source().is_some() {
            return None; // there was no connection to the proxy: what is below says why
        }
        Some(match words {
            "proxy authorization required" => Self::ProxyCredentials,
            _ => Self::Proxy,
        })
    }
}
