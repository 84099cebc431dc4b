//! Connections that end, or never speak HTTP/2: GOAWAY frame by frame.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::raw::{GOAWAY, HEADERS, RawServer, frame};
use super::*;

/// A server that takes one request, sends a GOAWAY with this last stream, and disconnects.
async fn go_away(listener: &TcpListener, last_stream: u8) {
    let mut server = RawServer::accept(listener).await;
    server.read_until(HEADERS).await;
    let mut payload = vec![0, 0, 0, last_stream, 0, 0, 0, 0];
    payload.extend_from_slice(b"words");
    server.send(&frame(GOAWAY, 0, &payload)).await;
    let mut socket = server.socket;
    socket.shutdown().await.unwrap();
    let _ = socket.read_to_end(&mut Vec::new()).await;
}

#[tokio::test]
async fn a_request_above_the_last_stream_of_a_goaway_goes_out_again_on_another_connection() {
    let (listener, upstream) = listen().await;
    let counts = Counts::default();
    let server = async {
        go_away(&listener, 0).await;
        let mut requests = serve(accept(&listener, None).await);
        respond(next(&mut requests).await.1);
        requests
    };
    let sending = upstream.send(Instant::now(), request("POST"), Counted(&counts, "POST"));
    let (sent, _requests) = tokio::join!(sending, server);
    assert_eq!(sent.unwrap().status(), StatusCode::OK);
    assert_eq!(counts.restarted.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_request_at_the_last_stream_of_a_goaway_may_have_been_processed() {
    let (listener, upstream) = listen().await;
    let counts = Counts::default();
    let sending = upstream.send(Instant::now(), request("POST"), Counted(&counts, "POST"));
    let (sent, ()) = tokio::join!(sending, go_away(&listener, 1));
    assert!(matches!(sent, Err(SendError::Closed { .. })));
    assert_eq!(counts.restarted.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_safe_request_whose_connection_was_lost_is_repeated_once() {
    let (listener, upstream) = listen().await;
    let counts = Counts::default();
    let server = async {
        go_away(&listener, 1).await;
        go_away(&listener, 1).await;
    };
    let sending = upstream.send(Instant::now(), request("GET"), Counted(&counts, "GET"));
    let (sent, ()) = tokio::join!(sending, server);
    assert!(matches!(sent, Err(SendError::Closed { .. })));
    assert_eq!(counts.copied.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn after_a_goaway_requests_in_flight_end_and_the_next_one_gets_another_connection() {
    let (listener, upstream) = listen().await;
    let server = async {
        let mut connection = accept(&listener, None).await;
        let (_, response) = connection.accept().await.unwrap().unwrap();
        connection.graceful_shutdown();
        let ended = tokio::spawn(async move { while connection.accept().await.is_some() {} });
        // The next request arrives elsewhere while the first still waits.
        let mut requests = serve(accept(&listener, None).await);
        respond(next(&mut requests).await.1);
        respond(response);
        ended.await.unwrap();
        requests
    };
    let client = async {
        let first = send(&upstream, request("POST"));
        let second = async {
            until(|| upstream.http2.reserve().is_some()).await;
            until(|| upstream.http2.reserve().is_none()).await; // the GOAWAY has arrived
            send(&upstream, request("POST")).await
        };
        tokio::join!(first, second)
    };
    let ((first, second), _requests) = tokio::join!(client, server);
    assert_eq!(
        (first.status(), second.status()),
        (StatusCode::OK, StatusCode::OK)
    );
}

#[tokio::test]
async fn a_server_that_does_not_speak_http2_gets_no_request() {
    let (listener, upstream) = listen().await;
    let server = async {
        let mut socket = listener.accept().await.unwrap().0;
        let mut received = vec![0; 24];
        socket.read_exact(&mut received).await.unwrap();
        let refusal = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        socket.write_all(refusal).await.unwrap();
        socket.shutdown().await.unwrap();
        let _ = socket.read_to_end(&mut received).await;
        received
    };
    let sending = upstream.send(Instant::now(), request("GET"), WithoutRenewal);
    let (sent, received) = tokio::join!(sending, server);
    assert!(matches!(
        sent,
        Err(SendError::Connect(ConnectError::NotHttp2))
    ));
    // The preface and SETTINGS, and perhaps a GOAWAY, but no HEADERS.
    let mut frames = &received[24..];
    while frames.len() >= 9 {
        assert_ne!(frames[3], HEADERS);
        frames = &frames[9 + usize::from(frames[2])..];
    }
}
