//! The errors of this room. Each names the limit or the configuration key that it is about.

use std::borrow::Cow;
use std::time::Duration;

use super::head_defect::HeadDefect;
use crate::net::{CorporateProxyError, DialError, InterimFlood, TlsFailure};
use crate::text::causes;

/// No connection to the upstream could be made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The upstream's name could not be resolved, or none of its addresses accepts a connection.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// Name resolution, TCP and TLS together took too long.
    #[error("no connection within {} (upstream.connect_timeout)", humantime::format_duration(*limit))]
    Timeout {
        /// `upstream.connect_timeout`.
        limit: Duration,
    },
    /// The same through the corporate proxy, which may be the cause.
    #[error(
        "no connection within {} (upstream.connect_timeout) through the corporate proxy {proxy} (network.proxy)",
        humantime::format_duration(*limit)
    )]
    ProxyTimeout {
        /// `upstream.connect_timeout`.
        limit: Duration,
        /// Its address, without user name and password.
        proxy: String,
    },
    /// The corporate proxy did not connect us.
    #[error("no connection through the corporate proxy {proxy} (network.proxy)")]
    Proxy {
        /// Its address, without user name and password.
        proxy: String,
        /// What went wrong there.
        source: Box<CorporateProxyError>,
    },
    /// The TLS handshake failed, or the certificate was rejected.
    #[error("{failure}{}", tls_remedy(failure))]
    Tls {
        /// The classified failure.
        failure: TlsFailure,
    },
    /// The API does not answer as HTTP/2, which it is expected to know (*prior knowledge*).
    #[error(
        "the API does not speak HTTP/2; set upstream.http2 = \"match\" (or \"never\", if it is not for gRPC), or \
         correct the port in upstream.url"
    )]
    NotHttp2,
    /// hyper could not use the connection.
    #[error("the connection could not be used")]
    Http {
        /// hyper's error.
        source: hyper::Error,
    },
}

/// What the operator can change about a TLS failure of the upstream, as the rest of the sentence.
const fn tls_remedy(failure: &TlsFailure) -> &'static str {
    match failure {
        TlsFailure::NotTls => "; check that upstream.url has the port on which it serves https",
        TlsFailure::ClientCertificateRequired => {
            "; set upstream.client_cert_file and upstream.client_key_file"
        }
        TlsFailure::Rejected(_) => {
            "; if it requires a client certificate, check upstream.client_cert_file"
        }
        // The description of the certificate contains its own remedy.
        TlsFailure::Certificate(_)
        | TlsFailure::OldVersion
        | TlsFailure::Closed
        | TlsFailure::Protocol(_)
        | TlsFailure::Io(_) => "",
    }
}

/// A request received no response.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The request was never sent.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The request was sent, and no response head arrived in time.
    #[error("no response head within {} (upstream.head_timeout)", humantime::format_duration(*limit))]
    HeadTimeout {
        /// `upstream.head_timeout`.
        limit: Duration,
    },
    /// The caller stopped sending the request body.
    #[error("no byte of the request body within {} (upstream.stall_timeout)", humantime::format_duration(*limit))]
    CallerStalled {
        /// `upstream.stall_timeout`.
        limit: Duration,
    },
    /// The caller's body ended early or was malformed.
    #[error("the request body could not be read")]
    CallerBody {
        /// The error of the body, as hyper wraps it.
        source: hyper::Error,
    },
    /// The connection ended before the response head was complete.
    #[error("the connection ended before the response head was complete")]
    Closed {
        /// hyper's error.
        source: hyper::Error,
    },
    /// The API has reset the stream of the request.
    #[error("the API ended the request with an error of HTTP/2")]
    Reset {
        /// hyper's error, which names the code.
        source: hyper::Error,
    },
    /// The API has refused the request without processing it, and it could not be sent again.
    #[error(
        "the API refused the request before it processed it (GOAWAY or REFUSED_STREAM), and it could not be sent again"
    )]
    Refused,
    /// The API accepts the request over HTTP/1.1 only, and it could not be sent again.
    #[error(
        "the API accepts the request over HTTP/1.1 only (HTTP_1_1_REQUIRED), and it could not be sent again; set \
         upstream.http2 = \"never\""
    )]
    Http1Required,
    /// The response is not valid HTTP/2.
    #[error("the response is not a valid HTTP/2 message")]
    InvalidHttp2 {
        /// hyper's error.
        source: hyper::Error,
    },
    /// A 101 to a protocol other than the requested one (RFC 9110 section 7.8).
    #[error("the upstream switched to a protocol that was not requested")]
    Switched,
    /// The head of the response is not valid, or has too many fields.
    #[error("the response is not a valid HTTP/1.1 message: {0}")]
    InvalidHead(HeadDefect),
    /// There were too many interim responses.
    #[error(transparent)]
    Interim(InterimFlood),
    /// The response is not HTTP/1, for a reason that only hyper knows.
    #[error("the response is not a valid HTTP/1.1 message")]
    Protocol {
        /// hyper's error.
        source: hyper::Error,
    },
    /// The response is HTTP/1, but its end could be read in two ways.
    #[error("the framing of the response is ambiguous: {0}")]
    Framing(Cow<'static, str>),
}

impl SendError {
    /// Classifies hyper's error about an exchange by who caused it.
    pub(super) fn from_exchange(source: hyper::Error) -> Self {
        if let Some(failure) = TlsFailure::late_rejection(&source) {
            Self::Connect(ConnectError::Tls { failure })
        } else if let Some(flood) = causes(&source).find_map(|cause| cause.downcast_ref()) {
            Self::Interim(*flood)
        } else if source.is_user() {
            Self::CallerBody { source }
        } else if source.is_parse() {
            Self::Protocol { source }
        } else {
            Self::Closed { source }
        }
    }
}

/// What an error of an HTTP/2 stream says about its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StreamFault {
    /// The API has processed nothing of it: its number is above that of a GOAWAY, or it was refused.
    Unprocessed,
    /// The API has reset it, since it requires HTTP/1.1 for it.
    Http1Required,
    /// The API has reset it for another reason.
    Reset,
    /// We have, because the client's body broke off.
    CallerBody,
    /// The API has violated the protocol.
    Invalid,
    /// The connection was lost, or the fault is not one of HTTP/2.
    Other,
}

impl StreamFault {
    /// hyper does not say it in any other way than in the words of the `h2` crate.
    fn of(error: &hyper::Error) -> Self {
        let mut causes = causes(error).map(ToString::to_string);
        let Some(words) = causes.find(|words| words.contains(" error ")) else {
            return Self::Other;
        };
        let has = |start: &str| words.starts_with(start);
        if has("stream error received: endpoint requires HTTP/1.1") {
            Self::Http1Required
        } else if has("connection error received: ") || has("stream error received: refused stream")
        {
            Self::Unprocessed
        } else if has("stream error received: ") {
            Self::Reset
        } else if has("stream error sent by user: ") {
            Self::CallerBody
        } else if has("stream error detected: ") || has("connection error detected: ") {
            Self::Invalid
        } else {
            Self::Other
        }
    }
}

impl SendError {
    /// Classifies hyper's error about a request over HTTP/2. What a GOAWAY says in words is the API's, and is dropped:
    /// it could be the token.
    pub(super) fn from_stream(source: hyper::Error) -> Self {
        match StreamFault::of(&source) {
            StreamFault::Unprocessed => Self::Refused,
            StreamFault::Http1Required => Self::Http1Required,
            StreamFault::Reset => Self::Reset { source },
            StreamFault::CallerBody => Self::CallerBody { source },
            StreamFault::Invalid => Self::InvalidHttp2 { source },
            StreamFault::Other => Self::from_exchange(source),
        }
    }
}

/// A response body ended before it was complete.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The upstream closed the connection, or violated the framing of the body.
    #[error("the response body ended early")]
    Closed {
        /// hyper's error.
        #[from]
        source: hyper::Error,
    },
    /// The API has ended the connection below the number of this response, which it had begun.
    #[error("the response body ended early: the API ended its HTTP/2 connection")]
    GoneAway,
    /// The API has reset the stream with `NO_ERROR` before the end of the response (RFC 9113 8.1 allows it only after
    /// that).
    #[error("the response body ended early: the API reset its HTTP/2 stream, without an error")]
    Unfinished,
    /// No byte moved for too long.
    #[error("no byte in either direction within {} (upstream.stall_timeout)", humantime::format_duration(*limit))]
    Stalled {
        /// `upstream.stall_timeout`.
        limit: Duration,
    },
}

impl BodyError {
    /// The error of a response over HTTP/2, without what a GOAWAY says in words.
    pub(super) fn of_stream(source: hyper::Error) -> Self {
        match StreamFault::of(&source) {
            StreamFault::Unprocessed => Self::GoneAway,
            StreamFault::Http1Required
            | StreamFault::Reset
            | StreamFault::CallerBody
            | StreamFault::Invalid
            | StreamFault::Other => Self::Closed { source },
        }
    }
}
