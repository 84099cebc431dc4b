use super::*;

/// How many bytes belong to the body, in one piece or byte by byte; `None` where it has no end.
fn length_of(stream: &[u8]) -> Option<usize> {
    let (whole, place) = Chunks::Start.follow(stream);
    let mut singly = (0, Some(Chunks::Start));
    for byte in stream {
        let Some(place) = singly.1 else { break };
        let (taken, next) = place.follow(&[*byte]);
        singly = (singly.0 + taken, next);
    }
    assert_eq!(singly, (whole, place), "{:?}", stream.escape_ascii());
    (place == Some(Chunks::Ended)).then_some(whole)
}

#[test]
fn the_end_is_found_behind_chunks_extensions_and_trailers() {
    for body in [
        "0\r\n\r\n",
        "5\r\nhello\r\n0\r\n\r\n",
        "0005;a=\"b;c\" \r\nhe\r\no\r\n0\r\n\r\n",
        "5 \t ;x\r\n0\r\n\r\n\r\n1\r\n\n\r\n00\r\n\r\n",
        "A\r\n0123456789\r\na\r\n0123456789\r\n0;last\r\nX: y\r\nZ:\r\n\r\n",
        "0\r\nX: y\nz\r\n\r\n",
    ] {
        let behind = format!("{body}GET / HTTP/1.1\r\n");
        assert_eq!(length_of(behind.as_bytes()), Some(body.len()), "{body:?}");
        let cut = &body.as_bytes()[..body.len() - 1];
        assert_eq!(length_of(cut), None, "{body:?} but for its last byte");
    }
}

#[test]
fn what_is_no_chunked_body_has_no_end() {
    for body in [
        "\r\n0\r\n\r\n",
        " 0\r\n\r\n",
        "x\r\n\r\n",
        "-1\r\n\r\n",
        "0x0\r\n\r\n",
        "0\n\r\n",
        "0\r\n\n",
        "0 0\r\n\r\n",
        "0;a\n\r\n\r\n",
        "0\r\nX: y\rz\r\n\r\n",
        "1\r\nab\r\n0\r\n\r\n",
        "1\r\na\n0\r\n\r\n",
        "10000000000000000\r\n0\r\n\r\n",
    ] {
        assert_eq!(length_of(body.as_bytes()), None, "{body:?}");
    }
}
