//! `network.proxy`: which connections go through a corporate proxy. One pure function of the setting, the
//! environment and the target decides for the upstream and the token endpoint.
//!
//! Only https goes through a proxy, by CONNECT, and never to loopback. PAC files and NTLM are not supported. A
//! proxy's user name and password are stored where nothing prints them.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use percent_encoding::percent_decode_str;
use url::{Host, Url};
use zeroize::Zeroizing;

use super::address::{Origin, is_loopback, is_valid_host};
use super::inputs::Surroundings;
use super::problems::InvalidValue;
use crate::credentials::Secret;
use crate::text::quoted;

/// A corporate proxy, with credentials that are never printed.
#[derive(Clone)]
pub struct ProxyUrl {
    /// A name or an address; an IPv6 one without brackets.
    pub host: String,
    /// The port that is connected to.
    pub port: u16,
    authorization: Option<Secret>,
}

impl ProxyUrl {
    /// `http://HOST:PORT`, optionally with `USER:PASSWORD@`. Nothing but a word is ever quoted: in an invalid address,
    /// any part may be a password, such as one whose `@` is percent-encoded or missing.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidValue> {
        let shown = if is_word(text) {
            quoted(text)
        } else {
            "the address".to_owned()
        };
        let wrong =
            |what: &str, remedy: &str| InvalidValue::from((format!("{shown} {what}"), remedy));
        let Some((scheme, _)) = text.split_once("://") else {
            return Err(wrong(
                "is neither \"system\" nor \"none\" nor a URL",
                EXAMPLE,
            ));
        };
        match scheme.to_ascii_lowercase().as_str() {
            "http" => {}
            "https" => return Err(wrong("asks for TLS to the proxy itself", HTTP_ONLY)),
            _ => return Err(wrong("is not an HTTP proxy", HTTP_ONLY)),
        }
        let url = Url::parse(text).map_err(|_| wrong("is not a URL", EXAMPLE))?;
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(wrong(
                "has more than host and port; PAC files are not supported",
                EXAMPLE,
            ));
        }
        let host = match url.host() {
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Domain(name)) if is_valid_host(&url) => name.to_owned(),
            Some(Host::Domain(_)) => {
                return Err(wrong("contains no valid name of a host", EXAMPLE));
            }
            None => return Err(wrong("has no host", EXAMPLE)),
        };
        if url.port() == Some(0) {
            return Err(wrong("has port 0, to which nothing can connect", EXAMPLE));
        }
        Ok(Self {
            host,
            port: url.port_or_known_default().unwrap_or(80),
            authorization: basic(&url),
        })
    }

    /// The value of `Proxy-Authorization` (RFC 7617), if the URL has a user name. It is only for this proxy, and must
    /// never be printed.
    #[must_use]
    pub fn authorization(&self) -> Option<&[u8]> {
        self.authorization.as_ref().map(Secret::expose)
    }

    /// A proxy of the operating system's settings, if it is an http proxy.
    fn of_system(found: &Intercept) -> Option<Self> {
        Self::parse(&found.uri().to_string()).ok()
    }
}

impl fmt::Display for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, .. } = self;
        if host.contains(':') {
            write!(f, "http://[{host}]:{port}")
        } else {
            write!(f, "http://{host}:{port}")
        }
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProxyUrl({self})")
    }
}

const EXAMPLE: &str = "write \"http://proxy.example.com:3128\", \"system\" or \"none\"";
const HTTP_ONLY: &str = "write the http:// address of a proxy that supports CONNECT, or \"none\"";

/// RFC 7617: user name and password as they were before the URL's percent-encoding.
fn basic(url: &Url) -> Option<Secret> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let mut pair = Zeroizing::new(Vec::with_capacity(url.as_str().len()));
    pair.extend(percent_decode_str(url.username()));
    pair.push(b':');
    pair.extend(percent_decode_str(url.password().unwrap_or_default()));
    let encoded = Zeroizing::new(BASE64_STANDARD.encode(&pair));
    Some(Secret::new(format!("Basic {}", &*encoded)))
}

/// `network.proxy` with the environment applied.
#[derive(Debug, Clone, Default)]
pub enum ProxyRule {
    /// Every connection is made directly.
    #[default]
    Direct,
    /// Through this one, which `network.proxy` names.
    Always(ProxyUrl),
    /// Through this one, except to what `NO_PROXY` names.
    Environment {
        /// `HTTPS_PROXY`.
        proxy: ProxyUrl,
        /// `NO_PROXY`.
        except: String,
    },
    /// As the operating system's settings say (macOS, Windows).
    System(Arc<Matcher>),
}

impl ProxyRule {
    /// The proxy for connections to `target`, if any.
    #[must_use]
    pub fn for_url(&self, target: &Url) -> Option<ProxyUrl> {
        if !is_subject(target) {
            return None;
        }
        match self {
            Self::Direct => None,
            Self::Always(proxy) => Some(proxy.clone()),
            Self::Environment { proxy, except } => {
                (!is_excepted(target, except)).then(|| proxy.clone())
            }
            Self::System(matcher) => ProxyUrl::of_system(&matcher.intercept(&uri(target)?)?),
        }
    }

    /// The credentials for the proxy, whatever the target.
    #[must_use]
    pub fn authorization(&self) -> Option<&[u8]> {
        match self {
            Self::Always(proxy) | Self::Environment { proxy, .. } => proxy.authorization(),
            Self::Direct | Self::System(_) => None,
        }
    }

    /// The same for scheme, host and port alone.
    #[must_use]
    pub fn for_origin(&self, target: &Origin) -> Option<ProxyUrl> {
        self.for_url(&target.to_url()?)
    }
}

/// Whether connections to this target may go through a proxy at all.
fn is_subject(target: &Url) -> bool {
    target.scheme() == "https" && !is_loopback(target)
}

fn uri(target: &Url) -> Option<http::Uri> {
    target.as_str().parse().ok()
}

/// Whether `NO_PROXY` names the target. Names are separated by commas, spaces or both; the rest follows curl's rules,
/// which hyper-util implements, and what curl ignores although people write it: a final dot, `*.example.com`,
/// `example.com:8443`, and brackets around an IPv6 address.
fn is_excepted(target: &Url, except: &str) -> bool {
    let port = target.port_or_known_default();
    let entries: Vec<String> = except
        .split(|letter: char| letter == ',' || letter.is_whitespace())
        .filter_map(|entry| exception(entry, port))
        .collect();
    let rest = Matcher::builder()
        .https("http://any.invalid")
        .no(entries.join(","))
        .build();
    let mut target = target.clone();
    let host = target
        .host_str()
        .map(|host| without_final_dot(host).to_owned());
    // Fails only for a URL without a host, which no proxy rule is asked about.
    let _ = target.set_host(host.as_deref());
    uri(&target).is_some_and(|uri| rest.intercept(&uri).is_none())
}

/// One entry of `NO_PROXY` as hyper-util reads it; `None` if it does not apply to this port.
fn exception(entry: &str, port: Option<u16>) -> Option<String> {
    let (host, entry_port) = match entry.strip_prefix('[') {
        Some(rest) => {
            let (address, rest) = rest.split_once(']')?;
            match rest.strip_prefix(':') {
                Some(digits) => (address.to_owned(), Some(digits)),
                None => (format!("{address}{rest}"), None), // perhaps with a prefix length
            }
        }
        None => match entry.rsplit_once(':') {
            Some((name, digits)) if !name.contains(':') => (name.to_owned(), Some(digits)),
            Some(_) | None => (entry.to_owned(), None),
        },
    };
    if entry_port.is_some_and(|digits| digits.parse().ok() != port) {
        return None;
    }
    let host = without_final_dot(&host);
    let host = match host.strip_prefix('*') {
        Some(domain) if domain.starts_with('.') => domain,
        Some(_) | None => host,
    };
    (!host.is_empty()).then(|| host.to_owned())
}

fn without_final_dot(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}

/// What the environment and the operating system say about proxies, read once.
#[derive(Clone, Default)]
pub(crate) struct ProxyEnvironment {
    /// The variable's name and value: `HTTPS_PROXY`, else `https_proxy`.
    https_proxy: Option<(&'static str, String)>,
    no_proxy: String,
    system: Option<Arc<Matcher>>,
}

impl ProxyEnvironment {
    pub(crate) fn of(surroundings: &Surroundings) -> Self {
        let first = |names: [&'static str; 2]| {
            names.into_iter().find_map(|name| {
                let variables = surroundings.variables.iter();
                variables
                    .filter(|(variable, _)| variable == name)
                    .map(|(_, value)| value.to_string_lossy().trim().to_owned())
                    .find(|value| !value.is_empty())
                    .map(|value| (name, value))
            })
        };
        Self {
            https_proxy: first(["HTTPS_PROXY", "https_proxy"]),
            no_proxy: first(["NO_PROXY", "no_proxy"]).map_or_else(String::new, |(_, list)| list),
            system: surroundings.system_proxies.clone(),
        }
    }

    /// The rule of `"system"`. An unusable variable is a problem only if a target needs it.
    ///
    /// # Errors
    /// The variable's name and what is wrong with it.
    pub(crate) fn rule(&self, targets: &[Url]) -> Result<ProxyRule, (&'static str, InvalidValue)> {
        let Some((name, value)) = &self.https_proxy else {
            let system = self.system.clone();
            return Ok(system.map_or(ProxyRule::Direct, ProxyRule::System));
        };
        // As in curl, the address may have no scheme here.
        let read = if value.contains("://") {
            ProxyUrl::parse(value)
        } else {
            ProxyUrl::parse(&format!("http://{value}"))
        };
        match read {
            Ok(proxy) => Ok(ProxyRule::Environment {
                proxy,
                except: self.no_proxy.clone(),
            }),
            Err(problem)
                if targets
                    .iter()
                    .any(|target| is_subject(target) && !is_excepted(target, &self.no_proxy)) =>
            {
                Err((name, problem))
            }
            Err(_) => Ok(ProxyRule::Direct),
        }
    }
}

/// `network.proxy` as `check` may show it: never with a user name or password.
pub(crate) fn shown(text: &str) -> String {
    match ProxyUrl::parse(text) {
        Ok(proxy) => proxy.to_string(),
        Err(_) if is_word(text) => text.to_owned(),
        Err(_) => "(invalid)".to_owned(),
    }
}

/// Whether a text is no address, but may be `"system"` or `"none"`, or one of them misspelt.
fn is_word(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphabetic())
}
