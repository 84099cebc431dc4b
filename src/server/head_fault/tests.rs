use super::super::head_scanner::HeadScanner;
use super::*;

/// What is wrong with a head that the scanner has seen.
fn fault_of(head: &str, is_too_large: bool, has_ended: bool, limit: usize) -> Option<HeadFault> {
    let (mut scanner, mut bytes) = (HeadScanner::default(), head.as_bytes().to_vec());
    scanner.scan(&mut bytes);
    let bytes = restore(&bytes, scanner.fault());
    assert_eq!(bytes, head.as_bytes(), "what the client sent");
    let unreadable = UnreadableHead {
        bytes: &bytes,
        framing: scanner.fault(),
        is_too_large,
        has_ended,
        limit,
    };
    unreadable.fault()
}

fn fault(head: &str) -> String {
    fault_of(head, false, false, 65536).map_or_else(String::new, |fault| fault.to_string())
}

#[test]
fn a_byte_that_a_target_may_not_contain_is_named_with_its_position() {
    for (target, expected) in [
        (
            r#"/s?filter={"name":"x"}"#,
            r#"byte 12 of the request target: "\"""#,
        ),
        ("/s?a=<b>", r#"byte 6 of the request target: "<""#),
        ("/s?a=b>", r#"byte 7 of the request target: ">""#),
        ("/a>b", r#"byte 3 of the request target: ">""#),
        ("/a`b", r#"byte 3 of the request target: "`""#),
        ("/a<b", r#"byte 3 of the request target: "<""#),
        ("/a b", r#"byte 3 of the request target: " ""#),
        ("/a b c", r#"byte 3 of the request target: " ""#),
        ("/a\tb", r#"byte 3 of the request target: "\t""#),
        ("/\u{7f}", r#"byte 2 of the request target: "\u{7f}""#),
        (
            r#"http://localhost/?""#,
            r#"byte 19 of the request target: "\"""#,
        ),
        (
            "http://local host/",
            r#"byte 13 of the request target: " ""#,
        ),
        (
            "http://[::1/",
            "the host in the request target is not valid",
        ),
        ("", "the request target is empty"),
    ] {
        let head = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!(fault(&head), expected, "{target}");
    }
}

#[test]
fn other_versions_are_not_supported_and_what_is_no_version_is_malformed() {
    for (line, expected) in [
        ("GET / HTTP/1.2", "HTTP/1.2 is not supported: use HTTP/1.1"),
        ("GET / HTTP/2.0", "HTTP/2.0 is not supported: use HTTP/1.1"),
        ("GET / HTTP/0.9", "HTTP/0.9 is not supported: use HTTP/1.1"),
        ("PRI * HTTP/2.0", "HTTP/2.0 is not supported: use HTTP/1.1"),
        (
            "GET / http/1.1",
            "the request line does not end with HTTP/1.1",
        ),
        (
            "GET / HTTP/11",
            "the request line does not end with HTTP/1.1",
        ),
        ("GET /", "the request line does not end with HTTP/1.1"),
        ("GET", "the request line does not end with HTTP/1.1"),
        ("GET / HTTP/1.1 ", r#"byte 2 of the request target: " ""#),
        (" GET / HTTP/1.1", "the request line begins with a space"),
        ("G@T / HTTP/1.1", r#"byte 2 of the method: "@""#),
        ("GET\t/\tHTTP/1.1", r#"byte 4 of the method: "\t""#),
        ("\u{e9} / HTTP/1.1", r#"byte 1 of the method: "\xc3""#),
    ] {
        assert_eq!(
            fault(&format!("{line}\r\nHost: a\r\n\r\n")),
            expected,
            "{line:?}"
        );
    }
}

#[test]
fn a_field_is_named_by_its_number_and_its_value_is_never_repeated() {
    for (fields, expected) in [
        (
            "A: b\r\n c\r\n",
            "field 3 is folded: its line begins with white space",
        ),
        (
            "A: b\r\n\tc\r\n",
            "field 3 is folded: its line begins with white space",
        ),
        ("secret\r\n", "field 2 has no colon"),
        (": secret\r\n", "field 2 has no name"),
        ("A B: secret\r\n", r#"byte 2 of the name of field 2: " ""#),
        ("A : secret\r\n", r#"byte 2 of the name of field 2: " ""#),
        (
            "A: sec\0ret\r\n",
            r#"byte 5 of the value of field 2: "\u{0}""#,
        ),
        ("A: sec\rret\r\n", r#"byte 5 of the value of field 2: "\r""#),
    ] {
        let head = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
        assert_eq!(fault(&head), expected, "{fields:?}");
    }
}

#[test]
fn framing_that_can_be_read_in_two_ways_is_named() {
    for (fields, expected) in [
        (
            "A: b\n",
            "a line of the head ends with a line feed but no carriage return",
        ),
        (
            "Content-Length: 1\r\nContent-Length: 1\r\n",
            "Content-Length was sent more than once",
        ),
        (
            "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
            "Content-Length and Transfer-Encoding were both sent",
        ),
        (
            "Content-Length: +5\r\n",
            "Content-Length is not a plain decimal number",
        ),
        (
            "Content-Length: 5, 5\r\n",
            "Content-Length is not a plain decimal number",
        ),
        (
            "Content-Length:\r\n",
            "Content-Length is not a plain decimal number",
        ),
        (
            "Content-Length: 18446744073709551616\r\n",
            "Content-Length is not a plain decimal number",
        ),
        (
            "Transfer-Encoding: gzip\r\n",
            "Transfer-Encoding does not end with \"chunked\"",
        ),
        (
            "Transfer-Encoding: chunked, identity\r\n",
            "Transfer-Encoding does not end with \"chunked\"",
        ),
    ] {
        let head = format!("POST / HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
        assert_eq!(fault(&head), expected, "{fields:?}");
    }
    let old = "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(fault(old), "HTTP/1.0 has no Transfer-Encoding");
}

#[test]
fn a_tls_handshake_is_recognised_by_its_first_byte_or_two() {
    for start in ["\x16", "\x16\x03", "\x16\x03\x01\x02\0\x01\0"] {
        assert!(fault(start).starts_with("a TLS handshake"), "{start:?}");
    }
    assert_eq!(fault("\x16\x04"), r#"byte 1 of the method: "\u{16}""#);
}

#[test]
fn too_many_fields_too_long_a_head_and_too_long_a_target_are_told_apart() {
    let excess = |head: &str, limit| fault_of(head, true, false, limit).unwrap();
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(105));
    assert_eq!(
        excess(&many, 65536).to_string(),
        "too many fields (105, at most 100)"
    );
    let long = format!("GET / HTTP/1.1\r\nA: {}", "b".repeat(70_000));
    assert_eq!(excess(&long, 65536), HeadFault::TooLong { limit: 65536 });
    let target = format!("GET /{} HTTP/1.1\r\nA: b\r\n\r\n", "b".repeat(70_000));
    assert_eq!(excess(&target, 1 << 20), HeadFault::TargetTooLong);
    assert_eq!(excess(&target, 65536), HeadFault::TooLong { limit: 65536 });
}

#[test]
fn a_connection_that_ends_within_a_head_is_not_blamed_on_the_missing_part() {
    for head in ["G", "GET", "GET /", "GET /a HT", "GET / HTTP/1.1\r\nHo"] {
        let fault = fault_of(head, false, true, 65536).unwrap();
        let expected = "the connection ended before the head did";
        assert_eq!(fault.to_string(), expected, "{head}");
    }
}

/// hyper discards a head before it rejects its framing; what follows is another request.
#[test]
fn nothing_is_said_about_a_head_that_is_valid() {
    assert_eq!(
        fault_of("GET /next HTTP/1.1\r\nHost: a\r\n\r\n", false, false, 65536),
        None
    );
}
