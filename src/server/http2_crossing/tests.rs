use http::Request;

use super::*;

/// The head of a request that `h2` has accepted, in the form of HTTP/1.1.
fn crossed(uri: &str, fields: &[(&'static str, &str)]) -> Result<request::Parts, HeadFault> {
    let mut request = Request::builder().uri(uri).body(()).unwrap();
    for (name, value) in fields {
        let value = HeaderValue::try_from(*value).unwrap();
        request.headers_mut().append(*name, value);
    }
    let (mut head, ()) = request.into_parts();
    to_http1(&mut head, 8192).map(|()| head)
}

fn values(head: &request::Parts, name: HeaderName) -> Vec<&str> {
    let values = head.headers.get_all(name).iter();
    values.map(|value| value.to_str().unwrap()).collect()
}

#[test]
fn host_takes_the_place_of_authority_and_a_different_host_stays_beside_it() {
    for (host, expected) in [
        (None, vec!["localhost:6749"]),
        (Some("localhost:6749"), vec!["localhost:6749"]),
        (Some("LOCALHOST:6749"), vec!["LOCALHOST:6749"]),
        (Some("localhost"), vec!["localhost", "localhost:6749"]),
        (Some("evil.example"), vec!["evil.example", "localhost:6749"]),
    ] {
        let fields: Vec<_> = host.iter().map(|host| ("host", *host)).collect();
        let head = crossed("http://localhost:6749/a?b", &fields).unwrap();
        assert_eq!(values(&head, header::HOST), expected, "{host:?}");
        assert_eq!(head.uri, "/a?b");
    }
}

#[test]
fn several_hosts_stay_several() {
    let fields = [("host", "localhost"), ("host", "localhost")];
    let head = crossed("https://localhost/", &fields).unwrap();
    assert_eq!(values(&head, header::HOST).len(), 3);
}

#[test]
fn a_scheme_that_is_not_of_http_is_rejected() {
    let fault = crossed("ftp://localhost/", &[]).unwrap_err();
    assert!(fault.to_string().contains(":scheme"), "{fault}");
}

#[test]
fn a_request_without_authority_keeps_its_host() {
    let head = crossed("/a", &[("host", "localhost")]).unwrap();
    assert_eq!(values(&head, header::HOST), ["localhost"]);
}

#[test]
fn a_value_that_begins_or_ends_with_a_space_is_rejected() {
    for value in [" 1", "1 ", "\t1", "1\t", " "] {
        let fault = crossed("http://localhost/", &[("x", value)]).unwrap_err();
        assert!(fault.to_string().contains("a space or a tab"), "{fault}");
    }
    assert!(crossed("http://localhost/", &[("x", "1 \t1"), ("y", "")]).is_ok());
}

#[test]
fn a_head_is_as_long_as_it_would_be_in_http1() {
    let written = "GET /a?b HTTP/1.1\r\nhost: localhost\r\nx: \r\n";
    let longest = "y".repeat(8192 - written.len());
    let sent = |value: &str| crossed("http://localhost/a?b", &[("x", value)]);
    assert!(sent(&longest).is_ok());
    let fault = sent(&(longest + "y")).unwrap_err();
    assert_eq!(fault, HeadFault::TooLong { limit: 8192 });
}

#[test]
fn cookies_are_joined_in_their_order() {
    let fields = [
        ("cookie", "a=1"),
        ("x", "y"),
        ("cookie", "b=2; c=3"),
        ("cookie", "d=4"),
    ];
    let head = crossed("http://localhost/", &fields).unwrap();
    assert_eq!(values(&head, header::COOKIE), ["a=1; b=2; c=3; d=4"]);
}

#[test]
fn more_than_a_hundred_fields_are_rejected_but_cookies_count_as_one() {
    let cookies = [("cookie", "a=1"); 200];
    assert!(crossed("http://localhost/", &cookies).is_ok());
    let fields = [("x", "y"); 100];
    let fault = crossed("http://localhost/", &fields).unwrap_err();
    assert_eq!(fault, HeadFault::TooManyFields { count: 101 });
}

/// The head of a response, and what follows it.
fn formed(
    method: Method,
    te: bool,
    (status, fields): (u16, &[(&'static str, &str)]),
    length: Option<u64>,
) -> (response::Parts, Following) {
    let mut request = Request::builder().method(method).body(()).unwrap();
    if te {
        let trailers = HeaderValue::from_static("trailers");
        request.headers_mut().insert(header::TE, trailers);
    }
    let mut response = http::Response::builder().status(status).body(()).unwrap();
    for (name, value) in fields {
        let value = HeaderValue::try_from(*value).unwrap();
        response.headers_mut().append(*name, value);
    }
    let (mut head, ()) = response.into_parts();
    let content = ResponseForm::of(&request.into_parts().0).apply(&mut head, length);
    (head, content)
}

#[test]
fn fields_of_a_connection_are_removed_from_responses() {
    let fields: Vec<_> = OF_CONNECTION.map(|name| (name, "close")).to_vec();
    let (head, _) = formed(Method::GET, false, (200, &fields), None);
    assert!(head.headers.is_empty(), "{:?}", head.headers);
}

#[test]
fn some_responses_have_no_content() {
    let length: &[(&str, &str)] = &[("content-length", "5")];
    for (method, status, kept) in [
        (Method::HEAD, 200, Some("5")),
        (Method::GET, 204, None),
        (Method::GET, 304, Some("5")),
    ] {
        let (head, content) = formed(method, true, (status, length), Some(0));
        assert!(matches!(content, Following::Nothing), "{status}");
        let left = head.headers.get(header::CONTENT_LENGTH);
        assert_eq!(left.map(|value| value.to_str().unwrap()), kept, "{status}");
    }
    let (head, _) = formed(Method::HEAD, false, (400, &[]), Some(7));
    assert_eq!(head.headers[header::CONTENT_LENGTH], "7");
}

#[test]
fn only_announced_trailers_follow_and_only_if_the_client_accepts_them() {
    let announced: &[(&str, &str)] = &[("trailer", "A, b"), ("trailer", "c")];
    let mut trailers = HeaderMap::new();
    for name in ["a", "c", "d"] {
        trailers.insert(name, HeaderValue::from_static("1"));
    }
    let (_, content) = formed(Method::GET, true, (200, announced), None);
    let allowed = content.allowed(&trailers).unwrap();
    let mut names: Vec<_> = allowed.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["a", "c"]);
    for (te, fields) in [(false, announced), (true, &[][..])] {
        let (_, content) = formed(Method::GET, te, (200, fields), None);
        assert!(content.allowed(&trailers).is_none());
    }
}
