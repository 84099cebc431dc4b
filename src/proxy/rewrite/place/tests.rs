use http::uri::{Authority, Scheme};

use super::*;

fn upstream(scheme: Scheme, authority: &str) -> config::Origin {
    config::Origin {
        scheme,
        authority: Authority::try_from(authority).unwrap(),
    }
}

#[test]
fn an_address_names_the_upstream_by_scheme_host_and_port() {
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
        let named = Place::of_upstream(&api).named_by(url.as_bytes());
        assert_eq!(named.map(|length| &url[length..]), rest, "{url}");
    }
}

#[test]
fn a_written_port_and_an_ipv6_address_are_compared_too() {
    let api = upstream(Scheme::HTTP, "[::1]:8080");
    let place = Place::of_upstream(&api);
    assert_eq!(place.named_by(b"http://[::1]:8080/a"), Some(17));
    assert_eq!(place.named_by(b"http://[::1]/a"), None);
    assert_eq!(place.named_by(b"http://[::1]8080/a"), None);
    assert_eq!(place.named_by(b"http://[::1/a"), None);
}

#[test]
fn the_clients_address_is_its_host_over_plain_http() {
    let host = HeaderValue::from_static("LocalHost:6749");
    let client = Place::of_client(&host).unwrap();
    assert!(client.named_by(b"http://localhost:6749/docs").is_some());
    assert!(client.named_by(b"http://localhost:6750/docs").is_none());
    assert!(client.named_by(b"https://localhost:6749/docs").is_none());
    let without_port = HeaderValue::from_static("localhost");
    let client = Place::of_client(&without_port).unwrap();
    assert!(client.named_by(b"http://localhost:80/docs").is_some());
}
