use http::uri::{Authority, Scheme};

use super::*;

fn upstream(scheme: Scheme, authority: &str) -> config::Origin {
    config::Origin {
        scheme,
        authority: Authority::try_from(authority).unwrap(),
    }
}

#[test]
fn a_url_starts_with_an_origin_if_scheme_host_and_port_match() {
    let api = upstream(Scheme::HTTPS, "api.example.com");
    for (url, rest) in [
        ("https://api.example.com/a?b#c", Some("/a?b#c")),
        ("https://api.example.com", Some("")),
        ("https://api.example.com?b", Some("?b")),
        ("HTTPS://API.Example.COM:443/a", Some("/a")),
        ("https://api.example.com:/a", Some("/a")),
        ("//api.example.com/a", Some("/a")),
        ("https://api.example.com/{base}/a", Some("/{base}/a")),
        ("http://api.example.com/a", None),
        ("//api.example.com:80/a", None),
        ("https://api.example.com:8443/a", None),
        ("https://api.example.com.evil.example/a", None),
        ("https://api.example.com@evil.example/a", None),
        ("https://api.example.com:443@evil.example/a", None),
        ("https://user@api.example.com/a", None),
        ("https://api.example.com\\@evil.example/a", None),
        ("https://api.example.com:+443/a", None),
        ("https://api.example.com:66003443/a", None),
        ("https:/api.example.com/a", None),
        ("https:a", None),
        ("https://{region}.example.com/a", None),
        ("/https://api.example.com/a", None),
        ("a//api.example.com/a", None),
        ("", None),
        ("//", None),
        ("https://", None),
    ] {
        let prefix = OriginRef::of_upstream(&api).prefix_of(url.as_bytes());
        assert_eq!(prefix.map(|length| &url[length..]), rest, "{url}");
    }
}

#[test]
fn explicit_ports_and_ipv6_addresses_are_compared() {
    let api = upstream(Scheme::HTTP, "[::1]:8080");
    let origin = OriginRef::of_upstream(&api);
    assert_eq!(origin.prefix_of(b"http://[::1]:8080/a"), Some(17));
    assert_eq!(origin.prefix_of(b"http://[::1]/a"), None);
    assert_eq!(origin.prefix_of(b"http://[::1]8080/a"), None);
    assert_eq!(origin.prefix_of(b"http://[::1/a"), None);
}

#[test]
fn the_origin_that_the_client_used_is_its_host_and_the_scheme_of_its_connection() {
    let host = HeaderValue::from_static("LocalHost:6749");
    let client = OriginRef::of_client(OwnScheme::Http, &host).unwrap();
    assert!(client.prefix_of(b"http://localhost:6749/docs").is_some());
    assert!(client.prefix_of(b"http://localhost:6750/docs").is_none());
    assert!(client.prefix_of(b"https://localhost:6749/docs").is_none());
    let without_port = HeaderValue::from_static("localhost");
    let client = OriginRef::of_client(OwnScheme::Http, &without_port).unwrap();
    assert!(client.prefix_of(b"http://localhost:80/docs").is_some());
    let client = OriginRef::of_client(OwnScheme::Https, &without_port).unwrap();
    assert!(client.prefix_of(b"https://localhost:443/docs").is_some());
    assert!(client.prefix_of(b"http://localhost/docs").is_none());
}

#[test]
fn a_url_of_this_origin_gets_the_new_one_and_any_other_is_kept() {
    let api = upstream(Scheme::HTTPS, "api.example.com");
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
        let new = OriginRef::of_upstream(&api).replaced_in(&value, b"http://localhost:6749");
        assert_eq!(
            new.as_ref().map(|new| new.to_str().unwrap()),
            expected,
            "{location}"
        );
    }
}
