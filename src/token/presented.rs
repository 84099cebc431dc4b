//! Checks a token that a request presents (a client assertion, an assertion, a subject or actor token) before it is
//! sent: an expired one is not sent, and neither is one that gives access to something else.

use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::jwt::{DecodedToken, decode, is_encrypted};
use crate::config::{RequestSource, SecretForm};
use crate::credentials::SecretSource;

/// Why a token must not be presented.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PresentedTokenDefect {
    /// It is required to be a JWT, and is not.
    #[error("it is not a JWT (RFC 7519)")]
    NotJwt,
    /// Its `exp` has passed.
    #[error("it expired at {}", humantime::format_rfc3339_seconds(*.at))]
    Expired {
        /// Its `exp`.
        at: SystemTime,
    },
    /// Whoever receives it can use the API of the Kubernetes cluster.
    #[error("it is a service account token for the API of the Kubernetes cluster itself")]
    ForCluster,
}

impl PresentedTokenDefect {
    /// How to fix it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::NotJwt => {
                "name the file or command that holds the token itself, without quotes or a prefix"
            }
            Self::Expired { .. } => {
                "whatever issues it must renew it: look at that program's log, and at this machine's clock"
            }
            Self::ForCluster => {
                "mount a projected volume with a serviceAccountToken whose audience is the authorization server, and name that \
                 file: see docs/authorization-servers.md"
            }
        }
    }

    /// Whether it may pass without a change of the configuration.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::NotJwt | Self::Expired { .. } => true,
            Self::ForCluster => false,
        }
    }
}

/// Checks a token that is read from this source, and returns how long it is still valid, if it says so.
///
/// # Errors
/// Why it must not be presented.
pub fn check_presented(
    source: &RequestSource,
    token: &[u8],
    now: SystemTime,
) -> Result<Option<Duration>, PresentedTokenDefect> {
    if !matches!(source.form, SecretForm::Jwt | SecretForm::Token) {
        return Ok(None);
    }
    let text = std::str::from_utf8(token).ok();
    if text.is_some_and(is_encrypted) {
        return Ok(None);
    }
    let Some(decoded) = text.filter(|text| is_signed(text)).and_then(decode) else {
        return match source.form {
            SecretForm::Jwt => Err(PresentedTokenDefect::NotJwt),
            SecretForm::Token
            | SecretForm::AccessToken
            | SecretForm::Text
            | SecretForm::PrivateKey(_)
            | SecretForm::CertificateKey => Ok(None),
        };
    };
    if is_for_cluster(&decoded) || is_default_mount(&source.source) {
        return Err(PresentedTokenDefect::ForCluster);
    }
    match decoded.time("exp") {
        Some(at) => match at.duration_since(now) {
            Ok(left) if !left.is_zero() => Ok(Some(left)),
            Ok(_) | Err(_) => Err(PresentedTokenDefect::Expired { at }),
        },
        None => Ok(None),
    }
}

/// Whether the last part can be a signature.
fn is_signed(token: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let signature = token.rsplit('.').next().unwrap_or_default();
    !signature.is_empty() && signature.bytes().all(is_digit)
}

/// Where Kubernetes mounts the token for its own API.
fn is_default_mount(source: &SecretSource) -> bool {
    match source {
        SecretSource::File(path) => is_in(
            path,
            Path::new("/var/run/secrets/kubernetes.io/serviceaccount"),
        ),
        SecretSource::Env(_)
        | SecretSource::Command(_)
        | SecretSource::Keyring(_)
        | SecretSource::Value(_) => false,
    }
}

/// Whether a file is in a directory, whatever links lead there: `/var/run` is one to `/run`, for example.
fn is_in(path: &Path, directory: &Path) -> bool {
    path.starts_with(directory)
        || match (path.canonicalize(), directory.canonicalize()) {
            (Ok(path), Ok(directory)) => path.starts_with(directory),
            (Err(_), _) | (_, Err(_)) => false,
        }
}

/// A token that Kubernetes mounts into each pod by default. Its audience is that of the API server, which by default is
/// the issuer; older ones have neither audience nor end.
fn is_for_cluster(token: &DecodedToken) -> bool {
    const KOPS_AUDIENCE: &str = "kubernetes.svc.default";
    const LEGACY_ISSUER: &str = "kubernetes/serviceaccount";
    let issuer = token.text("iss").unwrap_or_default();
    if issuer == LEGACY_ISSUER {
        return true;
    }
    if !token.claims.contains_key("kubernetes.io") {
        return false;
    }
    let is_cluster = |audience: &str| {
        audience == issuer
            || audience == KOPS_AUDIENCE
            || audience
                .trim_end_matches('/')
                .starts_with("https://kubernetes.default.svc")
    };
    match token.claims.get("aud") {
        Some(Value::String(audience)) => is_cluster(audience),
        Some(Value::Array(audiences)) => audiences.iter().filter_map(Value::as_str).any(is_cluster),
        _ => true,
    }
}

#[cfg(test)]
mod tests;
