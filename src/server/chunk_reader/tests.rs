use super::*;

/// How many bytes belong to the body; `None` if it does not end. Feeds it in one piece and byte by byte.
fn length_of(stream: &[u8]) -> Option<usize> {
    let (whole, reader) = ChunkReader::Start.read(stream);
    let mut singly = (0, Some(ChunkReader::Start));
    for byte in stream {
        let Some(reader) = singly.1 else { break };
        let (taken, next) = reader.read(&[*byte]);
        singly = (singly.0 + taken, next);
    }
    assert_eq!(singly, (whole, reader), "{:?}", stream.escape_ascii());
    (reader == Some(ChunkReader::Ended)).then_some(whole)
}

#[test]
fn the_end_is_found_after_chunks_extensions_and_trailers() {
    for body in [
        "0\r\n\r\n",
        "5\r\nhello\r\n0\r\n\r\n",
        "0005;a=\"b;c\" \r\nhe\r\no\r\n0\r\n\r\n",
        "5 \t ;x\r\n0\r\n\r\n\r\n1\r\n\n\r\n00\r\n\r\n",
        "A\r\n0123456789\r\na\r\n0123456789\r\n0;last\r\nX: y\r\nZ:\r\n\r\n",
        "0\r\nX: \0\r\n\r\n",
    ] {
        let behind = format!("{body}GET / HTTP/1.1\r\n");
        assert_eq!(length_of(behind.as_bytes()), Some(body.len()), "{body:?}");
        let cut = &body.as_bytes()[..body.len() - 1];
        assert_eq!(length_of(cut), None, "{body:?} without its last byte");
    }
}

#[test]
fn a_malformed_body_has_no_end() {
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
        "0;a\rb\r\n\r\n",
        "0\rX\r\n\r\n",
        "0\r\n\rX\r\n\r\n",
    ] {
        assert_eq!(length_of(body.as_bytes()), None, "{body:?}");
    }
}

/// hyper would read on to the next CR LF CR LF, and so swallow the requests before it.
#[test]
fn a_bare_line_feed_in_the_trailer_section_is_rejected_where_it_stands() {
    for (before, rest) in [
        ("0\r\n", "\n"),
        ("0\r\n", "\n\r\n"),
        ("0\r\nX: a", "\n\r\n"),
        ("0\r\nX: a", "\n\n"),
        ("0\r\nX: a\r\n", "\n"),
        ("0\r\nX: a\r\nY", "\nZ: b\r\n\r\n"),
        ("1\r\n\n\r\n0;x\r\n", "\n"),
    ] {
        let stream = format!("{before}{rest}GET / HTTP/1.1\r\n\r\n");
        assert_eq!(length_of(stream.as_bytes()), None, "{stream:?}");
        let rejected = (before.len(), Some(ChunkReader::BareLineFeed));
        assert_eq!(
            ChunkReader::Start.read(stream.as_bytes()),
            rejected,
            "{stream:?}"
        );
    }
}
