//! Why a token request failed. Everything here may be printed: of what the token endpoint sent, only its sanitized
//! error fields are kept.

use std::fmt::Write as _;
use std::time::Duration;

use http::StatusCode;

use super::discovery::MetadataError;
use super::id_token::IdTokenDefect;
use super::key::PrivateKeyError;
use super::presented::PresentedTokenDefect;
use super::request_secrets::UnreadableSecret;
use super::response_error::{ErrorResponse, ResponseDefect};
use super::store_error::{STORE_KEY, StoreError};
use super::token_output::OutputDefect;
use super::unreachable::{EndpointRole, TokenServer, Unreachable};
use crate::config::SOURCE_KEY;
use crate::credentials::{CertificateFilesError, SecretError};
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
        "{} {} {}{} within {}",
        if *connected { "no complete response from" } else { "no connection to" },
        server.title(),
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
        "the {endpoint} responded with {status}: redirects are not followed, so configure the final address"
    )]
    Redirected {
        /// What responded.
        endpoint: EndpointRole,
        /// 300-399.
        status: StatusCode,
    },
    /// 4xx other than 408 and 429: the token endpoint rejects what this proxy is configured to send (RFC 6749 5.2).
    #[error("the {endpoint} rejected the request with {status}: {response}")]
    Refused {
        /// What responded.
        endpoint: EndpointRole,
        /// 400-499.
        status: StatusCode,
        /// The error response.
        response: ErrorResponse,
        /// `Retry-After`, if any.
        retry_after: Option<Duration>,
    },
    /// 408, 429, 5xx and any other status that decides nothing.
    #[error("the {endpoint} responded with {status}: {response}")]
    Unavailable {
        /// What responded.
        endpoint: EndpointRole,
        /// The status.
        status: StatusCode,
        /// The error response.
        response: ErrorResponse,
        /// `Retry-After`, if any.
        retry_after: Option<Duration>,
    },
    /// A successful response without a token that can be sent.
    #[error("the {endpoint} responded with {status}, but {defect}")]
    Unusable {
        /// What responded.
        endpoint: EndpointRole,
        /// 200-299.
        status: StatusCode,
        /// What is wrong with it.
        defect: ResponseDefect,
    },
    /// The command or the file of `token.source` cannot be read.
    #[error("{SOURCE_KEY} cannot be read")]
    SourceUnreadable(#[source] SecretError),
    /// What `token.source` yields is not a token that can be sent.
    #[error("{SOURCE_KEY} yields no token that can be used: {defect} ({place})")]
    SourceUnusable {
        /// Where it is.
        place: String,
        /// Whether that is a program.
        is_program: bool,
        /// Whether that is a server.
        is_server: bool,
        /// What is wrong with it.
        defect: OutputDefect,
        /// The last line of a program's standard error, for the log and the doctor only.
        said: Option<String>,
    },
    /// `token.source` may yield the token of another identity by now.
    #[error(
        "{SOURCE_KEY} has another token, which is not used while the configuration names another API or another source, or cannot be read"
    )]
    SourceOfAnother,
    /// The server of `token.source` responded with a status other than 200.
    #[error("the server in {SOURCE_KEY} responded with {status}")]
    SourceStatus {
        /// The status.
        status: StatusCode,
        /// `Retry-After`, if any.
        retry_after: Option<Duration>,
    },
    /// Only the running proxy has the token of a person.
    #[error(
        "token.grant says that a person signs in to the running proxy, and nothing else has that person's token"
    )]
    OnlyPerson,
    /// Nobody is signed in, or the person's session has ended.
    #[error("nobody is signed in: a person must sign in with `cupbearer login`")]
    SignedOut,
    /// A sign-in that was completed too late to count.
    #[error("another sign-in, a sign-out or a changed configuration came first")]
    Superseded,
    /// A sign-in as someone else than before.
    #[error("someone else was signed in before, and nobody has confirmed the change")]
    NotConfirmed,
    /// A refresh token has brought the tokens of another person.
    #[error(
        "the authorization server has renewed the token with that of another person, which is not used"
    )]
    OtherPerson,
    /// The store of the refresh token cannot be used. The token stays valid, and the access token in use.
    #[error(transparent)]
    Store(StoreError),
    /// What says who has signed in cannot be trusted.
    #[error("the ID token of the authorization server cannot be used: {0}")]
    IdToken(IdTokenDefect),
    /// The attempt panicked, because of a bug in this program or in a library. The next attempt is made nevertheless.
    #[error("an internal error ended the attempt")]
    Internal,
}

/// On which side the cause of a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureOrigin {
    /// What this proxy is to request tokens with, or where it is to find them: a secret, a key, a certificate, an
    /// assertion, a command, a file.
    Credential,
    /// A server rejects this proxy.
    Rejection,
    /// A server is unreachable, or its response cannot be used.
    Server,
    /// A bug in this program.
    Bug,
}

impl GrantError {
    /// The same error, if another endpoint than the token endpoint responded.
    pub(super) fn responded_by(mut self, role: EndpointRole) -> Self {
        if let Self::Redirected { endpoint, .. }
        | Self::Refused { endpoint, .. }
        | Self::Unavailable { endpoint, .. }
        | Self::Unusable { endpoint, .. } = &mut self
        {
            *endpoint = role;
        }
        self
    }

    /// On which side its cause is.
    #[must_use]
    pub fn origin(&self) -> FailureOrigin {
        match self {
            Self::SecretUnreadable(_)
            | Self::PresentedToken { .. }
            | Self::SecretEmpty
            | Self::OnlyPerson
            | Self::SignedOut
            | Self::Superseded
            | Self::NotConfirmed
            | Self::Store(_)
            | Self::KeyUnusable(_)
            | Self::CertificateUnusable(_)
            | Self::SourceUnreadable(_)
            | Self::SourceOfAnother
            | Self::SourceUnusable {
                is_server: false, ..
            } => FailureOrigin::Credential,
            Self::Refused { .. } => FailureOrigin::Rejection,
            Self::SourceStatus { .. } if self.is_rejection() => FailureOrigin::Rejection,
            Self::SourceUnusable { .. }
            | Self::SourceStatus { .. }
            | Self::IdToken(_)
            | Self::OtherPerson
            | Self::Metadata(_)
            | Self::Unreachable(_)
            | Self::TimedOut { .. }
            | Self::Redirected { .. }
            | Self::Unavailable { .. }
            | Self::Unusable { .. } => FailureOrigin::Server,
            Self::Internal => FailureOrigin::Bug,
        }
    }

    /// The key of the credential that cannot be used, if that is the cause.
    #[must_use]
    pub fn credential_key(&self) -> Option<&'static str> {
        match self {
            Self::SecretUnreadable(unreadable) => Some(unreadable.what),
            Self::PresentedToken { key, .. } => Some(key),
            Self::CertificateUnusable(error) => Some(error.key()),
            Self::KeyUnusable(_) => Some("token.private_key"),
            Self::Store(_) => Some(STORE_KEY),
            Self::SourceUnreadable(_) | Self::SourceUnusable { .. } | Self::SourceOfAnother => {
                Some(SOURCE_KEY)
            }
            _ => None,
        }
    }

    /// Whether it concerns `token.source`.
    #[must_use]
    pub fn is_of_source(&self) -> bool {
        match self {
            Self::SourceUnreadable(_)
            | Self::SourceUnusable { .. }
            | Self::SourceOfAnother
            | Self::SourceStatus { .. } => true,
            Self::Unreachable(unreachable) => unreachable.server.key == SOURCE_KEY,
            Self::TimedOut { server, .. } => server.key == SOURCE_KEY,
            Self::SecretUnreadable(unreadable) => unreadable.what == SOURCE_KEY,
            _ => false,
        }
    }

    /// The last line that a command wrote to its standard error, without what looks like a token: for the log and the
    /// doctor only.
    #[must_use]
    pub fn said(&self) -> Option<&str> {
        match self {
            Self::SecretUnreadable(unreadable) => {
                unreadable.cause.downcast_ref::<SecretError>()?.said()
            }
            Self::SourceUnreadable(error) => error.said(),
            Self::SourceUnusable { said, .. } => said.as_deref(),
            _ => None,
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
            Self::SourceUnreadable(error) => Some(error.remedy()),
            Self::Store(error) => Some(error.remedy()),
            Self::SourceUnusable { defect, .. } => Some(defect.remedy().to_owned()),
            Self::SourceStatus { .. } => Some(
                "check the address, the query and headers in token.source, and whether this machine has an identity there"
                    .to_owned(),
            ),
            Self::SourceOfAnother => Some("correct the configuration file".to_owned()),
            Self::SecretUnreadable(_)
            | Self::SecretEmpty
            | Self::OnlyPerson
            | Self::SignedOut
            | Self::Superseded
            | Self::NotConfirmed
            | Self::OtherPerson
            | Self::IdToken(_)
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
