//! Addresses of servers and pages as people write them: URLs, host names and web origins.
//!
//! The same parsed URL decides both whether it is loopback and where connections go, so that no spelling (`127.1`,
//! `LOCALHOST`) can mean two things. No name is ever resolved.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::uri::{Authority, Scheme};
use rustls::pki_types::{DnsName, ServerName};
use url::{Host, Url};

use super::problems::InvalidValue;
use crate::text::quoted;

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
        self.port() == listener.port() && host_may_reach(self.authority.host(), listener.ip())
    }

    /// As a whole URL, with the path `/`.
    pub(crate) fn to_url(&self) -> Option<Url> {
        Url::parse(&format!("{}://{}/", self.scheme, self.authority)).ok()
    }
}

/// Whether a connection to this host, at the listener's port, may reach a listener on this address. A name other than
/// `localhost` is not resolved.
pub(crate) fn host_may_reach(host: &str, listener: IpAddr) -> bool {
    let listener = listener.to_canonical();
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
            format!("{} has more than scheme, host and port", quoted_url(text)),
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
            .map_err(|_| (format!("{} has no valid host", quoted_url(text)), EXAMPLE))?,
    })
}

/// `token.url`: a whole URL; no fragment (RFC 6749 3.2).
pub(crate) fn endpoint(text: &str) -> Result<Url, InvalidValue> {
    let mut url = http_url(text, &|proposed| endpoint(proposed).is_ok())?;
    if url.fragment().is_some() {
        url.set_fragment(None);
        if !is_loopback(&url) {
            // What is sent there must be encrypted, unless that is allowed.
            let _impossible_only_for_other_schemes = url.set_scheme("https");
        }
        return Err((
            format!("{} has a fragment", quoted_url(text)),
            write(url.as_str()),
        )
            .into());
    }
    Ok(url)
}

/// An address whose query is not part of `text`. What is proposed is http where the host `may_be_plain`.
pub(crate) fn without_query(
    text: &str,
    may_be_plain: &dyn Fn(&Url) -> bool,
) -> Result<Url, InvalidValue> {
    let accepts = |proposed: &str| without_query(proposed, may_be_plain).is_ok();
    http_url_or_plain(text, &accepts, may_be_plain)
}

/// `token.issuer`: a URL without query and fragment (RFC 8414 2).
pub(crate) fn issuer(text: &str) -> Result<Url, InvalidValue> {
    let accepts = |proposed: &str| {
        let proposed = issuer(proposed);
        proposed.is_ok_and(|url| url.scheme() == "https" || is_loopback(&url))
    };
    let url = http_url(text, &accepts)?;
    let known = [
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
    ];
    let metadata = known.iter().find_map(|known| text.split_once(known));
    // RFC 8414 3.1: the path of the issuer follows.
    let named = metadata.map(|(start, path)| match path.split(['?', '#']).next() {
        Some(path) if path.starts_with('/') => format!("{start}{path}"),
        Some(_) | None => start.to_owned(),
    });
    let encrypted = |named: String| {
        if accepts(&named) {
            named
        } else {
            named.replacen("http://", "https://", 1)
        }
    };
    if let Some(named) = named.map(encrypted)
        && accepts(&named)
    {
        return Err((
            format!(
                "{} is the address of the issuer's metadata",
                quoted_url(text)
            ),
            format!("write {named:?}, which is the issuer that this metadata names"),
        )
            .into());
    }
    if metadata.is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err((
            format!("{} has a query or a fragment", quoted_url(text)),
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
    http_url_or_plain(text, accepts, &is_loopback)
}

/// The same. Where a scheme is proposed, it is http for a host that `may_be_plain`.
fn http_url_or_plain(
    text: &str,
    accepts: &dyn Fn(&str) -> bool,
    may_be_plain: &dyn Fn(&Url) -> bool,
) -> Result<Url, InvalidValue> {
    let with_scheme = |rest: &str| with_scheme(rest, accepts, may_be_plain);
    let rest = match text.split_once("://") {
        // A scheme may be written in capitals (RFC 3986 3.1).
        Some((scheme, rest))
            if ["http", "https"]
                .iter()
                .any(|one| scheme.eq_ignore_ascii_case(one)) =>
        {
            rest
        }
        Some((scheme, rest)) if !text.contains('@') => {
            let problem = format!("{} is neither http nor https", quoted_url(scheme));
            return Err((problem, with_scheme(rest)).into());
        }
        None if !text.contains('@') => {
            let problem = format!("{} has no scheme", quoted_url(text));
            let rest = text
                .strip_prefix("https:")
                .or_else(|| text.strip_prefix("http:"))
                .unwrap_or(text);
            return Err((problem, with_scheme(rest)).into());
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
        .ok_or_else(|| (format!("{} is not a URL", quoted_url(text)), EXAMPLE))?;
    if url.port() == Some(0) {
        return Err((
            format!(
                "{} has port 0, to which nothing can connect",
                quoted_url(text)
            ),
            "write the port of the server, or none for the one of the scheme",
        )
            .into());
    }
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

/// A DNS name in lower case. Text that a URL parser reads as an IP address, such as `127.1`, is rejected.
pub(crate) fn dns_name(text: &str) -> Option<DnsName<'static>> {
    let name = text.to_ascii_lowercase();
    match Host::parse(&name) {
        Ok(Host::Domain(domain)) if domain == name && !name.ends_with('.') => {
            DnsName::try_from(name).ok()
        }
        Ok(_) | Err(_) => None,
    }
}

/// What to write instead of a text in which only `rest`, host and path, is as it should be.
fn with_scheme(
    rest: &str,
    accepts: &dyn Fn(&str) -> bool,
    may_be_plain: &dyn Fn(&Url) -> bool,
) -> String {
    let rest = rest.trim().trim_start_matches('/');
    let scheme = match Url::parse(&format!("http://{rest}")) {
        Ok(url) if may_be_plain(&url) => "http",
        Ok(_) | Err(_) => "https",
    };
    let whole = format!("{scheme}://{rest}");
    let bare = Url::parse(&whole).map(|url| url.origin().ascii_serialization());
    [Some(whole), bare.ok()]
        .into_iter()
        .flatten()
        // Other characters may be invisible, and what a URL makes of them is not seen.
        .find(|proposed| proposed.is_ascii() && accepts(proposed))
        .map_or_else(|| EXAMPLE.to_owned(), |proposed| write(&proposed))
}

/// The URL without its query, which may be confidential.
pub(crate) fn shown_url(url: &str) -> String {
    match url.find(['?', '#']) {
        Some(end) => format!("{}…", &url[..=end]),
        None => url.to_owned(),
    }
}

/// The same in quotes.
pub(crate) fn quoted_url(text: &str) -> String {
    quoted(&shown_url(text))
}

/// A remedy: this URL. Its query is not repeated.
pub(crate) fn write(url: &str) -> String {
    match url.split_once('?') {
        Some((address, _)) => format!("write {address:?}, followed by the query"),
        None => format!("write {url:?}"),
    }
}

fn with_credentials() -> InvalidValue {
    (
        "contains a user name or password",
        "write scheme, host and port only: the token is the credential",
    )
        .into()
}
