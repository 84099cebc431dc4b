use super::*;

/// Whether the whole stream passes. Feeds it in one piece, in two with every split, and byte by byte.
fn passes(stream: &str) -> bool {
    let whole = HeadScanner::default().scan(&mut stream.as_bytes().to_vec());
    for split in 0..=stream.len() {
        let mut scanner = HeadScanner::default();
        let (first, second) = stream.as_bytes().split_at(split);
        let both = scanner.scan(&mut first.to_vec()) && scanner.scan(&mut second.to_vec());
        assert_eq!(both, whole, "{stream:?} split at {split}");
    }
    let mut scanner = HeadScanner::default();
    let single = stream.bytes().all(|byte| scanner.scan(&mut [byte]));
    assert_eq!(single, whole, "{stream:?} byte by byte");
    whole
}

#[test]
fn ordinary_requests_pass_however_they_are_split() {
    for stream in [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\na\nb\n\nGET / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\nPOST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;a\r\n\n\r\n0\r\nX: y\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nno size\nGET / HTTP/1.1\n\n",
        "GET / HTTP/1.1\r\nContent-Length-X: 1\r\nContent-Length-Y: 1\r\nX-Content-Length: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\nany\nthing",
    ] {
        assert!(passes(stream), "{stream:?}");
    }
}

#[test]
fn ambiguous_heads_are_rejected_however_they_are_split() {
    for stream in [
        "GET / HTTP/1.1\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\n",
        "\nGET / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\nCONTENT-LENGTH: 5\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n\n\r\n0\r\n\r\nGET / HTTP/1.1\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\nGET / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: a\n\r\nGET / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\nPOST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\nGET / HTTP/1.1\n",
        "GET / HTTP/1.1\r\nUpgrade: H2c/2\r\n\r\nGET / HTTP/1.1\n",
        "GET / HTTP/1.1\r\nUpgrade: websocket, x\r\n\r\nGET / HTTP/1.1\n",
        "POST / HTTP/1.1\r\nUpgrade: websocket\r\nContent-Length: 1\r\n\r\nxGET / HTTP/1.1\n",
        "POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\nxPOST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
    ] {
        assert!(!passes(stream), "{stream:?}");
    }
}

#[test]
fn the_place_of_a_fault_in_a_body_is_that_in_the_bytes_scanned_last() {
    let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    let stream = format!("{head}1\r\na\r\n0\r\nX: a\n\r\nGET / HTTP/1.1\r\n\r\n");
    let fault = head.len() + "1\r\na\r\n0\r\nX: a".len();
    for split in 0..=fault {
        let mut scanner = HeadScanner::default();
        let (first, second) = stream.as_bytes().split_at(split);
        assert!(scanner.scan(&mut first.to_vec()));
        assert_eq!(scanner.body_fault_at(), None);
        assert!(!scanner.scan(&mut second.to_vec()));
        assert_eq!(scanner.body_fault_at(), Some(fault - split));
    }
    let mut scanner = HeadScanner::default();
    assert!(!scanner.scan(&mut b"GET / HTTP/1.1\n".to_vec()));
    assert_eq!(scanner.body_fault_at(), None, "a fault in a head");
}

#[test]
fn nothing_is_scanned_after_a_head_that_may_switch_protocols() {
    let mut scanner = HeadScanner::default();
    scanner.scan(&mut b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n".to_vec());
    assert!(!scanner.has_left_http());
    scanner.scan(&mut b"\r\n".to_vec());
    assert!(scanner.has_left_http());
    assert!(!scanner.is_in_head());
    let mut any = b"GET / HTTP/1.1\n\n".to_vec();
    assert!(scanner.scan(&mut any));
    assert_eq!(any, b"GET / HTTP/1.1\n\n");
}

#[test]
fn a_head_lasts_from_its_first_byte_to_its_empty_line() {
    let mut scanner = HeadScanner::default();
    assert!(!scanner.is_in_head());
    scanner.scan(&mut b"G".to_vec());
    assert!(scanner.is_in_head());
    scanner.scan(&mut b"ET / HTTP/1.1\r\n".to_vec());
    assert!(scanner.is_in_head());
    scanner.scan(&mut b"\r\n".to_vec());
    assert!(!scanner.is_in_head());
}

/// A number cut off after 64 bytes would be read as another length than hyper's.
#[test]
fn a_content_length_too_long_to_keep_is_never_read_in_part() {
    let zeros = "0".repeat(60);
    let stream =
        format!("POST / HTTP/1.1\r\nContent-Length: {zeros}10\r\n\r\n0123456789GET / HTTP/1.1\n");
    assert!(passes(&stream));
    for split in 0..stream.find("0123456789").unwrap() {
        let mut scanner = HeadScanner::default();
        let (first, second) = stream.as_bytes().split_at(split);
        scanner.scan(&mut first.to_vec());
        scanner.scan(&mut second.to_vec());
        assert!(scanner.has_left_http(), "split at {split}");
    }
}

#[test]
fn framing_that_hyper_would_reject_after_it_has_discarded_the_head_is_rejected_before() {
    for (fields, fault) in [
        ("Content-Length: +1", FramingFault::InvalidLength),
        ("Content-Length: x", FramingFault::InvalidLength),
        ("Transfer-Encoding: gzip", FramingFault::InvalidCoding),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip",
            FramingFault::InvalidCoding,
        ),
    ] {
        let stream = format!("POST / HTTP/1.1\r\n{fields}\r\n\r\n");
        assert!(!passes(&stream), "{fields}");
        let mut scanner = HeadScanner::default();
        scanner.scan(&mut stream.into_bytes());
        assert_eq!(scanner.fault(), Some(fault), "{fields}");
    }
    assert!(
        passes("POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        "the guard responds"
    );
    assert!(!passes(
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"
    ));
}

/// Whether the target is valid to the type that hyper reads it into.
#[test]
fn exactly_the_targets_that_hyper_would_reject_after_it_has_discarded_the_head_are_rejected() {
    let mut targets: Vec<String> = (0x21..=0x7e_u8)
        .map(char::from)
        .flat_map(|byte| {
            [
                format!("/a{byte}b"),
                format!("/a?b{byte}c"),
                format!("/#{byte}"),
            ]
        })
        .collect();
    let long = "a".repeat(3000);
    targets.extend(
        [
            "*",
            "/\u{e9}",
            "//a",
            "a",
            "http://a/b",
            "http://a<b/",
            "http://[::1/",
            "https://a?\"",
            "a:1",
        ]
        .map(str::to_owned),
    );
    targets.extend([format!("/{long}?\""), format!("/{long}")]);
    for target in targets {
        let valid = Uri::try_from(target.as_str()).is_ok();
        let stream = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(passes(&stream), valid, "{target}");
    }
    let not_utf8 = b"GET /\xff HTTP/1.1\r\n";
    assert!(!HeadScanner::default().scan(&mut not_utf8.to_vec()));
}
