//! Where a message ends must have one reading, in both directions (RFC 9112 section 6.3).
//!
//! hyper's client takes an answer with a length beside a coding, or with a coding that it does not
//! undo, and leaves the fields in place: passed on, they would say something else than what follows.

use http::{HeaderValue, Request, Response, StatusCode, Version, header};
use http_body::Body;

use super::errors::SendError;

/// Says that the body is chunked where its length is not known. hyper leaves the body of a GET or HEAD
/// out without a word unless the field is there.
pub(super) fn announce<B: Body>(request: &mut Request<B>) {
    let body = request.body();
    if !body.is_end_stream() && body.size_hint().exact().is_none() {
        request.headers_mut().insert(
            header::TRANSFER_ENCODING,
            HeaderValue::from_static("chunked"),
        );
    }
}

/// Refuses an answer whose end has two readings, and a 101 unless an upgrade was `asked` for.
pub(super) fn check<B>(response: &Response<B>, asked: bool) -> Result<(), SendError> {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS && !asked {
        return Err(SendError::Framing(
            "101 without having been asked to upgrade",
        ));
    }
    let (mut length, mut coding) = (None, None);
    for (name, value) in response.headers() {
        if *name == header::CONTENT_LENGTH && length.replace(value).is_some() {
            return Err(SendError::Framing("several Content-Length"));
        }
        if *name == header::TRANSFER_ENCODING && coding.replace(value).is_some() {
            return Err(SendError::Framing("several Transfer-Encoding"));
        }
    }
    match (length, coding) {
        (None, None) => Ok(()),
        (Some(length), None) if length.as_bytes().iter().all(u8::is_ascii_digit) => Ok(()),
        (Some(_), None) => Err(SendError::Framing("Content-Length is no decimal number")),
        (None, Some(coding)) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        (None, Some(_)) => Err(SendError::Framing("a Transfer-Encoding other than chunked")),
        (Some(_), Some(_)) => Err(SendError::Framing(
            "Content-Length beside Transfer-Encoding",
        )),
    }
}

/// The answer speaks for us from here on, whatever the upstream's version (RFC 9110 section 2.5): to an
/// HTTP/1.1 client an answer without a length is chunked, so that its end can be told from a cut.
pub(super) fn speak_for_us<B>(response: &mut Response<B>) {
    *response.version_mut() = Version::HTTP_11;
}

#[cfg(test)]
mod tests;
