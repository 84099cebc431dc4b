use super::*;

fn found(fields: &str) -> Option<HeadDefect> {
    HeadDefect::find(format!("HTTP/1.1 200 OK\r\n{fields}").as_bytes(), 3)
}

#[test]
fn each_defect_of_a_head_is_named() {
    let cases = [
        ("Server: 1\r\n\t2\r\n\r\n", "the field \"server\" is folded"),
        ("A: 1\r\nTOKEN: 1\r\n\t2\r\n\r\n", "field 2 is folded"),
        ("A: 1\r\nB\r\n\r\n", "line 2 of its fields has no colon"),
        ("A: 1\r\nB\u{e9}: 2\r\n\r\n", "the name of field 2"),
        (": 2\r\n\r\n", "the name of field 1"),
        (
            "ETag: 1\u{1}2\r\n\r\n",
            "the value of the field \"etag\" has a control",
        ),
        (
            "TOKEN: 1\u{1}2\r\n\r\n",
            "the value of field 1 has a control",
        ),
        (
            "A:\r\nB:\r\nC:\r\nD:\r\n\r\n",
            "it has 4 fields, and at most 3",
        ),
        ("A:\r\nB:\r\nC:\r\nD:\r\nE", "it has at least 4 fields"),
    ];
    for (fields, words) in cases {
        let defect = found(fields).map(|defect| defect.to_string());
        assert!(
            defect.as_ref().is_some_and(|defect| defect.contains(words)),
            "{fields:?}: {defect:?}"
        );
        // It may be the access token.
        assert!(!defect.unwrap().contains("TOKEN"));
    }
    assert_eq!(found("A : 1\r\nB:\r\nC: \u{e9}\r\n\r\n"), None);
}

#[test]
fn what_is_not_http_is_told_from_a_bad_status_line() {
    for (head, defect) in [
        ("SSH-2.0-OpenSSH\r\n", Some(HeadDefect::NotHttp)),
        ("\u{15}\u{3}", Some(HeadDefect::NotHttp)),
        ("\r\nHTTP/2 200\r\n\r\n", Some(HeadDefect::NotHttp)),
        ("HTTP/1.1 OK\r\n\r\n", Some(HeadDefect::StatusLine)),
        ("HTTP/1.1 2000\r\n\r\n", Some(HeadDefect::StatusLine)),
        ("HTTP/1.1 200\r\n\r\n", None),
        ("HTTP/1.1 2", None),
        ("", None),
    ] {
        assert_eq!(HeadDefect::find(head.as_bytes(), 3), defect, "{head:?}");
    }
    let long = format!("HTTP/1.1 200 OK\r\nA: {}", "x".repeat(MAX_HEAD_KIB << 10));
    assert_eq!(
        HeadDefect::find(long.as_bytes(), 3),
        Some(HeadDefect::TooLong)
    );
}
