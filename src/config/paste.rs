//! What people paste when they are asked for an address: a page of the API, any address of an
//! authorization server. Says which keys it stands for; asks nobody, resolves nothing.

use url::Url;

use super::problems::{InvalidValue, quoted};
use super::{address, pingone};

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
        if pingone::is_own_host(&host) {
            return Err((
                format!("{host} belongs to the authorization server, not to the API"),
                "paste the address of the API's /docs page; the Token Endpoint is asked for next",
            )
                .into());
        }
        let bare = url.origin().ascii_serialization();
        address::origin(&bare, true)?;
        refuse_plaintext(&url)?;
        Ok(Self { url: bare, host })
    }

    /// Whether the host's name says that this is where it matters: `…prod-example…`.
    pub(crate) fn is_production(&self) -> bool {
        let words: Vec<&str> = self.host.split(['.', '-']).collect();
        words.iter().enumerate().any(|(index, word)| {
            let before = index.checked_sub(1).map_or("", |before| words[before]);
            ["prod", "prd", "production"].contains(word) && !["non", "pre"].contains(&before)
        })
    }

    /// The fixed `X-XSRF-Header` that this API wants, if it is known to want one.
    pub(crate) fn xsrf_header(&self) -> Option<&'static str> {
        pingone::xsrf_header(&self.host)
    }
}

/// Where tokens come from, as keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PastedTokenEndpoint {
    /// `token.pingone.region` and `.environment_id`.
    PingOne {
        /// As `token.pingone.region` wants it.
        region: &'static str,
        /// A UUID in lower case.
        environment_id: String,
    },
    /// `token.pingone.domain`.
    Domain(String),
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
        refuse_plaintext(&url)?;
        let host = url.host_str().unwrap_or_default();
        if pingone::is_own_host(host) {
            return of_pingone(&url);
        }
        if pingone::xsrf_header(host).is_some() || host.starts_with("self-service-api.") {
            return Err((
                format!("{host} is the API, not the authorization server"),
                "paste the application's Token Endpoint",
            )
                .into());
        }
        if url.path() == "/as/token"
            && url.port().is_none()
            && let Ok(endpoint) = pingone::endpoint_of_domain(host)
        {
            return Ok(Self::Domain(endpoint.host_str().unwrap_or(host).to_owned()));
        }
        of_any_server(&url)
    }

    /// The keys with their values, in the table's order.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::PingOne {
                region,
                environment_id,
            } => vec![
                ("token.pingone.region", (*region).to_owned()),
                ("token.pingone.environment_id", environment_id.clone()),
            ],
            Self::Domain(domain) => vec![("token.pingone.domain", domain.clone())],
            Self::Url(url) => vec![("token.url", url.clone())],
            Self::Issuer(issuer) => vec![("token.issuer", issuer.clone())],
        }
    }

    /// What it was taken for, in words.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::PingOne {
                region,
                environment_id,
            } => format!("PingOne, region {region}, environment {environment_id}"),
            Self::Domain(domain) => format!("PingOne with the custom domain {domain}"),
            Self::Url(url) => format!("the token endpoint {url}"),
            Self::Issuer(issuer) => {
                format!("the issuer {issuer}, whose metadata names the token endpoint")
            }
        }
    }
}

/// What is wrong with a client id at this place, if anything.
pub(crate) fn client_id(
    text: &str,
    place: Option<&PastedTokenEndpoint>,
) -> Result<String, InvalidValue> {
    let text = text.trim();
    if text.is_empty() || text.bytes().any(|byte| !(0x20..=0x7e).contains(&byte)) {
        return Err((
            format!("{} is no client id", quoted(text)),
            "copy it from the application's page",
        )
            .into());
    }
    let Some(PastedTokenEndpoint::PingOne { environment_id, .. }) = place else {
        return Ok(text.to_owned());
    };
    match pingone::environment_id(text) {
        Ok(id) if id == *environment_id => Err((
            "that is the environment's id".to_owned(),
            "copy the application's Client ID, which is another one",
        )
            .into()),
        Ok(id) => Ok(id),
        Err(_) => Err((
            format!(
                "{} is no client id of PingOne, which is a UUID",
                quoted(text)
            ),
            "copy the application's Client ID",
        )
            .into()),
    }
}

/// What is wrong with `listen`, if anything.
pub(crate) fn listen(text: &str) -> Result<String, InvalidValue> {
    address::listen(text.trim()).map(|_| text.trim().to_owned())
}

/// The first address in a paste: quotes, brackets and words around it do not matter, nor does a
/// missing scheme.
fn address_in(text: &str, example: &str) -> Result<Url, InvalidValue> {
    let is_around = |letter: char| letter.is_whitespace() || "\"'`<>".contains(letter);
    let complaint = || {
        // With an "@" there may be a password in it.
        let shown = if text.contains('@') {
            "that".to_owned()
        } else {
            quoted(text.trim())
        };
        InvalidValue::from((
            format!("{shown} is no address"),
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
        (None, ..) => return Err(complaint()),
    };
    let url = Url::parse(&written).map_err(|_| complaint())?;
    let has_host = url.host_str().is_some_and(|host| !host.is_empty());
    if !has_host || !url.username().is_empty() || url.password().is_some() {
        return Err(complaint());
    }
    let host = url.host_str().unwrap_or_default();
    if with_scheme.is_none() && !host.contains('.') && !address::is_loopback(&url) {
        return Err(complaint());
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

fn refuse_plaintext(url: &Url) -> Result<(), InvalidValue> {
    if url.scheme() == "https" || address::is_loopback(url) {
        return Ok(());
    }
    let host = url.host_str().unwrap_or_default();
    Err((
        format!("http to {host} lets everybody on the way read the token"),
        format!("paste https://{host}…; allow_plaintext stands in config/example.toml"),
    )
        .into())
}

/// `https://auth.pingone.<tld>/<environment id>/as…`.
fn of_pingone(url: &Url) -> Result<PastedTokenEndpoint, InvalidValue> {
    let host = url.host_str().unwrap_or_default();
    let remedy =
        "paste the application's Token Endpoint, https://auth.pingone.…/<environment id>/as/token";
    let Some(region) = pingone::region_of_host(host) else {
        if let Some(tld) = host.strip_prefix("auth.pingone.") {
            let regions = "com, ca, eu, com.au, sg or asia";
            return Err((format!("{tld} is no region"), regions).into());
        }
        // The console's own address may name the administrator's environment, not the application's.
        return Err((format!("{host} is no Token Endpoint"), remedy).into());
    };
    let first = url.path().trim_start_matches('/').split('/').next();
    match pingone::environment_id(first.unwrap_or_default()) {
        Ok(environment_id) => Ok(PastedTokenEndpoint::PingOne {
            region,
            environment_id,
        }),
        Err(_) => Err(("it has no environment id in its path", remedy).into()),
    }
}

/// A token endpoint, an issuer, or the address of its metadata (RFC 8414 section 3, `OpenID` discovery).
fn of_any_server(url: &Url) -> Result<PastedTokenEndpoint, InvalidValue> {
    const OPENID: &str = "/.well-known/openid-configuration";
    const OAUTH: &str = "/.well-known/oauth-authorization-server";
    let (origin, path) = (url.origin().ascii_serialization(), url.path());
    let issuer_path = path
        .strip_suffix(OPENID)
        .or_else(|| path.strip_suffix(OAUTH))
        .or_else(|| path.strip_prefix(OAUTH));
    if let Some(path) = issuer_path {
        return Ok(PastedTokenEndpoint::Issuer(format!("{origin}{path}")));
    }
    let last = path.rsplit('/').next().unwrap_or_default();
    if last.to_ascii_lowercase().contains("token") {
        address::endpoint(url.as_str())?;
        return Ok(PastedTokenEndpoint::Url(url.to_string()));
    }
    let path = if path == "/" { "" } else { path };
    let issuer = format!("{origin}{path}");
    address::issuer(&issuer)?;
    Ok(PastedTokenEndpoint::Issuer(issuer))
}
