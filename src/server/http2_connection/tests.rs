use super::*;
use crate::server::head_scanner::HeadScanner;

#[test]
fn only_the_preface_and_beginnings_of_it_may_be_http2() {
    for (first, expected) in [
        (&b"PRI * HTTP/2"[..], true),
        (b"PRI * HTTP/2.0\r\n", true),
        (PREFACE, true),
        (
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
            true,
        ),
        (b"PRI * HTTP/", false),
        (b"PRI * HTTP/2.0\r\nHost: localhost\r\n\r\n", false),
        (b"PRI * HTTP/2.1\r\n", false),
        (b"GET / HTTP/2.0\r\n", false),
        (b"", false),
    ] {
        assert_eq!(may_be_preface(first), expected, "{first:?}");
    }
}

/// hyper changes from HTTP/1.1 to HTTP/2 only at the beginning, and the scanner changes no byte of a frame.
#[test]
fn frames_are_not_bytes_however_they_are_split() {
    let mut stream = PREFACE.to_vec();
    stream.extend_from_slice(b"\n\0\n\x04\n\0\0\n\0 a\nb\n");
    for split in 0..=stream.len() {
        let mut bytes = stream.clone();
        let mut scanner = HeadScanner::default();
        let (first, second) = bytes.split_at_mut(split);
        assert!(scanner.scan(first) && scanner.scan(second), "{split}");
        assert!(scanner.may_be_http2() && !scanner.has_left_http() && !scanner.is_in_head());
        assert_eq!(bytes, stream, "{split}");
    }
}

#[test]
fn a_preface_after_a_request_is_none() {
    let mut scanner = HeadScanner::default();
    let mut stream = b"GET / HTTP/1.1\r\n\r\n".to_vec();
    stream.extend_from_slice(PREFACE);
    scanner.scan(&mut stream);
    assert!(!scanner.may_be_http2());
}
