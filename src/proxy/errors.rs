//! Why a request was not forwarded, and the one place where that becomes a status and a sentence.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response};

use super::authorize::{NotReplayed, Sent};
use crate::guard::{CallerName, Cors, Rejection};
use crate::net::{DialError, TlsFailure};
use crate::problem::{PROXY_STATUS, ProblemFormat, ProblemResponse, Reason, RequestId};
use crate::text::error_chain;
use crate::token::TokenUnavailable;
use crate::upstream::{ConnectError, SendError};

/// A request that ends here, with the shape in which its client can read why.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: ForwardError,
    pub(super) format: ProblemFormat,
    /// Who asked, where that is known.
    pub(super) caller: Option<CallerName>,
    /// Which page may read it.
    pub(super) cors: Cors,
}

impl Failure {
    #[cold]
    pub(super) fn refused(rejection: Rejection) -> Self {
        Self {
            format: rejection.format.clone(),
            caller: rejection.caller.clone(),
            cors: rejection.cors.clone(),
            error: ForwardError::Refused(Box::new(rejection)),
        }
    }

    /// What the client is told, in the shape that it can read.
    pub(super) fn answer(&self, id: &RequestId) -> Response<Bytes> {
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
        let answer = ProblemResponse {
            format: &self.format,
            retry_after: self.error.retry_after(),
            close: reason == Reason::BadRequest || reason == Reason::ClientTimeout,
            ..ProblemResponse::new(reason, &detail, id)
        };
        answer.response()
    }
}

/// Why.
#[derive(Debug, thiserror::Error)]
pub(super) enum ForwardError {
    /// The guard said no.
    #[error("refused: {}", .0.detail)]
    Refused(Box<Rejection>),
    /// `limits.in_flight`.
    #[error("{limit} requests are in flight (limits.in_flight)")]
    Saturated {
        /// The limit that is reached.
        limit: usize,
    },
    /// Our own name stands in its `Via`.
    #[error("the request has been here before")]
    Loop,
    /// There is no token to send.
    #[error(transparent)]
    Token(#[from] TokenUnavailable),
    /// The upstream did not answer.
    #[error(transparent)]
    Upstream(#[from] SendError),
}

impl ForwardError {
    /// Status and name. No wildcard: a new variant must be given its own.
    pub(super) fn reason(&self) -> Reason {
        match self {
            Self::Refused(rejection) => rejection.reason,
            Self::Saturated { .. } => Reason::Saturated,
            Self::Loop => Reason::Loop,
            Self::Token(TokenUnavailable::Refused { .. }) => Reason::TokenRefused,
            Self::Token(TokenUnavailable::NotYet { .. }) => Reason::TokenUnavailable,
            Self::Upstream(error) => upstream_reason(error),
        }
    }

    /// What the caller is told: whose fault, and what now. Never what is inside the process.
    fn detail(&self) -> Cow<'static, str> {
        match self {
            Self::Refused(rejection) => rejection.detail.clone(),
            Self::Saturated { limit } => format!(
                "The proxy already has {limit} requests in flight (limits.in_flight). Try again."
            )
            .into(),
            Self::Loop => "The request has been through this proxy before (its Via says so): what upstream.url names leads back here.".into(),
            Self::Token(TokenUnavailable::Refused { .. }) => "No access token: the token endpoint refuses this proxy's client id, secret or scope, or the secret cannot be read; `cupbearer doctor` (or `cupbearer health --ready`) says which. The API was not asked.".into(),
            Self::Token(TokenUnavailable::NotYet { retry_after }) => format!(
                "No access token: the token endpoint has given none that is still good; `cupbearer doctor` (or `cupbearer health --ready`) says why. The API was not asked. The next attempt is in {} s.",
                retry_after.as_secs()
            )
            .into(),
            Self::Upstream(error) => {
                format!("The upstream gave no answer: {}.", error_chain(error)).into()
            }
        }
    }

    /// When it may be worth asking again.
    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Token(TokenUnavailable::NotYet { retry_after, .. }) => Some(*retry_after),
            Self::Refused(_)
            | Self::Saturated { .. }
            | Self::Loop
            | Self::Token(_)
            | Self::Upstream(_) => None,
        }
    }
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
        SendError::Closed { .. } => Reason::UpstreamClosed,
        SendError::Protocol { .. } | SendError::Switched | SendError::Framing(_) => {
            Reason::UpstreamProtocol
        }
    }
}

/// Tells the caller of a 401 that goes back as it came why it was not sent once more (RFC 9209).
pub(super) fn note_not_replayed(sent: Sent, headers: &mut HeaderMap) {
    if let Some(Err(why)) = sent.replayed {
        let note = HeaderValue::from_static(why.proxy_status());
        headers.insert(PROXY_STATUS, note);
    }
}

/// `Proxy-Status` of a 401 that is the upstream's own: no `error`, since the answer is not ours.
macro_rules! not_sent_again {
    ($why:literal) => {
        concat!(
            "cupbearer; received-status=401; details=\"not sent again: ",
            $why,
            "\""
        )
    };
}

impl NotReplayed {
    const fn proxy_status(self) -> &'static str {
        match self {
            Self::Outgrown => not_sent_again!("the request body had outgrown upstream.retry_body"),
            Self::Paused => not_sent_again!("no newer token, forced refreshes are paused"),
            Self::Failed => not_sent_again!("no newer token, the token endpoint gave none"),
            Self::Late => not_sent_again!("no newer token within token.wait"),
        }
    }
}
