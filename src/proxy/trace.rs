//! The trace that a caller says its request belongs to (W3C Trace Context, 3.2): read for the access line, never
//! made up, and passed on as it came like any other field.

use http::{HeaderMap, HeaderName, HeaderValue};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// `VERSION-TRACE_ID-PARENT_ID-FLAGS` of version 00, in bytes.
const LENGTH: usize = 2 + 1 + 32 + 1 + 16 + 1 + 2;

/// The only line of that name, unread.
pub(super) fn traceparent(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut lines = headers.get_all(TRACEPARENT).iter();
    let only = lines.next()?;
    lines.next().is_none().then(|| only.clone())
}

/// The trace's id, if the whole of it is valid. A version that is not known yet may go on after its flags.
pub(super) fn trace_id(traceparent: &HeaderValue) -> Option<&str> {
    let text = traceparent.to_str().ok()?;
    let is_version_0 = text.starts_with("00");
    let goes_on = text
        .as_bytes()
        .get(LENGTH)
        .is_some_and(|byte| *byte == b'-');
    if text.len() != LENGTH && (is_version_0 || !goes_on) {
        return None;
    }
    let mut parts = text[..LENGTH].split('-');
    let mut hexadecimal = |digits: usize| parts.next().filter(|part| is_hexadecimal(part, digits));
    let (version, trace) = (hexadecimal(2)?, hexadecimal(32)?);
    let (parent, _flags) = (hexadecimal(16)?, hexadecimal(2)?);
    let is_nothing = |id: &str| id.bytes().all(|byte| byte == b'0');
    (version != "ff" && !is_nothing(trace) && !is_nothing(parent)).then_some(trace)
}

fn is_hexadecimal(text: &str, digits: usize) -> bool {
    let is_lower = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.len() == digits && text.bytes().all(is_lower)
}

#[cfg(test)]
mod tests;
