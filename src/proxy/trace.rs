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
mod tests {
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

    fn read(text: &str) -> Option<String> {
        let value = HeaderValue::from_bytes(text.as_bytes()).unwrap();
        trace_id(&value).map(str::to_owned)
    }

    #[test]
    fn valid_ones_are_read_also_of_versions_to_come() {
        for end in ["", "-what-comes-later"] {
            let version = if end.is_empty() { "00" } else { "cc" };
            let text = format!("{version}-{TRACE}-b7ad6b7169203331-01{end}");
            assert_eq!(read(&text).as_deref(), Some(TRACE), "{text}");
        }
    }

    #[test]
    fn of_anything_else_nothing_is_said() {
        let zeros = "0".repeat(32);
        for text in [
            "",
            "x",
            "ü",
            &format!("00-{TRACE}-b7ad6b7169203331"),
            &format!("00-{TRACE}-b7ad6b7169203331-1"),
            &format!("00-{TRACE}-b7ad6b7169203331-01-more"),
            &format!("01-{TRACE}-b7ad6b7169203331-01more"),
            &format!("ff-{TRACE}-b7ad6b7169203331-01"),
            &format!("00-{zeros}-b7ad6b7169203331-01"),
            &format!("00-{TRACE}-0000000000000000-01"),
            &format!("00-{}-b7ad6b7169203331-01", TRACE.to_uppercase()),
            &format!("00_{TRACE}_b7ad6b7169203331_01"),
            &format!("00-{}g-b7ad6b7169203331-01", &TRACE[1..]),
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn two_lines_are_no_trace() {
        let mut headers = HeaderMap::new();
        headers.append(TRACEPARENT, HeaderValue::from_static("a"));
        assert_eq!(traceparent(&headers).unwrap(), "a");
        headers.append(TRACEPARENT, HeaderValue::from_static("b"));
        assert_eq!(traceparent(&headers), None);
    }
}
