//! The form in which gRPC clients read a problem ("trailers-only"): the status is 200, and the head of the response has
//! a gRPC status and a gRPC message. There is no content.

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

pub(super) const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
pub(super) const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// What `grpc-message` may not contain as it is, in addition to everything that is not ASCII.
const ENCODED: &AsciiSet = &CONTROLS.add(b'%');

/// The status codes of gRPC that cupbearer uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrpcStatus {
    /// The time for the call is over. The API may have carried it out.
    DeadlineExceeded = 4,
    /// The caller may not do this.
    PermissionDenied = 7,
    /// A limit is reached.
    ResourceExhausted = 8,
    /// The method, or what the request uses, is not supported.
    Unimplemented = 12,
    /// The request is malformed, or cupbearer failed. gRPC clients say the same of a 400.
    Internal = 13,
    /// There is no response, and another attempt may succeed.
    Unavailable = 14,
    /// The caller is unknown.
    Unauthenticated = 16,
}

impl GrpcStatus {
    /// The number in `grpc-status`.
    #[must_use]
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// The name in gRPC's libraries.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Self::Unimplemented => "UNIMPLEMENTED",
            Self::Internal => "INTERNAL",
            Self::Unavailable => "UNAVAILABLE",
            Self::Unauthenticated => "UNAUTHENTICATED",
        }
    }
}

/// The media type of the response, if the request is a gRPC or gRPC-Web call. Every call is a POST.
pub(super) fn media_type(method: &Method, headers: &HeaderMap) -> Option<&'static str> {
    if method != Method::POST {
        return None;
    }
    let requested = headers.get(header::CONTENT_TYPE)?.as_bytes();
    let is = |name: &str| {
        let (start, rest) = requested.split_at_checked(name.len())?;
        let is_whole = matches!(rest.first(), None | Some(b'+' | b';' | b' '));
        (is_whole && start.eq_ignore_ascii_case(name.as_bytes())).then_some(())
    };
    if is("application/grpc").is_some() {
        return Some("application/grpc");
    }
    is("application/grpc-web")
        .or_else(|| is("application/grpc-web-text"))
        .map(|()| "application/grpc-web")
}

/// The text as the value of `grpc-message`.
pub(super) fn message(text: &str) -> HeaderValue {
    let encoded = utf8_percent_encode(text, ENCODED).to_string();
    HeaderValue::try_from(encoded).unwrap_or_else(|_| HeaderValue::from_static(""))
}
