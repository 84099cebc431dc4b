use http::{HeaderMap, HeaderValue};

use super::*;

#[test]
fn fields_that_belong_in_the_head_are_left_out_and_the_others_stay() {
    let mut fields = HeaderMap::new();
    for name in [
        "x-checksum",
        "content-digest",
        "authorization",
        "content-length",
        "if-match",
        "x-refused",
    ] {
        fields.append(HeaderName::from_static(name), HeaderValue::from_static("a"));
        fields.append(HeaderName::from_static(name), HeaderValue::from_static("b"));
    }
    let frame = checked(Frame::trailers(fields), |name| name == "x-refused");
    let left = frame.into_trailers().unwrap();
    assert_eq!(
        left.keys().map(HeaderName::as_str).collect::<Vec<_>>(),
        ["x-checksum", "content-digest"]
    );
    assert_eq!(left.len(), 4);
}
