//! Which methods, targets and framing pass, as tables.

use http::{Version, header};

use crate::guard::tests::{OURS, Pairs, guard, rejection, request, someone, verdict};
use crate::problem::{Reason, RequestId};

#[test]
fn methods_that_echo_or_tunnel_are_rejected_and_all_others_pass() {
    for method in [
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "get",
    ] {
        assert_eq!(verdict(method, "/", &[OURS]), "passes", "{method}");
    }
    for method in ["TRACE", "TRACK", "trace", "Track", "CONNECT", "connect"] {
        assert_eq!(verdict(method, "/", &[OURS]), "method_refused", "{method}");
    }
    let response = rejection("TRACE", "/", &[OURS])
        .problem(&RequestId::generate())
        .response();
    assert_eq!(
        response.headers()[header::ALLOW],
        "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
    );
    assert_eq!(response.status(), 405);
}

#[test]
fn a_target_must_be_a_path_or_name_the_same_host_as_host() {
    for (target, expected) in [
        ("/", "passes"),
        ("/a/../b/%2e%2e?x=/%0d%0a", "passes"),
        ("http://localhost:6749/x", "passes"),
        ("HTTP://LOCALHOST:6749/x", "passes"),
        ("http://localhost:6749", "passes"),
        ("http://localhost:6749?x", "bad_request"),
        ("http://localhost/x", "target_refused"),
        ("http://127.0.0.1:6749/x", "target_refused"),
        ("https://localhost:6749/x", "target_refused"),
        ("ftp://localhost:6749/x", "target_refused"),
        ("http://a@localhost:6749/x", "target_refused"),
        ("http://evil/", "target_refused"),
        ("*", "bad_request"),
        ("evil.example", "bad_request"),
        ("localhost:6749", "bad_request"),
    ] {
        assert_eq!(verdict("GET", target, &[OURS]), expected, "{target}");
    }
    assert_eq!(verdict("OPTIONS", "*", &[OURS]), "bad_request");
    assert_eq!(
        verdict("GET", "http://evil/", &[("host", "evil")]),
        "target_refused"
    );
    assert_eq!(verdict("GET", "http://localhost/", &[]), "bad_request");
}

#[test]
fn the_end_of_a_request_must_be_unambiguous() {
    let (te, cl) = ("transfer-encoding", "content-length");
    let cases: [(Pairs<'_>, &str); 23] = [
        (&[OURS, (te, "chunked")], "passes"),
        (&[OURS, (te, "Chunked")], "passes"),
        (&[OURS, (cl, "0")], "passes"),
        (&[OURS, (cl, "010")], "passes"),
        (&[OURS, (te, "chunked"), (te, "chunked")], "bad_request"),
        (&[OURS, (te, "gzip, chunked")], "not_supported"),
        (&[OURS, (te, "GZip;q=1\t,x-y , Chunked")], "not_supported"),
        (&[OURS, (te, "identity, chunked")], "not_supported"),
        (&[OURS, (te, "chunked, gzip")], "bad_request"),
        (&[OURS, (te, "chunked, chunked")], "bad_request"),
        (&[OURS, (te, "chunked, gzip, chunked")], "bad_request"),
        (&[OURS, (te, "gzip,, chunked")], "bad_request"),
        (&[OURS, (te, ", chunked")], "bad_request"),
        (&[OURS, (te, "g zip, chunked")], "bad_request"),
        (&[OURS, (te, "gzip, chunked"), (cl, "3")], "bad_request"),
        (&[OURS, (te, "identity")], "bad_request"),
        (&[OURS, (te, "")], "bad_request"),
        (&[OURS, (te, "chunked"), (cl, "3")], "bad_request"),
        (&[OURS, (cl, "3"), (cl, "3")], "bad_request"),
        (&[OURS, (cl, "")], "bad_request"),
        (&[OURS, (cl, "+3")], "bad_request"),
        (&[OURS, (cl, "3, 3")], "bad_request"),
        (&[OURS, (cl, "0x3")], "bad_request"),
    ];
    for (fields, expected) in cases {
        assert_eq!(verdict("POST", "/", fields), expected, "{fields:?}");
    }
    let mut old = request("POST", "/", &[OURS, (te, "chunked")]);
    *old.version_mut() = Version::HTTP_10;
    let bad = guard().check(&old, &someone()).unwrap_err();
    assert_eq!(bad.reason, Reason::BadRequest);
    let response = bad.problem(&RequestId::generate()).response();
    assert_eq!(response.headers()[header::CONNECTION], "close");

    let unknown = rejection("POST", "/", &[OURS, (te, "gzip, chunked")]);
    let response = unknown.problem(&RequestId::generate()).response();
    assert_eq!(response.status(), 501);
    assert_eq!(response.headers()[header::CONNECTION], "close");
}
