use super::*;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

fn read(text: &str) -> Option<String> {
    let value = HeaderValue::from_bytes(text.as_bytes()).unwrap();
    trace_id(&value).map(str::to_owned)
}

#[test]
fn a_valid_traceparent_of_this_or_a_later_version_is_read() {
    for end in ["", "-added-later"] {
        let version = if end.is_empty() { "00" } else { "cc" };
        let text = format!("{version}-{TRACE}-b7ad6b7169203331-01{end}");
        assert_eq!(read(&text).as_deref(), Some(TRACE), "{text}");
    }
}

#[test]
fn anything_else_has_no_trace_id() {
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
fn two_lines_are_ignored() {
    let mut headers = HeaderMap::new();
    headers.append(TRACEPARENT, HeaderValue::from_static("a"));
    assert_eq!(traceparent(&headers).unwrap(), "a");
    headers.append(TRACEPARENT, HeaderValue::from_static("b"));
    assert_eq!(traceparent(&headers), None);
}
