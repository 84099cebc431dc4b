use http::uri::{Authority, Scheme};

use super::*;
use crate::config;

#[test]
fn a_location_at_the_upstream_leads_to_us_and_every_other_stays() {
    let api = config::Origin {
        scheme: Scheme::HTTPS,
        authority: Authority::from_static("api.example.com"),
    };
    for (location, expected) in [
        (
            "https://api.example.com/a?b=https://api.example.com/",
            Some("http://localhost:6749/a?b=https://api.example.com/"),
        ),
        ("https://API.example.com:443", Some("http://localhost:6749")),
        ("//api.example.com/a", Some("http://localhost:6749/a")),
        ("/a", None),
        ("a?b", None),
        ("?b", None),
        ("", None),
        ("https://elsewhere.example/", None),
        ("http://api.example.com/", None),
        ("mailto:a@api.example.com", None),
    ] {
        let value = HeaderValue::from_static(location);
        let new = with_origin(&value, Place::of_upstream(&api), b"http://localhost:6749");
        assert_eq!(
            new.as_ref().map(|new| new.to_str().unwrap()),
            expected,
            "{location}"
        );
    }
}

#[test]
fn a_cookie_loses_what_would_keep_it_from_the_client_and_nothing_else() {
    for (cookie_line, expected) in [
        (
            "a=1; Domain=api.example.com; Path=/; HttpOnly",
            Some("a=1; Path=/; HttpOnly"),
        ),
        ("a=1;domain = .example.com;Max-Age=3", Some("a=1;Max-Age=3")),
        ("a=1; Secure; SameSite=None", Some("a=1; SameSite=Lax")),
        ("a=1; SAMESITE= none ;secure", Some("a=1; SAMESITE= Lax ")),
        ("a=1; SameSite=Strict; Secure", Some("a=1; SameSite=Strict")),
        (
            "a=\"x;y\"; Secure=1; Partitioned",
            Some("a=\"x;y\"; Partitioned"),
        ),
        ("__Host-a=1; Path=/; Secure; SameSite=None", None),
        (
            "__secure-a=1; Domain=x; Secure; SameSite=None",
            Some("__secure-a=1; Secure; SameSite=None"),
        ),
        ("a=1; SameSite=None", None),
        ("a=Domain; Path=/secure; Insecure", None),
        ("Secure", None),
        ("Domain=x", None),
        ("", None),
    ] {
        let new = cookie(&HeaderValue::from_static(cookie_line));
        assert_eq!(
            new.as_ref().map(|new| new.to_str().unwrap()),
            expected,
            "{cookie_line}"
        );
    }
}

#[test]
fn bytes_beyond_ascii_stay() {
    let value = HeaderValue::from_bytes(b"a=\xe4\xff; Secure").unwrap();
    assert_eq!(cookie(&value).unwrap().as_bytes(), b"a=\xe4\xff");
}
