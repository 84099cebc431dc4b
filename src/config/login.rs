//! `token.grant = "authorization_code"` and `"device_code"` as types: how a person signs in at the authorization
//! server.

use std::net::{IpAddr, SocketAddr};

use url::{Host, Url};

use super::address::{Origin, is_loopback};
use super::listen::Listen;
use super::login_store::LoginStore;
use super::problems::InvalidValue;
use crate::text::quoted;

/// The key of [`LoginConfig::device_url`].
pub const DEVICE_URL_KEY: &str = "token.device_url";
/// The key of [`LoginConfig::revocation_url`].
pub const REVOCATION_URL_KEY: &str = "token.revocation_url";

/// How a person signs in at the authorization server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginConfig {
    /// Whether a person signs in only with a code on another device, and no browser ever returns to `redirect_url`.
    pub is_device_only: bool,
    /// `token.redirect_url`: http on loopback, with a port and a path.
    pub redirect_url: Url,
    /// `token.authorization_url`; without it the issuer's metadata names the address.
    pub authorization_url: Option<Url>,
    /// `token.device_url`; without it the issuer's metadata may name the address.
    pub device_url: Option<Url>,
    /// `token.revocation_url`; without it the issuer's metadata may name the address.
    pub revocation_url: Option<Url>,
    /// `token.store`: where the refresh token is kept.
    pub store: LoginStore,
    /// The issuer, where it is known.
    pub issuer: Option<String>,
    /// `upstream.url`: the API that the tokens are for.
    pub api: Option<Origin>,
}

/// Paths that cupbearer serves itself beside the redirect.
const OWN_PATHS: [&str; 4] = ["/", "/start", "/done", "/rejected"];

/// `token.redirect_url` (RFC 8252 7.3): cupbearer listens there, so it must be on this machine.
pub(crate) fn redirect_url(text: &str) -> Result<Url, InvalidValue> {
    let invalid = |problem: &str| {
        Err((
            format!("{} {problem}", quoted(text)),
            "write a loopback address with a port and a path, such as http://127.0.0.1:6753/callback, exactly as it is \
             registered for the client",
        )
            .into())
    };
    let Ok(url) = Url::parse(text.trim()) else {
        return invalid("is not a URL");
    };
    if url.scheme() != "http" || !is_loopback(&url) {
        return invalid("is not a loopback address with http");
    }
    if !url.username().is_empty() || url.query().is_some() || url.fragment().is_some() {
        return invalid("has more than a host, a port and a path");
    }
    if url.port().is_none_or(|port| port == 0) {
        return invalid("has no port");
    }
    let path = url.path();
    if OWN_PATHS.contains(&path) || path.starts_with("/start/") {
        return invalid("has no path of its own");
    }
    // The path is that of a cookie too.
    if path.contains(';') {
        return invalid("has a semicolon in its path");
    }
    Ok(url)
}

impl LoginConfig {
    /// The host and port as a browser sends them in `Host`.
    #[must_use]
    pub fn redirect_authority(&self) -> String {
        let url = &self.redirect_url;
        let port = url.port_or_known_default().unwrap_or_default();
        format!("{}:{port}", url.host_str().unwrap_or_default())
    }

    /// Where cupbearer listens during a sign-in.
    #[must_use]
    pub fn redirect_listen(&self) -> Listen {
        let url = &self.redirect_url;
        let port = url.port_or_known_default().unwrap_or_default();
        let host = url.host_str().unwrap_or_default();
        let ip: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
        ip.map_or(Listen::Localhost(port), |ip| {
            Listen::Tcp(SocketAddr::new(ip, port))
        })
    }

    /// Whether the browser returns to a name, which may stand for two addresses.
    #[must_use]
    pub fn redirects_to_name(&self) -> bool {
        matches!(self.redirect_url.host(), Some(Host::Domain(_)))
    }
}
