//! Why an attempt brought no token. Everything here may be printed: no variant holds what the token
//! endpoint sent beyond its cleaned error fields.

use std::error::Error;
use std::fmt::{self, Write as _};
use std::time::Duration;

use http::StatusCode;

use super::discovery::MetadataError;
use super::key::KeyError;
use super::schedule::Setback;
use super::unreachable::{Peer, Unreachable};
use crate::credentials::ClientCertificateError;
use crate::text::error_chain;

/// An error from a room or a library that this room does not know.
pub type Cause = Box<dyn Error + Send + Sync>;

/// Why one attempt brought no token.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The secret source could not be read.
    #[error("the client secret cannot be read")]
    SecretUnreadable(#[source] Cause),
    /// The secret source holds nothing.
    #[error("the client secret is empty")]
    SecretEmpty,
    /// The private key of `private_key_jwt` is none, or signs nothing.
    #[error("the private key cannot be used")]
    KeyUnusable(#[source] KeyError),
    /// The certificate for the token endpoint cannot be presented.
    #[error("the client certificate cannot be used")]
    CertificateUnusable(#[source] ClientCertificateError),
    /// `token.issuer` has no metadata, or none that may be used.
    #[error("the issuer's metadata cannot be used")]
    Metadata(#[source] MetadataError),
    /// No connection, or it broke: DNS, TCP, TLS or framing; it says which.
    #[error(transparent)]
    Unreachable(Box<Unreachable>),
    /// The whole exchange, answer included, took longer than its bound.
    #[error(
        "{} the token endpoint {}{} within {}",
        if *connected { "no complete answer from" } else { "no connection to" },
        peer.address,
        peer.by_way_of(),
        humantime::format_duration(*limit)
    )]
    TimedOut {
        /// The bound.
        limit: Duration,
        /// Whom it was asked of.
        peer: Peer,
        /// Whether there was a connection at all, TLS included.
        connected: bool,
    },
    /// A 3xx, which would carry the secret elsewhere if it were followed.
    #[error(
        "the token endpoint answered {status}: redirects are not followed, write the final address"
    )]
    Redirected {
        /// 300-399.
        status: StatusCode,
    },
    /// 4xx other than 408 and 429: what we are configured to send is not accepted (RFC 6749 5.2).
    #[error("the token endpoint refused us with {status}: {said}")]
    Refused {
        /// 400-499.
        status: StatusCode,
        /// The error that came with it.
        said: Said,
        /// `Retry-After`, if any.
        retry_after: Option<Duration>,
    },
    /// 408, 429, 5xx and whatever else is no answer to the question.
    #[error("the token endpoint answered {status}: {said}")]
    Unavailable {
        /// The status.
        status: StatusCode,
        /// The error that came with it.
        said: Said,
        /// `Retry-After`, if any.
        retry_after: Option<Duration>,
    },
    /// A success that holds no token that could be sent.
    #[error("the token endpoint answered {status}, but {defect}")]
    Unusable {
        /// 200-299.
        status: StatusCode,
        /// What is wrong with it.
        defect: Defect,
    },
    /// The attempt panicked: a defect of ours or of a library. The next attempt is made all the same.
    #[error("the attempt failed inside this program")]
    Internal,
}

impl Failure {
    /// Whether asking again with the same configuration is pointless.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.setback() == Setback::Configuration
    }

    /// The closed label of logs and metrics.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self.setback() {
            Setback::Configuration => "refused",
            Setback::Throttled => "throttled",
            Setback::Outage => "unavailable",
        }
    }

    pub(super) fn setback(&self) -> Setback {
        match self {
            Self::SecretUnreadable(_)
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
            | Self::Refused { .. } => Setback::Configuration,
            Self::Unavailable { status, .. } if *status == StatusCode::TOO_MANY_REQUESTS => {
                Setback::Throttled
            }
            // Nobody has refused us there: who was asked names no token endpoint, or not yet.
            Self::Metadata(MetadataError::Absent { .. })
            | Self::Unreachable(_)
            | Self::TimedOut { .. }
            | Self::Redirected { .. }
            | Self::Unavailable { .. }
            | Self::Unusable { .. }
            | Self::Internal => Setback::Outage,
        }
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } | Self::Unavailable { retry_after, .. } => {
                *retry_after
            }
            Self::SecretUnreadable(_)
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

    /// What to do about it, where that is not part of the text already.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::Unreachable(unreachable) => Some(unreachable.remedy()),
            Self::TimedOut {
                peer, connected, ..
            } => Some(timeout_remedy(peer, *connected)),
            Self::CertificateUnusable(error) => {
                Some(format!("{} names it: {}", error.key(), error.remedy()))
            }
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

    /// This error and its causes on one line, then what to do about it.
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

fn timeout_remedy(peer: &Peer, connected: bool) -> String {
    match (connected, &peer.proxy) {
        (true, _) => "on its side or between; it is tried again".to_owned(),
        (false, Some(_)) => "on the way to the proxy, or behind it: check network.proxy".to_owned(),
        (false, None) if peer.is_loopback() => {
            format!("start it, or correct the port in {}", peer.key)
        }
        (false, None) => format!(
            "between us and it, a firewall that is silent perhaps: check {}, and whether it needs network.proxy",
            peer.key
        ),
    }
}

/// What is wrong with a success; never holds a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Defect {
    /// No body at all.
    #[error("it is empty")]
    Empty,
    /// Longer than is read of any answer.
    #[error("it is longer than {limit} bytes")]
    TooLong {
        /// What is read at most.
        limit: usize,
    },
    /// A `Content-Encoding` that was not asked for.
    #[error("it is compressed")]
    Compressed,
    /// HTML, text, broken JSON, a JSON that is no object.
    #[error(
        "it is no JSON object (RFC 6749 5.1): a web page, perhaps, at a wrong address or from a proxy on the way"
    )]
    NotJson,
    /// `access_token` is missing, empty or not a string.
    #[error("it has no access_token")]
    NoToken,
    /// Line breaks, spaces or non-ASCII: it could not be sent as it is (RFC 6750 2.1).
    #[error("its access_token has characters that no header may carry")]
    TokenCharacters,
    /// Too long for any server's header limit.
    #[error("its access_token is longer than {limit} bytes")]
    TokenTooLong {
        /// The longest that is taken.
        limit: usize,
    },
    /// Missing, or another one, such as `DPoP`, which must not be sent as Bearer (RFC 9449).
    #[error("its token_type is not Bearer")]
    TokenType,
    /// Zero, negative or no number.
    #[error("its expires_in is not a positive number of seconds")]
    Lifetime,
}

/// What an error answer said, cleaned and shortened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// `error` or `code`, `error_description` or `message`, and the correlation id.
    Fields {
        /// `error` (RFC 6749 5.2) or `code`.
        code: Option<String>,
        /// `error_description` or `message`.
        description: Option<String>,
        /// What the server's own logs know this exchange by.
        correlation_id: Option<String>,
    },
    /// HTML or anything else: its type alone is told.
    Other {
        /// `Content-Type`.
        content_type: Option<String>,
    },
}

impl fmt::Display for Said {
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
            } => write!(f, "no OAuth error, but {kind}"),
            Self::Other { content_type: None } => f.write_str("no OAuth error and no content type"),
        }
    }
}
