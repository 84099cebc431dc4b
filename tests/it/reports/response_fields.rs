//! Field lines of a response that HTTP/1.1 forbids but that servers send.

use super::{protocol_error, through};

#[tokio::test]
async fn white_space_before_the_colon_is_removed() {
    for (field, value) in [
        ("X-Name : value", "value"),
        ("X-Name\t:value", "value"),
        ("X-Name \t : value", "value"),
        ("X-Name: value ", "value"),
    ] {
        let answer = through(format!(
            "HTTP/1.1 200 OK\r\n{field}\r\nContent-Length : 2\r\n\r\nok"
        ))
        .await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
        assert_eq!(answer.field("x-name"), Some(value), "{field:?}");
    }
}

#[tokio::test]
async fn a_response_that_hyper_rejects_is_a_502_that_names_the_cause() {
    for (head, words) in [
        (
            "200 OK\r\nServer: first\r\n second\r\nContent-Length: 0\r\n\r\n",
            "the field \\\"server\\\" is folded over several lines",
        ),
        (
            "200 OK\r\nX-A: b\r\nno colon\r\nContent-Length: 0\r\n\r\n",
            "line 2 of its fields has no colon",
        ),
        (
            "200 OK\r\nX A: b\r\nContent-Length: 0\r\n\r\n",
            "the name of field 1 has a character",
        ),
        (
            "200 OK\r\nX-A: b\u{1}\r\nContent-Length: 0\r\n\r\n",
            "the value of field 1 has a control character",
        ),
        ("20 OK\r\n\r\n", "no status code of three digits"),
    ] {
        let answer = through(format!("HTTP/1.1 {head}")).await;
        let said = protocol_error(&answer);
        assert!(said.contains(words), "{head:?}: {said}");
    }
    let banner = protocol_error(&through("SSH-2.0-OpenSSH_9.2\r\n").await);
    assert!(banner.contains("does not begin with"), "{banner}");
}
