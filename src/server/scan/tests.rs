use super::*;

/// Whether all of it passes, in one piece, in two at every place, and byte by byte: always the same.
fn passes(stream: &str) -> bool {
    let whole = Scan::default().look(&mut stream.as_bytes().to_vec());
    for cut in 0..=stream.len() {
        let mut scan = Scan::default();
        let (first, second) = stream.as_bytes().split_at(cut);
        let both = scan.look(&mut first.to_vec()) && scan.look(&mut second.to_vec());
        assert_eq!(both, whole, "{stream:?} cut at {cut}");
    }
    let mut scan = Scan::default();
    let single = stream.bytes().all(|byte| scan.look(&mut [byte]));
    assert_eq!(single, whole, "{stream:?} byte by byte");
    whole
}

#[test]
fn ordinary_requests_pass_however_they_are_cut() {
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
fn two_readings_are_refused_however_they_are_cut() {
    for stream in [
        "GET / HTTP/1.1\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\n",
        "\nGET / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\nCONTENT-LENGTH: 5\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n\n\r\n0\r\n\r\nGET / HTTP/1.1\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\nPOST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\nGET / HTTP/1.1\n",
        "GET / HTTP/1.1\r\nUpgrade: websocket, x\r\n\r\nGET / HTTP/1.1\n",
        "POST / HTTP/1.1\r\nUpgrade: websocket\r\nContent-Length: 1\r\n\r\nxGET / HTTP/1.1\n",
        "POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\nxPOST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
    ] {
        assert!(!passes(stream), "{stream:?}");
    }
}

#[test]
fn behind_what_may_leave_http_nothing_is_looked_at() {
    let mut scan = Scan::default();
    scan.look(&mut b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n".to_vec());
    assert!(!scan.has_left());
    scan.look(&mut b"\r\n".to_vec());
    assert!(scan.has_left());
    assert!(!scan.is_in_head());
    let mut any = b"GET / HTTP/1.1\n\n".to_vec();
    assert!(scan.look(&mut any));
    assert_eq!(any, b"GET / HTTP/1.1\n\n");
}

#[test]
fn a_head_has_begun_from_its_first_byte_to_its_empty_line() {
    let mut scan = Scan::default();
    assert!(!scan.is_in_head());
    scan.look(&mut b"G".to_vec());
    assert!(scan.is_in_head());
    scan.look(&mut b"ET / HTTP/1.1\r\n".to_vec());
    assert!(scan.is_in_head());
    scan.look(&mut b"\r\n".to_vec());
    assert!(!scan.is_in_head());
}
