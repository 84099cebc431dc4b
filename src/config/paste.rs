//! What people paste when they are asked for an address: a page of the API, or any address of an authorization
//! server. Finds out which keys it stands for, without connecting to anything.

use url::Url;

use super::problems::InvalidValue;
use super::token::Endpoint;
use super::{address, keys, listen, sign_in, token};
use crate::text::quoted;
use crate::vendor::advanced_services;
use crate::vendor::pingone::{PingOneEndpoint, is_own_host, managed_api};

/// The API, from any address on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PastedApi {
    /// What `upstream.url` wants: scheme, host and port.
    pub(crate) url: String,
    host: String,
}

impl PastedApi {
    /// Reads a paste, such as the address of the API's `/docs` page.
    pub(crate) fn read(text: &str) -> Result<Self, InvalidValue> {
        let url = address_in(text, "https://api.example.com/docs")?;
        let host = url.host_str().unwrap_or_default().to_owned();
        if is_own_host(&host) {
            return Err((
                format!("{host} belongs to the authorization server, not to the API"),
                "paste the address of the API's /docs page; the next question is for the Token Endpoint",
            )
                .into());
        }
        let bare = url.origin().ascii_serialization();
        address::origin(&bare, true)?;
        reject_plaintext(&url)?;
        Ok(Self { url: bare, host })
    }

    /// Whether the host's name says that this is production: `…prod-example…`.
    pub(crate) fn is_production(&self) -> bool {
        let words: Vec<&str> = self.host.split(['.', '-']).collect();
        words.iter().enumerate().any(|(index, word)| {
            let before = index.checked_sub(1).map_or("", |before| words[before]);
            ["prod", "prd", "production"].contains(word) && !["non", "pre"].contains(&before)
        })
    }

    /// The application to which a person signs in for this API of `PingOne` Advanced Services.
    pub(crate) fn application(&self) -> Option<&'static str> {
        advanced_services::application(&self.host)
    }

    /// The page on which a person signs in to an application and copies a token, if it is known.
    pub(crate) fn login_url(&self, application: &str) -> Option<String> {
        advanced_services::login_page(&self.host, application)
    }

    /// The fixed `X-XSRF-Header` that this API is known to require.
    pub(crate) fn xsrf_header(&self) -> Option<&'static str> {
        managed_api(&self.host)?.xsrf_header()
    }
}

/// Where tokens come from, as keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PastedTokenEndpoint {
    /// `token.pingone.*`.
    PingOne(PingOneEndpoint),
    /// `token.url`.
    Url(String),
    /// `token.issuer`.
    Issuer(String),
}

impl PastedTokenEndpoint {
    /// Reads a paste: the console's Token Endpoint, an issuer, the address of its metadata.
    pub(crate) fn read(text: &str) -> Result<Self, InvalidValue> {
        let mut url = address_in(text, "https://auth.pingone.eu/<environment id>/as/token")?;
        url.set_fragment(None);
        reject_plaintext(&url)?;
        match PingOneEndpoint::of_address(&url) {
            Some(endpoint) => Ok(Self::PingOne(endpoint?)),
            None => of_any_server(&url, ends_in_slash(text)),
        }
    }

    /// The keys and their values, in the table's order.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::PingOne(PingOneEndpoint::Environment {
                region,
                environment_id,
            }) => vec![
                (
                    keys::TOKEN_PINGONE_REGION.path(),
                    region.as_str().to_owned(),
                ),
                (
                    keys::TOKEN_PINGONE_ENVIRONMENT_ID.path(),
                    environment_id.clone(),
                ),
            ],
            Self::PingOne(PingOneEndpoint::Domain(domain)) => {
                vec![(keys::TOKEN_PINGONE_DOMAIN.path(), domain.clone())]
            }
            Self::Url(url) => vec![(keys::TOKEN_URL.path(), url.clone())],
            Self::Issuer(issuer) => vec![(keys::TOKEN_ISSUER.path(), issuer.clone())],
        }
    }

    /// An address that [`read`](Self::read) turns into the same value again.
    pub(crate) fn address(&self) -> String {
        match self {
            Self::PingOne(endpoint) => endpoint.url().to_string(),
            Self::Issuer(issuer) if Self::read(issuer).as_ref() != Ok(self) => {
                format!("{issuer}{OPENID}")
            }
            Self::Url(address) | Self::Issuer(address) => address.clone(),
        }
    }

    /// In words, for a person to confirm.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::PingOne(endpoint) => endpoint.describe(),
            Self::Url(url) => format!("the token endpoint {url}"),
            Self::Issuer(issuer) => {
                format!("the issuer {issuer}, whose metadata names the token endpoint")
            }
        }
    }
}

/// Checks a client id for this endpoint.
pub(crate) fn client_id(
    text: &str,
    place: Option<&PastedTokenEndpoint>,
) -> Result<String, InvalidValue> {
    let text = text.trim();
    if text.is_empty() || text.bytes().any(|byte| !(0x20..=0x7e).contains(&byte)) {
        return Err((
            format!("{} is not a client id", quoted(text)),
            "copy it from the application's page",
        )
            .into());
    }
    match place {
        Some(PastedTokenEndpoint::PingOne(endpoint)) => Ok(endpoint.client_id(text)?),
        Some(PastedTokenEndpoint::Url(_) | PastedTokenEndpoint::Issuer(_)) | None => {
            Ok(text.to_owned())
        }
    }
}

/// Checks a value for `token.scope`; `None` if the text is empty.
pub(crate) fn scope(text: &str) -> Result<Option<String>, InvalidValue> {
    match text.trim() {
        "" => Ok(None),
        text => token::scope(text.to_owned()).map(Some),
    }
}

/// Checks a value for `token.login_url`.
pub(crate) fn login_url(text: &str) -> Result<String, InvalidValue> {
    sign_in::login_url(text).map(|url| url.to_string())
}

/// Checks a value for `token.authorization_url` or `token.device_url`.
pub(crate) fn login_endpoint(text: &str) -> Result<String, InvalidValue> {
    let text = text.trim();
    let url = address::endpoint(text)?;
    if Endpoint::admits(&url, false) {
        return Ok(url.to_string());
    }
    let problem = format!("{} is not encrypted", address::quoted_url(text));
    Err((problem, "write https").into())
}

/// Checks a value for `listen` in a configuration that has no callers.
pub(crate) fn listen(text: &str) -> Result<String, InvalidValue> {
    let text = text.trim();
    if listen::listen(text)?.is_local() {
        return Ok(text.to_owned());
    }
    Err((
        format!("{} is not loopback, and there are no callers yet", quoted(text)),
        "write localhost:6749; to listen on a network, add guard.callers to the written file and change listen there",
    )
        .into())
}

/// Whether the address in a paste ends in a slash, apart from what is around it.
fn ends_in_slash(text: &str) -> bool {
    let is_around = |letter: char| letter.is_whitespace() || "\"'`<>".contains(letter);
    text.trim_end_matches(is_around).ends_with('/')
}

/// The first address in a paste. Quotes, brackets and words around it are ignored, and the scheme may be missing.
fn address_in(text: &str, example: &str) -> Result<Url, InvalidValue> {
    let is_around = |letter: char| letter.is_whitespace() || "\"'`<>".contains(letter);
    let invalid = || {
        // With an "@" it may contain a password.
        let shown = if text.contains('@') {
            "that".to_owned()
        } else {
            address::quoted_url(text.trim())
        };
        InvalidValue::from((
            format!("{shown} is not an address"),
            format!("paste one such as {example}"),
        ))
    };
    let mut words = text.split(is_around).filter(|word| !word.is_empty());
    let with_scheme = words
        .clone()
        .find_map(|word| Some(&word[word.find("https://").or(word.find("http://"))?..]));
    let written = match (with_scheme, words.next(), words.next()) {
        (Some(address), ..) => address.to_owned(),
        (None, Some(only), None) => with_usual_scheme(only),
        (None, ..) => return Err(invalid()),
    };
    let url = Url::parse(&written).map_err(|_| invalid())?;
    let has_host = url.host_str().is_some_and(|host| !host.is_empty());
    if !has_host || !url.username().is_empty() || url.password().is_some() {
        return Err(invalid());
    }
    let host = url.host_str().unwrap_or_default();
    if with_scheme.is_none() && !host.contains('.') && !address::is_loopback(&url) {
        return Err(invalid());
    }
    Ok(url)
}

fn with_usual_scheme(text: &str) -> String {
    let plain = format!("http://{text}");
    match Url::parse(&plain) {
        Ok(url) if address::is_loopback(&url) => plain,
        Ok(_) | Err(_) => format!("https://{text}"),
    }
}

fn reject_plaintext(url: &Url) -> Result<(), InvalidValue> {
    if url.scheme() == "https" || address::is_loopback(url) {
        return Ok(());
    }
    let host = url.host_str().unwrap_or_default();
    Err((
        format!("http to {host} would let everyone on the network path read the token"),
        format!("paste https://{host}…; to allow http, see allow_plaintext in config/example.toml"),
    )
        .into())
}

const OPENID: &str = "/.well-known/openid-configuration";

/// A token endpoint, an issuer, or the address of its metadata (RFC 8414 section 3, `OpenID` discovery).
///
/// An issuer that is only a host may end in a slash or not, and its metadata has it exactly so: it stays as it was
/// pasted.
fn of_any_server(url: &Url, has_slash: bool) -> Result<PastedTokenEndpoint, InvalidValue> {
    const OAUTH: &str = "/.well-known/oauth-authorization-server";
    let (origin, path) = (url.origin().ascii_serialization(), url.path());
    let issuer_path = path
        .strip_suffix(OPENID)
        .or_else(|| path.strip_suffix(OAUTH))
        .or_else(|| path.strip_prefix(OAUTH));
    if let Some(path) = issuer_path {
        return Ok(PastedTokenEndpoint::Issuer(format!("{origin}{path}")));
    }
    // Some frameworks have endpoints that end in a slash.
    let last = path.trim_end_matches('/').rsplit('/').next();
    if last
        .unwrap_or_default()
        .to_ascii_lowercase()
        .contains("token")
    {
        address::endpoint(url.as_str())?;
        return Ok(PastedTokenEndpoint::Url(url.to_string()));
    }
    let path = if path == "/" && !has_slash { "" } else { path };
    let issuer = format!("{origin}{path}");
    address::issuer(&issuer)?;
    Ok(PastedTokenEndpoint::Issuer(issuer))
}
