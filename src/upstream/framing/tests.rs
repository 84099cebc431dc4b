use super::*;

type Fields<'a> = &'a [(&'static str, &'static str)];

fn response(status: u16, fields: Fields<'_>) -> Response<()> {
    let builder = fields.iter().fold(
        Response::builder().status(status),
        |builder, (name, value)| builder.header(*name, *value),
    );
    builder.body(()).unwrap()
}

fn rejection(fields: Fields<'_>) -> String {
    let rejected = check(&mut response(200, fields), false);
    rejected.unwrap_err().to_string()
}

#[test]
fn one_length_or_chunked_or_neither_passes_unchanged() {
    for fields in [
        &[][..],
        &[("content-length", "0012")],
        &[("transfer-encoding", "Chunked")],
    ] {
        let mut response = response(200, fields);
        let before = response.headers().clone();
        let framing = check(&mut response, false).unwrap();
        assert_eq!(framing, ResponseFraming::Unambiguous);
        assert_eq!(*response.headers(), before);
    }
}

#[test]
fn equal_lengths_become_one() {
    for fields in [
        &[("content-length", "2"), ("content-length", "2")][..],
        &[("content-length", "2, 2")],
        &[("content-length", "2,2"), ("content-length", "02")],
    ] {
        let mut response = response(200, fields);
        let framing = check(&mut response, false).unwrap();
        assert_eq!(framing, ResponseFraming::Unambiguous, "{fields:?}");
        let lengths: Vec<_> = response
            .headers()
            .get_all("content-length")
            .iter()
            .collect();
        assert_eq!(lengths, ["2"], "{fields:?}");
    }
}

#[test]
fn a_length_beside_chunked_is_removed_and_the_connection_is_not_used_again() {
    for length in ["2", "2, 3", "x"] {
        let fields = [("content-length", length), ("transfer-encoding", "chunked")];
        let mut response = response(200, &fields);
        let framing = check(&mut response, false).unwrap();
        assert_eq!(framing, ResponseFraming::LengthRemoved);
        assert!(!response.headers().contains_key("content-length"));
    }
}

#[test]
fn what_can_be_read_in_two_ways_is_rejected_with_its_cause() {
    let cases: [(Fields<'_>, &str); 9] = [
        (
            &[("content-length", "2"), ("content-length", "3")],
            "values differ",
        ),
        (&[("content-length", "2, 3")], "values differ"),
        (
            &[("content-length", "2, +2")],
            "its Content-Length is not a decimal number",
        ),
        (&[("content-length", "")], "not a decimal number"),
        (
            &[
                ("transfer-encoding", "chunked"),
                ("transfer-encoding", "chunked"),
            ],
            "more than one Transfer-Encoding",
        ),
        (
            &[("transfer-encoding", "chunked, chunked")],
            "\"chunked, chunked\"",
        ),
        (
            &[("transfer-encoding", "gzip, chunked")],
            "\"gzip, chunked\"",
        ),
        (
            &[("transfer-encoding", "TOKEN-SECRET-123, chunked")],
            "its Transfer-Encoding is unknown",
        ),
        (
            &[("content-length", "1"), ("transfer-encoding", "gzip")],
            "only \"chunked\" is supported",
        ),
    ];
    for (fields, words) in cases {
        let said = rejection(fields);
        assert!(said.contains(words), "{fields:?}: {said}");
        assert!(!said.contains("TOKEN"), "{said}");
    }
}

#[test]
fn a_101_is_accepted_only_if_an_upgrade_was_requested() {
    let mut switched = response(101, &[("upgrade", "websocket")]);
    assert!(check(&mut switched, true).is_ok());
    assert!(check(&mut switched, false).is_err());
}
