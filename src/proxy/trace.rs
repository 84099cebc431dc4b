//! The trace that a request belongs to according to its caller (W3C Trace Context, section 3.2). It is read for the
//! access log and forwarded unchanged, like any other field. We never create one.

use http::{HeaderMap, HeaderName, HeaderValue};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// `VERSION-TRACE_ID-PARENT_ID-FLAGS` of version 00, in bytes.
const LENGTH: usize = 2 + 1 + 32 + 1 + 16 + 1 + 2;

/// The field, if the request has exactly one line of it. The value is not parsed yet.
pub(super) fn traceparent(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut lines = headers.get_all(TRACEPARENT).iter();
    let only = lines.next()?;
    lines.next().is_none().then(|| only.clone())
}

/// The trace's id, if the whole field is valid. In versions after 00, more may follow the flags.
pub(super) fn trace_id(traceparent: &HeaderValue) -> Option<&str> {
    let text = traceparent.to_str().ok()?;
    let is_version_0 = text.starts_with("00");
    let has_more = text
        .as_bytes()
        .get(LENGTH)
        .is_some_and(|byte| *byte == b'-');
    if text.len() != LENGTH && (is_version_0 || !has_more) {
        return None;
    }
    let mut parts = text[..LENGTH].split('-');
    let mut hexadecimal = |digits: usize| parts.next().filter(|part| is_hexadecimal(part, digits));
    let (version, trace) = (hexadecimal(2)?, hexadecimal(32)?);
    let (parent, _flags) = (hexadecimal(16)?, hexadecimal(2)?);
    let is_zero = |id: &str| id.bytes().all(|byte| byte == b'0');
    (version != "ff" && !is_zero(trace) && !is_zero(parent)).then_some(trace)
}

fn is_hexadecimal(text: &str, digits: usize) -> bool {
    let is_lower = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.len() == digits && text.bytes().all(is_lower)
}

#[cfg(test)]
mod tests;
