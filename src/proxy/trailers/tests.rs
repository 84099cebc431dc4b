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
        "if_none_match",
        "content_type",
        "set_cookie",
        "cookie2",
        "cdn_cache_control",
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

#[test]
fn an_announcement_loses_only_the_names_that_may_not_pass() {
    for (line, expected) in [
        ("X-Sum", Some("X-Sum")),
        ("X-Sum ,x-other", Some("X-Sum ,x-other")),
        (
            "X-Sum, Host,x-other , Cache-Control",
            Some("X-Sum, x-other"),
        ),
        ("x-mine, , X-Sum", Some("X-Sum")),
        ("Host, x-mine", None),
        ("", None),
    ] {
        let line = HeaderValue::from_static(line);
        let kept = announced(&line, |name| name != "x-mine");
        assert_eq!(kept, expected.map(HeaderValue::from_static), "{line:?}");
    }
}

#[test]
fn the_caching_fields_of_every_kind_of_cache_are_no_trailers() {
    for name in [
        "cache-control",
        "surrogate-control",
        "cdn-cache-control",
        "x-cdn-cache-control",
    ] {
        assert!(is_forbidden(&HeaderName::from_static(name)), "{name}");
    }
}
