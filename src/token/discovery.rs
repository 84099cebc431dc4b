//! Discovery of the endpoints from an issuer's metadata (RFC 8414, OpenID Connect Discovery 1.0).
//!
//! Pure: derives the metadata's addresses from an issuer, and reads the endpoints from a document. Sends nothing.

use http::StatusCode;
use serde::Deserialize;
use url::Url;

use crate::config::Endpoint;

const OPENID: &str = "/.well-known/openid-configuration";
const OAUTH: &str = "/.well-known/oauth-authorization-server";

/// Why an issuer's metadata yields no endpoint that a secret may be sent to.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// There is no document at either well-known address.
    #[error(
        "not found: {OPENID} responded with {openid}, {OAUTH} with {oauth}; set token.url instead"
    )]
    Absent {
        /// The status of the first address.
        openid: StatusCode,
        /// The status of the second address.
        oauth: StatusCode,
    },
    /// It is too long.
    #[error("it is longer than {limit} bytes")]
    TooLong {
        /// The most that is read.
        limit: usize,
    },
    /// HTML, text or invalid JSON.
    #[error("it is not a JSON object")]
    NotJson,
    /// RFC 8414 3.3: it must not be used then.
    #[error("it belongs to another issuer: its \"issuer\" differs from token.issuer")]
    OtherIssuer,
    /// `token_endpoint` is missing or not a URL.
    #[error("it names no token_endpoint")]
    NoEndpoint,
    /// Anyone in the network could read the secret.
    #[error("its token_endpoint is not https, and token.allow_plaintext is not set")]
    Plaintext,
}

/// The addresses where the metadata may be. That of OpenID Connect comes first, since most servers have it.
pub(crate) fn addresses(issuer: &str) -> Option<[Url; 2]> {
    let openid = Url::parse(&format!("{}{OPENID}", issuer.trim_end_matches('/'))).ok()?;
    let mut oauth = Url::parse(issuer).ok()?;
    let path = oauth.path().trim_end_matches('/').to_owned();
    oauth.set_path(&format!("{OAUTH}{path}"));
    Some([openid, oauth])
}

/// The endpoints of an authorization server.
#[derive(Debug, Clone)]
pub(super) struct ServerEndpoints {
    pub(super) token: Url,
    /// Where a person signs in.
    pub(super) authorization: Option<Url>,
    /// Where a code for another device is requested (RFC 8628).
    pub(super) device: Option<Url>,
    /// Where a token is revoked (RFC 7009).
    pub(super) revocation: Option<Url>,
    /// Whether the server rejects PKCE with S256: it names other methods only.
    pub(super) lacks_s256: bool,
    /// Whether each response to the browser has `iss` (RFC 9207 3).
    pub(super) sends_issuer: bool,
}

/// Reads the endpoints. With a client certificate, that for tokens is the alias for mutual TLS if there is one (RFC
/// 8705 5).
///
/// # Errors
/// The first [`MetadataError`] found.
pub(super) fn endpoints(
    body: &[u8],
    issuer: &str,
    allow_plaintext: bool,
    with_certificate: bool,
) -> Result<ServerEndpoints, MetadataError> {
    if !body.trim_ascii().starts_with(b"{") {
        return Err(MetadataError::NotJson); // serde would accept an array as a struct
    }
    let metadata: Metadata = serde_json::from_slice(body).map_err(|_| MetadataError::NotJson)?;
    if metadata.issuer.as_deref() != Some(issuer) {
        return Err(MetadataError::OtherIssuer);
    }
    let aliases = metadata.mtls_endpoint_aliases.filter(|_| with_certificate);
    let aliases = aliases.unwrap_or_default();
    let text = aliases
        .token
        .or(metadata.token_endpoint)
        .ok_or(MetadataError::NoEndpoint)?;
    let token = Url::parse(&text).map_err(|_| MetadataError::NoEndpoint)?;
    if !Endpoint::admits(&token, allow_plaintext) {
        return Err(MetadataError::Plaintext);
    }
    let admitted = |text: Option<String>| {
        let url = Url::parse(&text?).ok()?;
        Endpoint::admits(&url, allow_plaintext).then_some(url)
    };
    let methods = metadata.code_challenge_methods_supported;
    Ok(ServerEndpoints {
        token,
        authorization: admitted(metadata.authorization_endpoint),
        device: admitted(aliases.device.or(metadata.device_authorization_endpoint)),
        revocation: admitted(aliases.revocation.or(metadata.revocation_endpoint)),
        lacks_s256: methods.is_some_and(|methods| !methods.iter().any(|method| method == "S256")),
        sends_issuer: metadata
            .authorization_response_iss_parameter_supported
            .unwrap_or_default(),
    })
}

#[derive(Deserialize)]
struct Metadata {
    issuer: Option<String>,
    token_endpoint: Option<String>,
    authorization_endpoint: Option<String>,
    device_authorization_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
    /// A server that names none may support it all the same: Entra does.
    code_challenge_methods_supported: Option<Vec<String>>,
    authorization_response_iss_parameter_supported: Option<bool>,
    mtls_endpoint_aliases: Option<Aliases>,
}

#[derive(Default, Deserialize)]
struct Aliases {
    #[serde(rename = "token_endpoint")]
    token: Option<String>,
    #[serde(rename = "device_authorization_endpoint")]
    device: Option<String>,
    #[serde(rename = "revocation_endpoint")]
    revocation: Option<String>,
}

#[cfg(test)]
mod tests;
