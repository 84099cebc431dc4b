use http::{HeaderMap, HeaderValue};

use super::*;

#[test]
fn fields_that_must_not_be_trailers_are_removed_and_the_others_are_kept() {
    let mut fields = HeaderMap::new();
    for name in [
        "x-checksum",
        "content-digest",
        "authorization",
        "content-length",
        "if-match",
        "x-http-method-override",
        "x_original-url",
        "x-removed",
    ] {
        fields.append(HeaderName::from_static(name), HeaderValue::from_static("a"));
        fields.append(HeaderName::from_static(name), HeaderValue::from_static("b"));
    }
    let frame = filtered(Frame::trailers(fields), |name| name == "x-removed");
    let left = frame.into_trailers().unwrap();
    assert_eq!(
        left.keys().map(HeaderName::as_str).collect::<Vec<_>>(),
        ["x-checksum", "content-digest"]
    );
    assert_eq!(left.len(), 4);
}
