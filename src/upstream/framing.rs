//! The end of a message must be unambiguous, in both directions (RFC 9112 section 6.3).
//!
//! hyper's client accepts a response that has both a length and a transfer coding, or a coding that it does not
//! decode, and leaves the fields in place. Forwarded, they would not describe the body that follows.

use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version, header};
use http_body::Body;

use super::errors::SendError;
use super::known_words::known_codings;

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

/// What the framing of an accepted response means for its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResponseFraming {
    /// The connection can be used again.
    Unambiguous,
    /// A length beside `chunked` was removed. The connection must be closed after the response: whoever sends such a
    /// response may have meant the length (RFC 9112 section 6.3).
    LengthRemoved,
}

/// Rejects a response whose end is ambiguous, and a 101 to a request that did not ask for an upgrade. What many servers
/// send by mistake and can be read in one way only is corrected: equal lengths become one (RFC 9110 section 8.6), and
/// a length beside `chunked` is removed.
pub(super) fn check<B>(
    response: &mut Response<B>,
    upgrade_requested: bool,
) -> Result<ResponseFraming, SendError> {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS && !upgrade_requested {
        return Err(framing("101 although no upgrade was requested"));
    }
    let (mut length, mut coding, mut is_repeated) = (None, None, false);
    for (name, value) in response.headers() {
        if *name == header::CONTENT_LENGTH {
            is_repeated |= length.replace(value).is_some();
        }
        if *name == header::TRANSFER_ENCODING {
            is_repeated |= coding.replace(value).is_some();
        }
    }
    match (length, coding) {
        (None, None) => Ok(ResponseFraming::Unambiguous),
        (Some(length), None) if !is_repeated && is_digits(length.as_bytes()) => {
            Ok(ResponseFraming::Unambiguous)
        }
        (None, Some(coding)) if !is_repeated && is_chunked(coding) => {
            Ok(ResponseFraming::Unambiguous)
        }
        (_, None) => join_lengths(response.headers_mut()),
        (length, Some(_)) => {
            let has_length = length.is_some();
            check_codings(response.headers())?;
            if !has_length {
                return Ok(ResponseFraming::Unambiguous);
            }
            response.headers_mut().remove(header::CONTENT_LENGTH);
            Ok(ResponseFraming::LengthRemoved)
        }
    }
}

fn framing(what: impl Into<std::borrow::Cow<'static, str>>) -> SendError {
    SendError::Framing(what.into())
}

/// Replaces equal lengths by one.
#[cold]
fn join_lengths(headers: &mut HeaderMap) -> Result<ResponseFraming, SendError> {
    let mut joined = None;
    for value in headers.get_all(header::CONTENT_LENGTH) {
        for part in value.as_bytes().split(|byte| *byte == b',') {
            let part = part.trim_ascii();
            let number: Option<u64> = std::str::from_utf8(part)
                .ok()
                .filter(|_| is_digits(part))
                .and_then(|digits| digits.parse().ok());
            let Some(number) = number else {
                return Err(framing("its Content-Length is not a decimal number"));
            };
            if let Some(other) = joined.replace(number)
                && other != number
            {
                return Err(framing("its Content-Length values differ"));
            }
        }
    }
    if let Some(length) = joined {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    Ok(ResponseFraming::Unambiguous)
}

#[cold]
fn check_codings(headers: &HeaderMap) -> Result<(), SendError> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (Some(only), None) if is_chunked(only) => Ok(()),
        (Some(only), None) => Err(match known_codings(only.as_bytes()) {
            Some(codings) => framing(format!(
                "its Transfer-Encoding is \"{codings}\", and only \"chunked\" is supported"
            )),
            None => framing("its Transfer-Encoding is unknown, and only \"chunked\" is supported"),
        }),
        _ => Err(framing("it has more than one Transfer-Encoding")),
    }
}

fn is_digits(value: &[u8]) -> bool {
    !value.is_empty() && value.iter().all(u8::is_ascii_digit)
}

fn is_chunked(coding: &HeaderValue) -> bool {
    coding.as_bytes().eq_ignore_ascii_case(b"chunked")
}

/// Replaces the upstream's HTTP version by our own (RFC 9110 section 2.5). As a result, a response without a length
/// is sent to an HTTP/1.1 client in chunks, and the client can tell its end from a broken connection.
pub(super) fn set_version<B>(response: &mut Response<B>) {
    *response.version_mut() = Version::HTTP_11;
}

#[cfg(test)]
mod tests;
