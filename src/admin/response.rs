//! The responses of the admin listener.

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};

use super::body::AdminBody;
use crate::guard::Rejection;
use crate::problem::{ProblemFormat, ProblemResponse, Reason, RequestId};

/// A response of the admin listener.
pub(super) type AdminResponse = Response<AdminBody>;

/// One line of plain text.
pub(super) fn line(status: StatusCode, text: String) -> AdminResponse {
    with_type(status, "text/plain; charset=utf-8", text + "\n")
}

/// 404, with a line that says why.
pub(super) fn not_found(line_of_text: &str) -> AdminResponse {
    line(StatusCode::NOT_FOUND, line_of_text.to_owned())
}

pub(super) fn with_type(
    status: StatusCode,
    content_type: &'static str,
    text: impl Into<Bytes>,
) -> AdminResponse {
    let mut response = Response::new(AdminBody::from(text.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

/// The problem for a request that the guard refuses.
pub(super) fn refused_by_guard<B>(request: &Request<B>, rejection: &Rejection) -> AdminResponse {
    let id = RequestId::of(request.headers());
    rejection.problem(&id).response().map(AdminBody::from)
}

/// 405: the path exists, but not with this method.
pub(super) fn method_not_allowed<B>(
    request: &Request<B>,
    allowed: &'static str,
    detail: &str,
) -> AdminResponse {
    problem(request, Reason::MethodRefused, Some(allowed), detail)
}

/// The problem for a POST that a web page could have sent.
pub(super) fn not_an_order<B>(request: &Request<B>) -> AdminResponse {
    problem(
        request,
        Reason::OriginRefused,
        None,
        "This request needs the header field \"X-Cupbearer: 1\", which a web page cannot send without permission.",
    )
}

fn problem<B>(
    request: &Request<B>,
    reason: Reason,
    allow: Option<&'static str>,
    detail: &str,
) -> AdminResponse {
    let id = RequestId::of(request.headers());
    let answer = ProblemResponse {
        format: &ProblemFormat::preferred_by(request.method(), request.headers()),
        allow,
        ..ProblemResponse::new(reason, detail, &id)
    };
    answer.response().map(AdminBody::from)
}
