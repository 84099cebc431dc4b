//! Why the guard rejects a request, and the response that says so.

use std::borrow::Cow;

use super::cors::Cors;
use super::peer::CallerName;
use crate::problem::{ProblemFormat, ProblemResponse, Reason, RequestId};

/// The value of `Allow` in the response to a method that is never forwarded. Extension methods pass too, but a list
/// cannot name them.
const ALLOWED_METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// Why a request is rejected, and what to change so that it is admitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The rule that the request breaks.
    pub reason: Reason,
    /// The explanation for a person. Values of the request in it are shortened and sanitized.
    pub detail: Cow<'static, str>,
    /// The format that this client can read.
    pub format: ProblemFormat,
    /// Which of `guard.callers` sent the request, if that is known.
    pub caller: Option<CallerName>,
    /// Whether the request is counted and logged; not if it only asks which program uses the port.
    pub is_recorded: bool,
    /// Whether the page that sent the request may read the response.
    pub cors: Cors,
    /// Whether a caller's key may be only in `X-Cupbearer-Key`.
    pub asks_for_own_field: bool,
}

impl Rejection {
    pub(super) fn new(reason: Reason, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            reason,
            detail: detail.into(),
            format: ProblemFormat::Json,
            caller: None,
            is_recorded: true,
            cors: Cors::Off,
            asks_for_own_field: false,
        }
    }

    /// The response to send. It has `Allow` if that is required, and closes the connection when the end of the
    /// request is in doubt, since the following bytes are then not a request (RFC 9112 section 11.2).
    #[must_use]
    pub fn problem<'a>(&'a self, request_id: &'a RequestId) -> ProblemResponse<'a> {
        ProblemResponse {
            format: &self.format,
            allow: (self.reason == Reason::MethodRefused).then_some(ALLOWED_METHODS),
            close: matches!(
                self.reason,
                Reason::BadRequest | Reason::CodingNotSupported | Reason::VersionNotSupported
            ),
            asks_for_own_field: self.asks_for_own_field,
            ..ProblemResponse::new(self.reason, &self.detail, request_id)
        }
    }
}
