use super::*;

fn nominated(lines: &[&str]) -> NominatedFields {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(header::CONNECTION, line.parse().unwrap());
    }
    NominatedFields::of(&headers)
}

#[test]
fn every_nominated_field_is_found_in_whatever_order_they_stand() {
    let fields = nominated(&["x-z, close,X-A ,,keep-alive", "te, x-m"]);
    for name in ["x-z", "x-a", "te", "x-m"] {
        let name = HeaderName::from_static(name);
        assert!(fields.contains(&name), "{name}");
    }
    for name in ["x-b", "close", "keep-alive"] {
        let name = HeaderName::from_static(name);
        assert!(!fields.contains(&name), "{name}");
    }
    assert!(!nominated(&[]).contains(&header::TE));
}

#[test]
fn a_nominated_field_is_found_with_underscores_too() {
    for (line, name) in [
        ("x-se-cret", "x_se_cret"),
        ("X_Se-Cret", "x-se-cret"),
        ("x_se-cret", "x-se_cret"),
        ("x_se_cret", "x_se_cret"),
    ] {
        let fields = nominated(&["x-z, a_b", line]);
        assert!(
            fields.contains(&HeaderName::from_static(name)),
            "{line}: {name}"
        );
        assert!(!fields.contains(&HeaderName::from_static("x-se-cre_")));
    }
}

#[test]
fn the_fields_that_no_request_takes_to_the_upstream() {
    for name in [
        "host",
        "authorization",
        "content-length",
        "connection",
        "keep-alive",
        "proxy-connection",
        "te",
        "transfer-encoding",
        "upgrade",
        "dpop",
        "forwarded",
        "x-real-ip",
        "x-cupbearer-key",
        "proxy-authorization",
        "x-forwarded-for",
        "x_forwarded_host",
        "x_cupbearer_key",
        "x-request-id",
    ] {
        let is_removed = is_removed_from_request(&HeaderName::from_static(name));
        assert!(is_removed, "{name}");
    }
    for name in [
        "accept",
        "cookie",
        "user-agent",
        "trailer",
        "x-forwarded",
        "x_other_field",
        "proxy",
    ] {
        let is_removed = is_removed_from_request(&HeaderName::from_static(name));
        assert!(!is_removed, "{name}");
    }
}

#[test]
fn a_response_loses_what_belongs_to_the_connection_or_would_bind_the_browser() {
    for (fields, expected) in [
        (
            &[("content-type", "a/b"), ("date", "x")][..],
            &["content-type", "date"][..],
        ),
        (&[("connection", "close"), ("etag", "x")], &["etag"]),
        (
            &[("connection", "x-mine"), ("x-mine", "x"), ("etag", "x")],
            &["etag"],
        ),
        (&[("keep-alive", "timeout=5"), ("etag", "x")], &["etag"]),
        (
            &[("alt-svc", "clear"), ("strict-transport-security", "x")],
            &[],
        ),
        (
            &[
                ("clear-site-data", "x"),
                ("proxy-status", "x"),
                ("x-a", "x"),
            ],
            &["x-a"],
        ),
        (
            &[("access-control-allow-origin", "*"), ("vary", "x")],
            &["vary"],
        ),
        (
            &[("connection", "close"), ("upgrade", "h2c"), ("x-a", "x")],
            &["x-a"],
        ),
    ] {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        strip_response(&mut headers);
        assert!(headers.keys().eq(expected), "{fields:?}: {headers:?}");
    }
}

#[test]
fn trailers_that_a_response_may_not_have_are_not_announced() {
    for (fields, expected) in [
        (&[("trailer", "x-sum")][..], Some("x-sum")),
        (&[("trailer", "x-sum, alt-svc")], Some("x-sum")),
        (&[("trailer", "alt-svc")], None),
        (
            &[("connection", "x-mine"), ("trailer", "x-mine, x-sum")],
            Some("x-sum"),
        ),
    ] {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        strip_response(&mut headers);
        let announced = headers.get("trailer").map(|line| line.to_str().unwrap());
        assert_eq!(announced, expected, "{fields:?}");
    }
}
