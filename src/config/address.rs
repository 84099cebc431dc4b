//! Addresses as people write them: listeners, URLs, host names and web origins.
//!
//! The same parsed URL decides both whether it is loopback and where connections go, so that no spelling (`127.1`,
//! `LOCALHOST`) can mean two things. No name is ever resolved.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use http::uri::{Authority, Scheme};
use rustls::pki_types::ServerName;
use url::{Host, Url};

use super::problems::InvalidValue;
use crate::text::quoted;

/// The `Host` of a request that asks which program uses a port. A cupbearer rejects it like any other foreign name, but
/// neither counts nor logs it.
pub const PORT_PROBE_HOST: &str = "who-holds-this-port.invalid";

/// A listener's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// `localhost:PORT`: every loopback address family of this machine.
    Localhost(u16),
    /// One address; port 0 means any free one.
    Tcp(SocketAddr),
    /// `unix:/PATH`: a unix socket.
    Unix {
        /// Absolute.
        path: PathBuf,
        /// `listen_mode`: the socket file's permissions.
        mode: u32,
    },
}

impl Listen {
    /// Whether only this machine can connect: a unix socket or loopback, which is `127.0.0.0/8`, `::1` or the
    /// name `localhost`, which is never resolved.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Localhost(_) | Self::Unix { .. } => true,
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
        }
    }

    /// Whether one machine cannot listen on both at the same time.
    #[must_use]
    pub(crate) fn conflicts_with(&self, other: &Self) -> bool {
        if let (Self::Unix { path, .. }, Self::Unix { path: other, .. }) = (self, other) {
            return path == other;
        }
        self.sockets()
            .iter()
            .any(|one| other.sockets().iter().any(|two| overlap(*one, *two)))
    }

    /// The TCP addresses that are bound, of which a machine may lack some.
    pub(crate) fn sockets(&self) -> Vec<SocketAddr> {
        match self {
            Self::Localhost(port) => vec![
                (Ipv4Addr::LOCALHOST, *port).into(),
                (Ipv6Addr::LOCALHOST, *port).into(),
            ],
            Self::Tcp(address) => vec![*address],
            Self::Unix { .. } => Vec::new(),
        }
    }
}

/// Whether a socket that listens on one of these addresses keeps another one from listening on the other.
fn overlap(one: SocketAddr, two: SocketAddr) -> bool {
    // An unspecified IPv6 address takes IPv4 connections too, except on Windows.
    let covers = |wide: IpAddr, ip: IpAddr| match wide {
        IpAddr::V4(wide) => wide.is_unspecified() && ip.to_canonical().is_ipv4(),
        IpAddr::V6(wide) => wide.is_unspecified() && (ip.is_ipv6() || cfg!(not(windows))),
    };
    let (one_ip, two_ip) = (one.ip(), two.ip());
    one.port() != 0
        && one.port() == two.port()
        && (one_ip.to_canonical() == two_ip.to_canonical()
            || covers(one_ip, two_ip)
            || covers(two_ip, one_ip))
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Localhost(port) => write!(f, "localhost:{port}"),
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix { path, .. } => write!(f, "unix:{}", path.display()),
        }
    }
}

/// The scheme and authority that all requests are sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// `http` or `https`.
    pub scheme: Scheme,
    /// Host and, where it was written, port.
    pub authority: Authority,
}

impl Origin {
    /// The port to connect to: the one that was written, else the scheme's default.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.authority
            .port_u16()
            .unwrap_or(if self.is_tls() { 443 } else { 80 })
    }

    /// Whether connections are made over TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// Whether a connection to it may reach a listener on this address.
    ///
    /// A name other than `localhost` is not resolved. If such a name leads here, `Via` reveals it.
    #[must_use]
    pub fn may_reach(&self, listener: SocketAddr) -> bool {
        if listener.port() != self.port() {
            return false;
        }
        let (host, listener) = (self.authority.host(), listener.ip().to_canonical());
        if host.eq_ignore_ascii_case("localhost") {
            return listener.is_loopback() || listener.is_unspecified();
        }
        let bare = host
            .strip_prefix('[')
            .and_then(|inner| inner.strip_suffix(']'))
            .unwrap_or(host);
        bare.parse::<IpAddr>().is_ok_and(|address| {
            let address = address.to_canonical();
            // To a client the unspecified address means this machine; to a listener it means every address.
            let is_here = address.is_loopback() || address.is_unspecified();
            address == listener
                || listener.is_unspecified() && is_here
                || address.is_unspecified() && listener.is_loopback()
        })
    }

    /// As a whole URL, with the path `/`.
    pub(crate) fn to_url(&self) -> Option<Url> {
        Url::parse(&format!("{}://{}/", self.scheme, self.authority)).ok()
    }
}

/// The longest path of a unix socket, without its final NUL (`sun_path`: 108 on Linux, 104 elsewhere).
const LONGEST_SOCKET_PATH: usize = 103;

/// The mode of a unix socket where none is set: its owner only.
const OWNER_ONLY: u32 = 0o600;

/// `listen`: `localhost:PORT`, `ADDRESS:PORT` or `unix:/PATH`.
pub(crate) fn listen(text: &str) -> Result<Listen, InvalidValue> {
    listen_near(text, 6749)
}

/// An address in `admin.listen`, as in [`listen`].
pub(crate) fn admin_listen(text: &str) -> Result<Listen, InvalidValue> {
    listen_near(text, 6750)
}

/// `example` is the port to propose.
fn listen_near(text: &str, example: u16) -> Result<Listen, InvalidValue> {
    let invalid =
        |problem: &str, remedy: String| (format!("{} {problem}", quoted(text)), remedy).into();
    if let Some(path) = text.strip_prefix("unix:") {
        return match unusable_socket(path) {
            None => Ok(Listen::Unix {
                path: path.into(),
                mode: OWNER_ONLY,
            }),
            Some(problem) => Err(invalid(
                problem,
                format!("write \"unix:/run/cupbearer/api.sock\" or \"localhost:{example}\""),
            )),
        };
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(Listen::Tcp(address));
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        let remedy = if address.is_loopback() {
            format!("write \"{}\"", SocketAddr::new(address, example))
        } else {
            format!("write \"localhost:{example}\", or put a port after the address")
        };
        return Err(invalid("has no port", remedy));
    }
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) => (name, Some(port)),
        None if text.parse::<u16>().is_ok() => ("", Some(text)),
        None => (text, None),
    };
    match port.map(str::parse::<u16>) {
        Some(Ok(port)) if name.eq_ignore_ascii_case("localhost") => Ok(Listen::Localhost(port)),
        Some(Ok(port)) if name.is_empty() => Err(invalid(
            "has no host",
            format!("write \"localhost:{port}\""),
        )),
        Some(Ok(port)) => Err(invalid(
            "is neither localhost nor an IP address",
            format!("write \"localhost:{port}\", or an address of this machine"),
        )),
        Some(Err(_)) => Err(invalid(
            "has an invalid port",
            format!("write a port from 0 to 65535, such as \"localhost:{example}\""),
        )),
        None => Err(invalid(
            "has no port",
            format!("write \"localhost:{example}\""),
        )),
    }
}

/// Why `path` cannot be the path of a unix socket.
fn unusable_socket(path: &str) -> Option<&'static str> {
    if cfg!(not(unix)) {
        return Some("is a unix socket, which this system does not support");
    }
    if !path.starts_with('/') || path.ends_with('/') || path.contains('\0') {
        return Some("is not the absolute path of a socket");
    }
    (path.len() > LONGEST_SOCKET_PATH).then_some("is longer than the path of a socket can be")
}

/// `upstream.url`: scheme, host and port, and nothing else. The remedy proposes http only where `plaintext` is
/// allowed.
pub(crate) fn origin(text: &str, plaintext: bool) -> Result<Origin, InvalidValue> {
    let accepts = |proposed: &str| origin(proposed, plaintext).is_ok();
    let url = http_url(text, &accepts)?;
    let bare = url.origin().ascii_serialization();
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        let proposed = match bare.strip_prefix("http://") {
            Some(authority) if !plaintext && !is_loopback(&url) => format!("https://{authority}"),
            Some(_) | None => bare,
        };
        return Err((
            format!("{} has more than scheme, host and port", quoted(text)),
            format!("write {proposed:?}; path and query come from each request"),
        )
            .into());
    }
    let (scheme, authority) = bare.split_once("://").unwrap_or_default();
    Ok(Origin {
        scheme: if scheme == "https" {
            Scheme::HTTPS
        } else {
            Scheme::HTTP
        },
        authority: Authority::try_from(authority)
            .map_err(|_| (format!("{} has no valid host", quoted(text)), EXAMPLE))?,
    })
}

/// `token.url`: a whole URL; no fragment (RFC 6749 3.2).
pub(crate) fn endpoint(text: &str) -> Result<Url, InvalidValue> {
    let mut url = http_url(text, &|proposed| endpoint(proposed).is_ok())?;
    if url.fragment().is_some() {
        url.set_fragment(None);
        return Err((
            format!("{} has a fragment", quoted(text)),
            format!("write {:?}", url.as_str()),
        )
            .into());
    }
    Ok(url)
}

/// `token.issuer`: a URL without query and fragment (RFC 8414 2).
pub(crate) fn issuer(text: &str) -> Result<Url, InvalidValue> {
    let accepts = |proposed: &str| issuer(proposed).is_ok();
    let url = http_url(text, &accepts)?;
    let known = [
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
    ];
    let metadata = known.iter().find_map(|known| text.find(known));
    if let Some(start) = metadata.map(|end| &text[..end])
        && accepts(start)
    {
        return Err((
            format!("{} is the address of the issuer's metadata", quoted(text)),
            format!("write {start:?}, which is the issuer that this metadata names"),
        )
            .into());
    }
    if metadata.is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err((
            format!("{} has a query or a fragment", quoted(text)),
            "write the issuer exactly as its metadata has it",
        )
            .into());
    }
    Ok(url)
}

/// Whether a URL's host is 127.0.0.0/8, `::1` or `localhost`.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Whether an origin is on loopback.
pub(crate) fn is_loopback_origin(origin: &Origin) -> bool {
    origin.to_url().is_some_and(|url| is_loopback(&url))
}

/// A name in `guard.hosts`.
pub(crate) fn host_name(text: &str) -> Result<String, InvalidValue> {
    let remedy = |name: &str| format!("write {name:?}: lower case, without scheme and port");
    if host_name_is_usable(text) {
        return Ok(text.to_owned());
    }
    let authority = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = authority.split('/').next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let literal = host.trim_start_matches('[').split(']').next();
    let name = host.split(':').next().unwrap_or_default();
    let guess = match literal.and_then(|literal| literal.parse::<Ipv6Addr>().ok()) {
        Some(address) => format!("[{address}]"),
        None => name.trim_matches('.').to_ascii_lowercase(),
    };
    let example = if host_name_is_usable(&guess) {
        guess.as_str()
    } else {
        "proxy.example.com"
    };
    Err((
        format!("{} is not a host name", quoted(text)),
        remedy(example),
    )
        .into())
}

fn host_name_is_usable(text: &str) -> bool {
    let is_v6 = text
        .strip_prefix('[')
        .and_then(|inner| inner.strip_suffix(']'))
        .is_some_and(|inner| inner.parse::<Ipv6Addr>().is_ok());
    let is_name = !text.is_empty()
        && !text.starts_with('.')
        && !text.ends_with('.')
        && text
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_'));
    is_name || is_v6
}

/// An origin in `guard.origins`.
pub(crate) fn web_origin(text: &str) -> Result<String, InvalidValue> {
    let invalid = |remedy: String| -> InvalidValue {
        (format!("{} is not a web origin", quoted(text)), remedy).into()
    };
    if text == "*" || text.eq_ignore_ascii_case("null") {
        return Err(invalid(
            "list each origin: otherwise every page on the web could call".into(),
        ));
    }
    // The page of a WebSocket has an origin with http.
    let as_page = match text.split_once("://") {
        Some(("ws", rest)) => format!("http://{rest}"),
        Some(("wss", rest)) => format!("https://{rest}"),
        Some(_) | None => text.to_owned(),
    };
    let url = Url::parse(&as_page)
        .ok()
        .filter(|url| url.origin().is_tuple());
    let Some(url) = url else {
        return if is_other_origin(text) {
            Ok(text.to_owned())
        } else {
            Err(invalid(ORIGIN_EXAMPLE.into()))
        };
    };
    let is_http = matches!(url.scheme(), "http" | "https");
    if !is_http || text.contains(['*', '@']) || !is_valid_host(&url) {
        return Err(invalid(ORIGIN_EXAMPLE.into()));
    }
    let origin = url.origin().ascii_serialization();
    if origin == text {
        Ok(origin)
    } else {
        Err(invalid(format!("write {origin:?}")))
    }
}

const ORIGIN_EXAMPLE: &str = "write scheme, host and port: \"https://tool.example.com\"";

/// A browser extension's origin, such as `chrome-extension://…`, which the standard for URLs does not define.
fn is_other_origin(text: &str) -> bool {
    let is_plain = |part: &str, more: &[u8]| {
        !part.is_empty()
            && part.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || more.contains(&byte)
            })
    };
    text.split_once("://").is_some_and(|(scheme, host)| {
        scheme != "file" && is_plain(scheme, b"-+.") && is_plain(host, b"-.")
    })
}

/// What to write if the given text suggests nothing better.
const EXAMPLE: &str = "write scheme, host and perhaps a port: \"https://api.example.com:8443\"";

/// An http or https URL with a host. One with a user name or password is rejected and never quoted. What is proposed
/// instead satisfies `accepts`.
fn http_url(text: &str, accepts: &dyn Fn(&str) -> bool) -> Result<Url, InvalidValue> {
    let rest = match text.split_once("://") {
        Some(("http" | "https", rest)) => rest,
        Some((scheme, rest)) if !text.contains('@') => {
            let problem = format!("{} is neither http nor https", quoted(scheme));
            return Err((problem, with_scheme(rest, accepts)).into());
        }
        None if !text.contains('@') => {
            let problem = format!("{} has no scheme", quoted(text));
            let rest = text
                .strip_prefix("https:")
                .or_else(|| text.strip_prefix("http:"))
                .unwrap_or(text);
            return Err((problem, with_scheme(rest, accepts)).into());
        }
        Some(_) | None => return Err(with_credentials()),
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(with_credentials());
    }
    let is_odd = |c: char| c.is_whitespace() || c.is_control() || c == '\\';
    let url = Url::parse(text)
        .ok()
        .filter(|url| !authority.is_empty() && !text.contains(is_odd) && url.has_host())
        .ok_or_else(|| (format!("{} is not a URL", quoted(text)), EXAMPLE))?;
    if is_valid_host(&url) {
        return Ok(url);
    }
    let host = quoted(url.host_str().unwrap_or_default());
    Err((format!("{host} cannot be the name of a host"), HOST_RULES).into())
}

/// RFC 1035 2.3.4, and what rustls accepts.
const HOST_RULES: &str = "write labels of 1 to 63 letters, digits and inner hyphens, with one dot between them, as in \
                          \"https://api.example.com\"";

/// Whether connections can be made to the URL's host: TLS accepts only names that DNS can have.
pub(crate) fn is_valid_host(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => ServerName::try_from(name).is_ok(),
        Some(Host::Ipv4(_) | Host::Ipv6(_)) => true,
        None => false,
    }
}

/// What to write instead of a text in which only `rest`, host and path, is as it should be.
fn with_scheme(rest: &str, accepts: &dyn Fn(&str) -> bool) -> String {
    let rest = rest.trim().trim_start_matches('/');
    let scheme = match Url::parse(&format!("http://{rest}")) {
        Ok(url) if is_loopback(&url) => "http",
        Ok(_) | Err(_) => "https",
    };
    let whole = format!("{scheme}://{rest}");
    let bare = Url::parse(&whole).map(|url| url.origin().ascii_serialization());
    [Some(whole), bare.ok()]
        .into_iter()
        .flatten()
        .find(|proposed| accepts(proposed))
        .map_or_else(
            || EXAMPLE.to_owned(),
            |proposed| format!("write {proposed:?}"),
        )
}

fn with_credentials() -> InvalidValue {
    (
        "contains a user name or password",
        "write scheme, host and port only: the token is the credential",
    )
        .into()
}
