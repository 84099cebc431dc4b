use super::*;

fn unserved(head: &[u8]) -> UnservedRequest {
    UnservedRequest::new(UnservedCause::Full, Peer::unix(None), head)
}

#[test]
fn as_much_is_read_as_there_is() {
    for (head, method, path) in [
        (
            "GET /a/b?secret HTTP/1.1\r\nHost: a\r\n\r\n",
            Some("GET"),
            "/a/b",
        ),
        ("\r\nGET /a HTTP/1.1\r\n", Some("GET"), "/a"),
        ("GET /a b?x HTTP/1.1\r\n", Some("GET"), "/a%20b"),
        ("GET /\"<\u{e9} HTTP/2.0\r\n", Some("GET"), "/%22%3C%C3%A9"),
        (
            "POST http://user:key@localhost/p HTTP/1.1\r\n",
            Some("POST"),
            "/p",
        ),
        ("GET http://localhost?x HTTP/1.1\r\n", Some("GET"), "/"),
        ("GET /unfinish", Some("GET"), "/unfinish"),
        ("GET /unfinished?secret HT", Some("GET"), "/unfinished"),
        ("GET /unfinished HT", Some("GET"), "/unfinished"),
        ("GET /unfinished ", Some("GET"), "/unfinished"),
        ("GET /unfinished HTTP/1", Some("GET"), "/unfinished"),
        ("GET ", Some("GET"), "/"),
        ("GET", None, "/"),
        ("G@T / HTTP/1.1\r\n", None, "/"),
        ("\x16\x03\x01", None, "/"),
        ("", None, "/"),
    ] {
        let unserved = unserved(head.as_bytes());
        assert_eq!(unserved.has_method, method.is_some(), "{head:?}");
        assert_eq!(
            unserved.head.method().as_str(),
            method.unwrap_or("GET"),
            "{head:?}"
        );
        assert_eq!(unserved.head.uri().to_string(), path, "{head:?}");
    }
}

#[test]
fn fields_that_can_be_read_are_kept_and_the_others_are_not() {
    let head = b"GET / HTTP/1.1\r\nOrigin: http://a\r\nno colon\r\nA B: c\r\n folded\r\nX: a\0b\r\nAccept: */*\r\nUnfinished: a";
    let unserved = unserved(head);
    let names: Vec<_> = unserved
        .head
        .headers()
        .keys()
        .map(HeaderName::as_str)
        .collect();
    assert_eq!(names, ["origin", "accept"]);
}

#[test]
fn a_response_has_exactly_one_content_length_and_it_is_its_own() {
    let mut response = Response::new(Bytes::from_static(b"no"));
    *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    headers.insert("content-length", HeaderValue::from_static("99"));
    headers.insert("retry-after", HeaderValue::from_static("1"));
    let head = "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 2\r\nconnection: close\r\n\r\n";
    let text = |request: &[u8]| String::from_utf8(unserved(request).encode(&response)).unwrap();
    assert_eq!(text(b"GET / HTTP/1.1\r\n\r\n"), format!("{head}no"));
    assert_eq!(
        text(b"HEAD / HTTP/1.1\r\n\r\n"),
        head,
        "a response to HEAD has no body"
    );
}

/// More than a `HeaderMap` can hold, which is possible if `limits.header_bytes` is large.
#[test]
fn a_head_with_any_number_of_fields_is_read() {
    let fields = (0..40_000).fold(String::new(), |all, number| {
        all + &format!("a{number}:\r\n")
    });
    let read = unserved(format!("GET /p HTTP/1.1\r\n{fields}").as_bytes());
    assert_eq!(read.head.uri().path(), "/p");
    assert!(read.head.headers().len() > 20_000);
}
