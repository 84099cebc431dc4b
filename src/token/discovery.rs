//! Where an issuer says that its token endpoint is (RFC 8414, OpenID Connect Discovery 1.0).
//!
//! Pure: addresses out of an issuer, an endpoint out of a document. Asks nobody.

use http::StatusCode;
use serde::Deserialize;
use url::Url;

use crate::config::Endpoint;

const OPENID: &str = "/.well-known/openid-configuration";
const OAUTH: &str = "/.well-known/oauth-authorization-server";

/// Why an issuer's metadata names no endpoint that a secret may be sent to.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// Neither well-known address has a document.
    #[error("there is none: {OPENID} answered {openid}, {OAUTH} {oauth}; set token.url instead")]
    Absent {
        /// What the first address answered.
        openid: StatusCode,
        /// What the second answered.
        oauth: StatusCode,
    },
    /// Longer than is read of any answer.
    #[error("it is longer than {limit} bytes")]
    TooLong {
        /// What is read at most.
        limit: usize,
    },
    /// HTML, text, broken JSON.
    #[error("it is no JSON object")]
    NotJson,
    /// RFC 8414 3.3: then nothing of it may be used.
    #[error("it is not our issuer's: its \"issuer\" differs from token.issuer")]
    OtherIssuer,
    /// `token_endpoint` is missing or no URL.
    #[error("it names no token_endpoint")]
    NoEndpoint,
    /// Everyone on the way could read the secret.
    #[error("its token_endpoint is not https, and token.allow_plaintext is not set")]
    Plaintext,
}

/// Where the metadata may be: the address of OpenID first, which most servers have.
pub(super) fn addresses(issuer: &str) -> Option<[Url; 2]> {
    let openid = Url::parse(&format!("{}{OPENID}", issuer.trim_end_matches('/'))).ok()?;
    let mut oauth = Url::parse(issuer).ok()?;
    let path = oauth.path().trim_end_matches('/').to_owned();
    oauth.set_path(&format!("{OAUTH}{path}"));
    Some([openid, oauth])
}

/// The token endpoint; with a certificate, the one for certificates if there is one (RFC 8705 5).
///
/// # Errors
/// The first [`MetadataError`] found.
pub(super) fn endpoint(
    body: &[u8],
    issuer: &str,
    allow_plaintext: bool,
    with_certificate: bool,
) -> Result<Url, MetadataError> {
    if !body.trim_ascii().starts_with(b"{") {
        return Err(MetadataError::NotJson); // serde would take an array for a struct
    }
    let metadata: Metadata = serde_json::from_slice(body).map_err(|_| MetadataError::NotJson)?;
    if metadata.issuer.as_deref() != Some(issuer) {
        return Err(MetadataError::OtherIssuer);
    }
    let alias = metadata
        .mtls_endpoint_aliases
        .and_then(|aliases| aliases.token_endpoint)
        .filter(|_| with_certificate);
    let text = alias
        .or(metadata.token_endpoint)
        .ok_or(MetadataError::NoEndpoint)?;
    let url = Url::parse(&text).map_err(|_| MetadataError::NoEndpoint)?;
    if Endpoint::admits(&url, allow_plaintext) {
        Ok(url)
    } else {
        Err(MetadataError::Plaintext)
    }
}

#[derive(Deserialize)]
struct Metadata {
    issuer: Option<String>,
    token_endpoint: Option<String>,
    mtls_endpoint_aliases: Option<Aliases>,
}

#[derive(Deserialize)]
struct Aliases {
    token_endpoint: Option<String>,
}

#[cfg(test)]
mod tests;
