//! `token.source` as types: what obtains access tokens in place of a grant.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use http::HeaderMap;
use url::{Host, Url};

use super::address::is_loopback;
use super::token_field::TokenField;
use crate::credentials::SecretSource;

/// The key of [`TokenSource`].
pub const SOURCE_KEY: &str = "token.source";

/// What obtains access tokens in place of a grant.
#[derive(Debug, Clone)]
pub struct TokenSource {
    /// Where they are.
    pub place: TokenPlace,
    /// `token.header`, `.prefix` and `.keep_authorization`.
    pub field: TokenField,
    /// `token.default_lifetime`: used where neither the output nor the token says when it expires.
    pub default_lifetime: Duration,
}

/// Where an access token is.
#[derive(Debug, Clone)]
pub enum TokenPlace {
    /// The standard output of a program.
    Command(Vec<String>),
    /// A file that something else writes.
    File(PathBuf),
    /// The response to a GET, such as that of a metadata server.
    Http {
        /// https; or http to a loopback or link-local address.
        url: Url,
        /// The fields of the request.
        headers: HeaderMap,
    },
}

/// Without the arguments of a command and the query of a URL, which may be confidential.
impl fmt::Display for TokenPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(words) => SecretSource::describe_command(words).fmt(f),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Http { url, .. } => {
                let mut shown = url.clone();
                shown.set_query(None);
                shown.fmt(f)
            }
        }
    }
}

/// `token.source` as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SourceTable {
    Command(Vec<String>),
    File(String),
    Http {
        url: String,
        headers: Vec<(String, String)>,
    },
}

impl SourceTable {
    /// As for [`TokenPlace`].
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Command(words) => SecretSource::describe_command(words),
            Self::File(name) => format!("file {name}"),
            Self::Http { url, .. } => {
                let bare = url.split(['?', '#']).next().unwrap_or_default();
                bare.to_owned()
            }
        }
    }
}

/// Whether a URL's host is on this machine or on its own link, where metadata servers are (RFC 3927, RFC 4291 2.5.6).
/// No name is resolved.
pub(crate) fn is_on_link(url: &Url) -> bool {
    is_loopback(url)
        || match url.host() {
            Some(Host::Ipv4(address)) => address.is_link_local(),
            Some(Host::Ipv6(address)) => {
                let mapped = address.to_ipv4_mapped();
                address.is_unicast_link_local()
                    || mapped
                        .is_some_and(|address| address.is_link_local() || address.is_loopback())
            }
            Some(Host::Domain(_)) | None => false,
        }
}

/// Whether a header field of the request contains a credential, as far as its name and its value tell.
pub(crate) fn is_confidential_field(name: &str, value: &[u8]) -> bool {
    const SCHEMES: [&[u8]; 2] = [b"bearer ", b"basic "];
    let has_scheme = |scheme: &&[u8]| {
        let start = value.get(..scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    is_confidential_name(name)
        || bare_name(name).contains("token")
        || SCHEMES.iter().any(has_scheme)
}

/// Whether a parameter of this name, or a header field, contains a credential.
pub(crate) fn is_confidential_name(name: &str) -> bool {
    const PARTS: [&str; 9] = [
        "accesskey",
        "apikey",
        "authorization",
        "cookie",
        "credential",
        "identityheader", // of Azure's App Service
        "password",
        "privatekey",
        "secret",
    ];
    let name = bare_name(name);
    PARTS.iter().any(|part| name.contains(part))
}

/// Its letters, in lower case.
fn bare_name(name: &str) -> String {
    let letters = name.chars().filter(char::is_ascii_alphabetic);
    letters.map(|letter| letter.to_ascii_lowercase()).collect()
}
