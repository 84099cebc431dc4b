//! The end of a message must be unambiguous, in both directions (RFC 9112 section 6.3).
//!
//! hyper's client accepts a response that has both a length and a transfer coding, or a coding that it does not
//! decode, and leaves the fields in place. Forwarded, they would not describe the body that follows.

use http::{HeaderValue, Request, Response, StatusCode, Version, header};
use http_body::Body;

use super::errors::SendError;

/// Adds `Transfer-Encoding: chunked` to a request whose body has no known length. Without that field, hyper silently
/// omits the body of a GET or HEAD.
pub(super) fn announce_chunked<B: Body>(request: &mut Request<B>) {
    let body = request.body();
    if !body.is_end_stream() && body.size_hint().exact().is_none() {
        request.headers_mut().insert(
            header::TRANSFER_ENCODING,
            HeaderValue::from_static("chunked"),
        );
    }
}

/// Rejects a response whose end is ambiguous, and a 101 to a request that did not ask for an upgrade.
pub(super) fn check<B>(response: &Response<B>, upgrade_requested: bool) -> Result<(), SendError> {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS && !upgrade_requested {
        return Err(SendError::Framing("101 although no upgrade was requested"));
    }
    let (mut length, mut coding) = (None, None);
    for (name, value) in response.headers() {
        if *name == header::CONTENT_LENGTH && length.replace(value).is_some() {
            return Err(SendError::Framing("more than one Content-Length"));
        }
        if *name == header::TRANSFER_ENCODING && coding.replace(value).is_some() {
            return Err(SendError::Framing("more than one Transfer-Encoding"));
        }
    }
    match (length, coding) {
        (None, None) => Ok(()),
        (Some(length), None) if length.as_bytes().iter().all(u8::is_ascii_digit) => Ok(()),
        (Some(_), None) => Err(SendError::Framing(
            "a Content-Length that is not a decimal number",
        )),
        (None, Some(coding)) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        (None, Some(_)) => Err(SendError::Framing("a Transfer-Encoding other than chunked")),
        (Some(_), Some(_)) => Err(SendError::Framing(
            "both Content-Length and Transfer-Encoding",
        )),
    }
}

/// Replaces the upstream's HTTP version by our own (RFC 9110 section 2.5). As a result, a response without a length
/// is sent to an HTTP/1.1 client in chunks, and the client can tell its end from a broken connection.
pub(super) fn set_version<B>(response: &mut Response<B>) {
    *response.version_mut() = Version::HTTP_11;
}

#[cfg(test)]
mod tests;
