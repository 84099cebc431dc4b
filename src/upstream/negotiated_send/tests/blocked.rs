//! Connections to which no further request goes: the API does not read, ends them at once, or counts cancelled streams.

use http_body_util::Full;
use tokio::io::AsyncWriteExt as _;

use super::raw::{GOAWAY, SETTINGS, frame};
use super::*;

const LARGE: usize = 32 << 20;

/// An API that accepts a large upload.
async fn accept_large_uploads(listener: &TcpListener) -> ServerConnection {
    let socket = listener.accept().await.unwrap().0;
    let window = u32::try_from(LARGE).unwrap();
    let mut builder = h2::server::Builder::new();
    builder.initial_window_size(window);
    builder.initial_connection_window_size(window);
    builder.handshake(socket).await.unwrap()
}

#[tokio::test]
async fn a_head_does_not_wait_behind_an_upload_that_the_api_does_not_read() {
    let (listener, upstream) = listen().await;
    let upload = request("POST").map(|_| Full::new(Bytes::from(vec![0; LARGE])).boxed());
    let mut uploading = Box::pin(upstream.send(Instant::now(), upload, WithoutRenewal));
    let blocked = async {
        let mut connection = accept_large_uploads(&listener).await;
        let accepted = connection.accept().await.unwrap().unwrap();
        while upstream.http2.reserve().is_some() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        (connection, accepted)
    };
    let _unread = tokio::select! {
        _ = &mut uploading => unreachable!("there is no response"),
        unread = timeout(LIMIT, blocked) => unread.expect("in time"),
    };
    let asking = upstream.send(Instant::now(), request("GET"), WithoutRenewal);
    let another = async {
        let mut requests = serve(accept(&listener, None).await);
        next(&mut requests).await.0
    };
    tokio::select! {
        _ = &mut uploading => unreachable!("there is no response"),
        _ = asking => unreachable!("there is no response"),
        found = timeout(LIMIT, another) => assert_eq!(found.expect("in time").method(), "GET"),
    }
}

#[tokio::test]
async fn a_connection_that_ends_before_its_first_request_is_not_one_without_http2() {
    let (listener, upstream) = listen().await;
    let mut at_once = frame(SETTINGS, 0, &[]);
    at_once.extend(frame(GOAWAY, 0, &[0; 8]));
    let server = async {
        let mut ended = listener.accept().await.unwrap().0;
        ended.write_all(&at_once).await.unwrap();
        let mut requests = serve(accept(&listener, None).await);
        respond(next(&mut requests).await.1);
        (ended, requests)
    };
    let counts = Counts::default();
    let sending = upstream.send(Instant::now(), request("POST"), Counted(&counts, "POST"));
    let (sent, _connections) = tokio::join!(sending, server);
    assert_eq!(sent.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_connection_gets_no_further_request_before_the_api_has_seen_too_many_cancelled() {
    let (listener, upstream) = listen().await;
    let first = accept(&listener, None);
    let mut ask = Box::pin(upstream.send(Instant::now(), request("GET"), WithoutRenewal));
    let mut first = tokio::select! {
        _ = &mut ask => unreachable!("there is no response"),
        connection = first => serve(connection),
    };
    for _ in 0..100 {
        tokio::select! {
            _ = &mut ask => unreachable!("there is no response"),
            _ = next(&mut first) => {}
        }
        ask = Box::pin(upstream.send(Instant::now(), request("GET"), WithoutRenewal));
    }
    let mut second = tokio::select! {
        _ = &mut ask => unreachable!("there is no response"),
        connection = timeout(LIMIT, accept(&listener, None)) => serve(connection.expect("in time")),
    };
    tokio::select! {
        _ = &mut ask => unreachable!("there is no response"),
        accepted = next(&mut second) => assert_eq!(accepted.0.method(), "GET"),
    }
}
