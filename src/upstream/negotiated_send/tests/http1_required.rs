//! `HTTP_1_1_REQUIRED` (RFC 9113 section 7).

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

/// Resets a request in this way, and responds to the one that comes over HTTP/1.1. Returns its head.
async fn require_http1(listener: &TcpListener) -> String {
    let mut requests = serve(accept(listener, None).await);
    let (_, mut response) = next(&mut requests).await;
    response.send_reset(Reason::HTTP_1_1_REQUIRED);
    let mut socket = listener.accept().await.unwrap().0;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.unwrap());
    }
    let response = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    socket.write_all(response).await.unwrap();
    String::from_utf8(head).unwrap()
}

#[tokio::test]
async fn a_request_that_requires_http1_goes_out_again_over_http1_with_any_method() {
    let (listener, upstream) = listen().await;
    let counts = Counts::default();
    let sending = upstream.send(Instant::now(), request("POST"), Counted(&counts, "POST"));
    let (sent, head) = tokio::join!(sending, require_http1(&listener));
    let sent = sent.unwrap();
    assert_eq!(
        (sent.status(), sent.version()),
        (StatusCode::OK, Version::HTTP_11)
    );
    assert!(head.starts_with("POST /a?b=c HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("\r\nx-renewed: 2\r\n"), "{head}");
    assert_eq!(counts.restarted.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_request_that_requires_http1_fails_if_it_cannot_be_sent_again() {
    let (listener, upstream) = listen().await;
    let server = async {
        let mut requests = serve(accept(&listener, None).await);
        let (_, mut response) = next(&mut requests).await;
        response.send_reset(Reason::HTTP_1_1_REQUIRED);
        requests
    };
    let sending = upstream.send(Instant::now(), request("POST"), WithoutRenewal);
    let (sent, _requests) = tokio::join!(sending, server);
    assert!(matches!(sent, Err(SendError::Http1Required)));
}
