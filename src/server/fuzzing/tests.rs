use super::*;

/// Heads and bodies of every kind, each fed with every split.
#[test]
fn results_do_not_depend_on_where_the_input_is_split() {
    let zeros = "0".repeat(70);
    for input in [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET",
        "GET / HTTP/1.1\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\nany\nthing",
        "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\n",
        &format!("POST / HTTP/1.1\r\nContent-Length: {zeros}5\r\n\r\nhelloGET / HTTP/1.1\n"),
        &format!("GET / HTTP/1.1\r\nUpgrade: {zeros}, a\r\n\r\nGET / HTTP/1.1\n"),
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;a\r\nhello\r\n0\r\nX: y\r\n\r\nGET / HTTP/1.1\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\nGET",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\n\r\nGET / HTTP/1.1\r\n\r\n",
        "5;a\r\nhello\r\n0\r\nX: y\r\n\r\nGET",
        "5;a\r\nhello\r\n0\r\n\nGET / HTTP/1.1\r\n\r\n",
        "10000000000000000\r\n",
        "",
    ] {
        for split in 0..=input.len() + 1 {
            scan_head(input.as_bytes(), split);
            read_chunks(input.as_bytes(), split);
        }
    }
}
