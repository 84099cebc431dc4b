//! Why a token request failed. Everything here may be printed: of what the token endpoint sent, only its sanitized
//! error fields are kept.

use std::fmt::{self, Write as _};
use std::time::Duration;

use http::StatusCode;

use super::discovery::MetadataError;
use super::key::PrivateKeyError;
use super::presented::PresentedTokenDefect;
use super::request_secrets::UnreadableSecret;
use super::schedule::FailureClass;
use super::unreachable::{TokenServer, Unreachable};
use crate::credentials::CertificateFilesError;
use crate::text::error_chain;

/// Why one token request failed.
#[derive(Debug, thiserror::Error)]
pub enum GrantError {
    /// A secret cannot be read from its source.
    #[error(transparent)]
    SecretUnreadable(UnreadableSecret),
    /// A token that the request would present must not be sent.
    #[error("{key} cannot be used: {defect} ({place})")]
    PresentedToken {
        /// The key that names its source.
        key: &'static str,
        /// Its source.
        place: String,
        /// What is wrong with it.
        defect: PresentedTokenDefect,
    },
    /// A secret is empty.
    #[error("the secret is empty")]
    SecretEmpty,
    /// The secret of `private_key_jwt` is not a private key, or not one that can sign.
    #[error("the private key cannot be used")]
    KeyUnusable(#[source] PrivateKeyError),
    /// The client certificate for the token endpoint cannot be used.
    #[error("the client certificate cannot be used")]
    CertificateUnusable(#[source] CertificateFilesError),
    /// `token.issuer` has no metadata, or its metadata must not be used.
    #[error("the issuer's metadata cannot be used")]
    Metadata(#[source] MetadataError),
    /// There is no connection, or it broke: DNS, TCP, TLS or HTTP.
    #[error(transparent)]
    Unreachable(Box<Unreachable>),
    /// The request and its response took longer than the limit.
    #[error(
        "{} the token endpoint {}{} within {}",
        if *connected { "no complete response from" } else { "no connection to" },
        server.address,
        server.through_proxy(),
        humantime::format_duration(*limit)
    )]
    TimedOut {
        /// The limit that expired.
        limit: Duration,
        /// The server that was asked.
        server: TokenServer,
        /// Whether there was a connection, TLS included.
        connected: bool,
    },
    /// A 3xx response. Following it would send the secret elsewhere.
    #[error(
        "the token endpoint responded with {status}: redirects are not followed, so configure the final address"
    )]
    Redirected {
        /// 300-399.
        status: StatusCode,
    },
    /// 4xx other than 408 and 429: the token endpoint rejects what this proxy is configured to send (RFC 6749 5.2).
    #[error("the token endpoint rejected the request with {status}: {response}")]
    Refused {
        /// 400-499.
        status: StatusCode,
        /// The error response.
        response: ErrorResponse,
        /// `Retry-After`, if any.
        retry_after: Option<Duration>,
    },
    /// 408, 429, 5xx and any other status that decides nothing.
    #[error("the token endpoint responded with {status}: {response}")]
    Unavailable {
        /// The status.
        status: StatusCode,
        /// The error response.
        response: ErrorResponse,
        /// `Retry-After`, if any.
        retry_after: Option<Duration>,
    },
    /// A successful response without a token that can be sent.
    #[error("the token endpoint responded with {status}, but {defect}")]
    Unusable {
        /// 200-299.
        status: StatusCode,
        /// What is wrong with it.
        defect: ResponseDefect,
    },
    /// The attempt panicked, because of a bug in this program or in a library. The next attempt is made nevertheless.
    #[error("an internal error ended the attempt")]
    Internal,
}

impl GrantError {
    /// Whether repeating the request is pointless until the configuration has changed.
    #[must_use]
    pub fn is_rejection(&self) -> bool {
        self.class() == FailureClass::Configuration
    }

    /// Whether an attempt with a renewed assertion may succeed.
    pub(super) fn may_need_renewal(&self) -> bool {
        match self {
            Self::PresentedToken { .. } | Self::SecretUnreadable(_) => true,
            other => other.is_rejection(),
        }
    }

    /// The label in logs and metrics, one of a closed set.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self.class() {
            FailureClass::Configuration => "refused",
            FailureClass::Throttled => "throttled",
            FailureClass::Outage => "unavailable",
        }
    }

    /// Whether other requests that are still in progress are not worth waiting for, or must not be repeated so soon.
    pub(super) fn ends_attempt(&self) -> bool {
        match self.class() {
            FailureClass::Configuration | FailureClass::Throttled => true,
            FailureClass::Outage => {
                self.retry_after().is_some() || matches!(self, Self::TimedOut { .. })
            }
        }
    }

    /// What two failures have in common if only one of them needs to be logged: without ids and times.
    pub(super) fn kind(&self) -> String {
        match self {
            Self::Refused {
                status, response, ..
            }
            | Self::Unavailable {
                status, response, ..
            } => match response {
                ErrorResponse::Fields {
                    code: Some(code), ..
                } => format!("{status} {code}"),
                ErrorResponse::Fields { code: None, .. } | ErrorResponse::Other { .. } => {
                    status.to_string()
                }
            },
            Self::PresentedToken {
                key,
                defect: PresentedTokenDefect::Expired { .. },
                ..
            } => format!("{key} has expired"),
            other => other.causes(),
        }
    }

    pub(super) fn class(&self) -> FailureClass {
        match self {
            // Someone else renews it.
            Self::SecretUnreadable(UnreadableSecret {
                is_renewed: true, ..
            }) => FailureClass::Outage,
            Self::PresentedToken { defect, .. } if defect.may_pass() => FailureClass::Outage,
            Self::SecretUnreadable(_)
            | Self::PresentedToken { .. }
            | Self::SecretEmpty
            | Self::KeyUnusable(_)
            | Self::CertificateUnusable(_)
            | Self::Metadata(
                MetadataError::TooLong { .. }
                | MetadataError::NotJson
                | MetadataError::OtherIssuer
                | MetadataError::NoEndpoint
                | MetadataError::Plaintext,
            )
            | Self::Refused { .. } => FailureClass::Configuration,
            Self::Unavailable { status, .. } if *status == StatusCode::TOO_MANY_REQUESTS => {
                FailureClass::Throttled
            }
            // Nothing was rejected: the issuer names no token endpoint, or does not name it yet.
            Self::Metadata(MetadataError::Absent { .. })
            | Self::Unreachable(_)
            | Self::TimedOut { .. }
            | Self::Redirected { .. }
            | Self::Unavailable { .. }
            | Self::Unusable { .. }
            | Self::Internal => FailureClass::Outage,
        }
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } | Self::Unavailable { retry_after, .. } => {
                *retry_after
            }
            Self::SecretUnreadable(_)
            | Self::PresentedToken { .. }
            | Self::SecretEmpty
            | Self::KeyUnusable(_)
            | Self::CertificateUnusable(_)
            | Self::Metadata(_)
            | Self::Unreachable(_)
            | Self::TimedOut { .. }
            | Self::Redirected { .. }
            | Self::Unusable { .. }
            | Self::Internal => None,
        }
    }

    /// How to fix it, unless the message already says so.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::Unreachable(unreachable) => Some(unreachable.remedy()),
            Self::TimedOut {
                server, connected, ..
            } => Some(timeout_remedy(server, *connected)),
            Self::CertificateUnusable(error) => {
                Some(format!("see {}: {}", error.key(), error.remedy()))
            }
            Self::PresentedToken { defect, .. } => Some(defect.remedy().to_owned()),
            Self::SecretUnreadable(_)
            | Self::SecretEmpty
            | Self::KeyUnusable(_)
            | Self::Metadata(_)
            | Self::Redirected { .. }
            | Self::Refused { .. }
            | Self::Unavailable { .. }
            | Self::Unusable { .. }
            | Self::Internal => None,
        }
    }

    /// This error and its causes on one line, followed by the remedy.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.causes();
        if let Some(remedy) = self.remedy() {
            let _ = write!(text, "; {remedy}");
        }
        text
    }

    /// This error and its causes on one line.
    #[must_use]
    pub fn causes(&self) -> String {
        error_chain(self)
    }
}

fn timeout_remedy(server: &TokenServer, connected: bool) -> String {
    match (connected, &server.proxy) {
        (true, _) => {
            "the problem is on the server's side or in the network, and may be temporary".to_owned()
        }
        (false, Some(_)) => {
            "the problem is on the way to the proxy, or behind it: check network.proxy".to_owned()
        }
        (false, None) if server.is_loopback() => {
            format!("start it, or correct the port in {}", server.key)
        }
        (false, None) => format!(
            "the problem is in the network, perhaps a firewall that drops packets: check {}, and set network.proxy if the \
             network requires a proxy",
            server.key
        ),
    }
}

/// What is wrong with a successful response. Of the response it holds at most the type, if that is a short word.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResponseDefect {
    /// There is no body.
    #[error("the response is empty")]
    Empty,
    /// The response is too long.
    #[error("the response is longer than {limit} bytes")]
    TooLong {
        /// The most that is read.
        limit: usize,
    },
    /// A `Content-Encoding` that was not requested.
    #[error("the response is compressed")]
    Compressed,
    /// HTML, text, invalid JSON, or JSON that is not an object.
    #[error(
        "the response is not a JSON object (RFC 6749 5.1): perhaps it is a web page, because the address is wrong or a proxy responded"
    )]
    NotJson,
    /// `access_token` is missing, empty or not a string.
    #[error("the response has no access_token")]
    NoToken,
    /// Line breaks, spaces or non-ASCII characters, so it cannot be sent in a header (RFC 6750 2.1).
    #[error("its access_token contains characters that are not allowed in a header")]
    TokenCharacters,
    /// Longer than any server's header limit.
    #[error("its access_token is longer than {limit} bytes")]
    TokenTooLong {
        /// The longest that is accepted.
        limit: usize,
    },
    /// Another type such as `DPoP`, which must not be sent as Bearer (RFC 9449).
    #[error("its token_type is {said}, not Bearer{}", accept_type_hint(said))]
    TokenType {
        /// The type in quotes, or what it is instead of a word.
        said: String,
    },
    /// The exchange issued something other than an access token (RFC 8693 2.2.1).
    #[error("its issued_token_type is not that of an access token")]
    IssuedTokenType,
    /// It is zero, negative or not a number.
    #[error("its expires_in is not a positive number of seconds")]
    Lifetime,
}

/// A proof must accompany each use of a `DPoP` token, and `N_A` means that it is no access token (RFC 8693 2.2.1), so
/// no setting can make either a bearer token.
fn accept_type_hint(said: &str) -> String {
    let is_no_bearer = ["\"dpop\"", "\"n_a\""]
        .iter()
        .any(|other| said.eq_ignore_ascii_case(other));
    if !said.starts_with('"') || is_no_bearer {
        return String::new();
    }
    format!("; if that server means Bearer by it, set token.accept_type = {said}")
}

/// What an error response says (RFC 6749 5.2), sanitized and shortened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorResponse {
    /// `error` or `code`, `error_description` or `message`, and the correlation id.
    Fields {
        /// `error` (RFC 6749 5.2) or `code`.
        code: Option<String>,
        /// `error_description` or `message`.
        description: Option<String>,
        /// The id of this request in the server's logs.
        correlation_id: Option<String>,
    },
    /// HTML or anything else: only its media type is kept.
    Other {
        /// `Content-Type`.
        content_type: Option<String>,
    },
}

impl fmt::Display for ErrorResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fields {
                code,
                description,
                correlation_id,
            } => {
                let words: Vec<&str> = [code, description]
                    .into_iter()
                    .flatten()
                    .map(String::as_str)
                    .collect();
                f.write_str(&words.join(": "))?;
                match correlation_id {
                    Some(id) => write!(f, " (correlation id {id})"),
                    None => Ok(()),
                }
            }
            Self::Other {
                content_type: Some(kind),
            } => write!(f, "the response is {kind}, not an OAuth error"),
            Self::Other { content_type: None } => {
                f.write_str("the response is not an OAuth error and has no content type")
            }
        }
    }
}
