//! Why a request was not forwarded, or got no response: turns what the files of the main path find into a reason and a
//! sentence for the client.
//!
//! Reasons are also chosen in `guard` (a rejection), `unserved` (a request that reaches no proxy), `service` (a panic),
//! `access_record` (a response that breaks off) and `admin` (its own endpoints).

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use http::Response;

use super::in_flight_limit::TooManyInFlight;
use super::loop_detection::RequestLoop;
use crate::guard::{CallerName, Cors, Rejection};
use crate::net::{DialError, TlsFailure};
use crate::problem::{ProblemFormat, ProblemResponse, Reason, RequestId, SignInLinks};
use crate::text::{counted, error_chain};
use crate::token::{FailureOrigin, SignInWay, TokenUnavailable};
use crate::upstream::{ConnectError, SendError};

/// A request that was not forwarded or got no response, and how its client can read why.
#[derive(Debug)]
pub(super) struct ForwardFailure {
    pub(super) error: ForwardError,
    pub(super) format: ProblemFormat,
    /// Who sent the request, if known.
    pub(super) caller: Option<CallerName>,
    /// Whether it was admitted and asked for an upgrade.
    pub(super) asks_upgrade: bool,
    /// Which web page may read the response.
    pub(super) cors: Cors,
}

impl ForwardFailure {
    /// The guard rejected the request.
    #[cold]
    pub(super) fn refused(rejection: Rejection) -> Self {
        Self {
            format: rejection.format.clone(),
            caller: rejection.caller.clone(),
            asks_upgrade: false,
            cors: rejection.cors.clone(),
            error: ForwardError::Refused(Box::new(rejection)),
        }
    }

    /// Whether the request is counted and logged.
    pub(super) fn is_recorded(&self) -> bool {
        !matches!(&self.error, ForwardError::Refused(rejection) if !rejection.is_recorded)
    }

    /// Whether the request was rejected before its caller was admitted.
    pub(super) fn is_rejection(&self) -> bool {
        matches!(&self.error, ForwardError::Refused(rejection) if rejection.reason != Reason::RuleRefused)
    }

    /// The response that tells the client why.
    pub(super) fn response(&self, id: &RequestId) -> Response<Bytes> {
        let mut response = self.problem(id);
        self.cors.apply(response.headers_mut());
        response
    }

    fn problem(&self, id: &RequestId) -> Response<Bytes> {
        if let ForwardError::Refused(rejection) = &self.error {
            return rejection.problem(id).response();
        }
        let reason = self.error.reason();
        let detail = self.error.detail();
        let sign_in = self.error.sign_in();
        let problem = ProblemResponse {
            sign_in: sign_in.as_ref(),
            format: &self.format,
            retry_after: self.error.retry_after(),
            close: reason == Reason::BadRequest || reason == Reason::ClientTimeout,
            ..ProblemResponse::new(reason, &detail, id)
        };
        problem.response()
    }
}

/// Why a request was not forwarded or got no response.
#[derive(Debug, thiserror::Error)]
pub(super) enum ForwardError {
    /// The guard rejected the request.
    #[error("rejected: {}", .0.detail)]
    Refused(Box<Rejection>),
    /// `limits.in_flight` is reached.
    #[error(transparent)]
    Saturated(#[from] TooManyInFlight),
    /// The request's `Via` has our own name.
    #[error(transparent)]
    Loop(#[from] RequestLoop),
    /// There is no usable token.
    #[error(transparent)]
    Token(#[from] TokenUnavailable),
    /// There is no response from the upstream.
    #[error(transparent)]
    Upstream(#[from] SendError),
}

impl ForwardError {
    /// The reason in the contract. There is no wildcard, so a new variant must be given its own reason.
    pub(super) fn reason(&self) -> Reason {
        match self {
            Self::Refused(rejection) => rejection.reason,
            Self::Saturated(_) => Reason::Saturated,
            Self::Loop(_) => Reason::Loop,
            Self::Token(TokenUnavailable::Refused { .. }) => Reason::TokenRefused,
            Self::Token(TokenUnavailable::NotYet { .. }) => Reason::TokenUnavailable,
            Self::Token(TokenUnavailable::LoginRequired(_) | TokenUnavailable::SignedOut(_)) => {
                Reason::LoginRequired
            }
            Self::Upstream(error) => upstream_reason(error),
        }
    }

    /// What the client reads: who is responsible and what to do. It never shows the internals of the process.
    fn detail(&self) -> Cow<'static, str> {
        match self {
            Self::Refused(rejection) => rejection.detail.clone(),
            Self::Saturated(TooManyInFlight { limit }) => format!(
                "The proxy already has {} in flight (limits.in_flight). Try again.",
                counted(*limit, "request")
            )
            .into(),
            Self::Loop(_) => "The request has passed through this proxy before, as its Via shows: upstream.url leads back to this proxy.".into(),
            Self::Token(error) => token_detail(error).into(),
            Self::Upstream(error) => {
                format!("No response from the upstream: {}.", error_chain(error)).into()
            }
        }
    }

    /// Where a person signs in, if that is missing.
    fn sign_in(&self) -> Option<SignInLinks> {
        match self {
            Self::Token(
                TokenUnavailable::LoginRequired(place) | TokenUnavailable::SignedOut(place),
            ) => Some(SignInLinks {
                login_url: place.login_url.clone(),
                page: place.page.clone(),
                step: match place.way {
                    SignInWay::Paste => "Paste it here:",
                    SignInWay::Browser => "Sign in here:",
                    SignInWay::Device => {
                        "Run `cupbearer login --device` to sign in; who is signed in:"
                    }
                },
            }),
            Self::Refused(_)
            | Self::Saturated(_)
            | Self::Loop(_)
            | Self::Token(_)
            | Self::Upstream(_) => None,
        }
    }

    /// When another attempt may succeed.
    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Token(TokenUnavailable::NotYet { retry_after, .. }) => Some(*retry_after),
            Self::Refused(_)
            | Self::Saturated(_)
            | Self::Loop(_)
            | Self::Token(_)
            | Self::Upstream(_) => None,
        }
    }
}

/// Why there is no token, on whose side the cause is, and who knows more. Names keys, but nothing that a server, a
/// command or a file has said.
fn token_detail(error: &TokenUnavailable) -> String {
    let (cause, retry_after) = match error {
        TokenUnavailable::LoginRequired(place) => {
            return format!(
                "Nobody is signed in to this proxy, or the token has ended: {}. The request was not sent to the API.",
                place.advice()
            );
        }
        TokenUnavailable::SignedOut(place) => {
            return format!(
                "The person who sent this request has signed out of this proxy, so the request was not sent to the API for \
                 whoever has signed in since. Send it again, or {}.",
                place.advice()
            );
        }
        TokenUnavailable::Refused { cause, .. } => (Some(cause), None),
        TokenUnavailable::NotYet { cause, retry_after } => (cause.as_ref(), Some(*retry_after)),
    };
    let is_of_source = cause.is_some_and(|cause| cause.is_of_source());
    let why = match cause.map(|cause| cause.origin()) {
        Some(FailureOrigin::Credential) => match cause.and_then(|cause| cause.credential_key()) {
            Some(key) => format!("what this proxy's {key} names cannot be used"),
            None => "this proxy's credential cannot be used".to_owned(),
        },
        Some(FailureOrigin::Rejection) if is_of_source => {
            "the server in this proxy's token.source rejects the request".to_owned()
        }
        Some(FailureOrigin::Rejection) => {
            "the token endpoint rejects this proxy's client id, secret, assertion or scope"
                .to_owned()
        }
        Some(FailureOrigin::Server) if is_of_source => {
            "the server in this proxy's token.source has provided none that is still valid"
                .to_owned()
        }
        Some(FailureOrigin::Server | FailureOrigin::Bug) | None => {
            "the token endpoint has not issued one that is still valid".to_owned()
        }
    };
    let next = retry_after.map_or_else(String::new, |retry_after| {
        format!(" The next attempt is in {} s.", retry_after.as_secs())
    });
    format!(
        "No access token: {why}; `cupbearer doctor` (or `cupbearer health --ready`) says why. The request was not sent \
         to the API.{next}"
    )
}

fn upstream_reason(error: &SendError) -> Reason {
    match error {
        SendError::Connect(ConnectError::Dial(DialError::Unresolved { .. })) => Reason::UpstreamDns,
        SendError::Connect(
            ConnectError::Dial(DialError::Unreachable { .. }) | ConnectError::Http { .. },
        ) => Reason::UpstreamRefused,
        SendError::Connect(ConnectError::Timeout { .. } | ConnectError::ProxyTimeout { .. }) => {
            Reason::UpstreamConnectTimeout
        }
        SendError::Connect(ConnectError::Proxy { .. }) => Reason::UpstreamProxy,
        SendError::Connect(ConnectError::Tls {
            failure: TlsFailure::Certificate(_),
        }) => Reason::UpstreamTlsCertificate,
        SendError::Connect(ConnectError::Tls { .. }) => Reason::UpstreamTlsProtocol,
        SendError::HeadTimeout { .. } => Reason::UpstreamHeadTimeout,
        SendError::CallerStalled { .. } => Reason::ClientTimeout,
        SendError::CallerBody { .. } => Reason::BadRequest,
        SendError::Closed { .. }
        | SendError::Reset { .. }
        | SendError::Refused
        | SendError::Http1Required => Reason::UpstreamClosed,
        SendError::Connect(ConnectError::NotHttp2)
        | SendError::InvalidHttp2 { .. }
        | SendError::InvalidHead(_)
        | SendError::Interim(_)
        | SendError::Protocol { .. }
        | SendError::Switched
        | SendError::Framing(_) => Reason::UpstreamProtocol,
    }
}
