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
mod tests {
    use super::*;

    const ISSUER: &str = "https://as.example.com/t";

    #[test]
    fn metadata_is_looked_for_behind_the_issuer_and_between_host_and_path() {
        for (issuer, openid, oauth) in [
            (
                "https://as.example.com",
                "https://as.example.com/.well-known/openid-configuration",
                "https://as.example.com/.well-known/oauth-authorization-server",
            ),
            (
                "https://as.example.com/a/b/",
                "https://as.example.com/a/b/.well-known/openid-configuration",
                "https://as.example.com/.well-known/oauth-authorization-server/a/b",
            ),
        ] {
            assert_eq!(
                addresses(issuer).unwrap().map(String::from),
                [openid, oauth]
            );
        }
    }

    #[test]
    fn only_the_issuers_own_document_names_an_endpoint_and_only_a_safe_one() {
        let good = r#"{"issuer":"https://as.example.com/t","token_endpoint":"https://as.example.com/token",
            "mtls_endpoint_aliases":{"token_endpoint":"https://mtls.example.com/token"}}"#;
        let read = |text: &str, certificate| {
            endpoint(text.as_bytes(), ISSUER, false, certificate)
                .map(String::from)
                .map_err(|error| error.to_string())
        };
        assert_eq!(read(good, false).unwrap(), "https://as.example.com/token");
        assert_eq!(read(good, true).unwrap(), "https://mtls.example.com/token");
        for (from, to, complaint) in [
            (ISSUER, "https://as.example.com/t/", "issuer"),
            (ISSUER, "HTTPS://as.example.com/t", "issuer"),
            ("\"issuer\"", "\"isuer\"", "issuer"),
            (
                "\"token_endpoint\":\"https://as",
                "\"x\":\"https://as",
                "no token_endpoint",
            ),
            (
                "https://as.example.com/token",
                "/token",
                "no token_endpoint",
            ),
            (
                "https://as.example.com/token",
                "http://as.example.com/t",
                "not https",
            ),
            (
                "https://as.example.com/token",
                "file:///etc/passwd",
                "not https",
            ),
            ("}", "", "no JSON"),
        ] {
            let said = read(&good.replacen(from, to, 3), false).unwrap_err();
            assert!(said.contains(complaint), "{to}: {said}");
        }
        assert_eq!(read("<html>", false).unwrap_err(), "it is no JSON object");
        let loopback = good.replace("https://as.example.com/token", "http://127.0.0.1:1/token");
        assert!(read(&loopback, false).is_ok());
    }
}
