//! Requests that wait for a connection, and APIs that lower their limit meanwhile. A head never waits with its token
//! inside a connection.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use tokio::io::AsyncReadExt as _;
use tokio::sync::watch;

use super::raw::{HEADERS, RST_STREAM, RawServer, SETTINGS, frame, most_streams};
use super::*;

#[tokio::test]
async fn a_request_is_renewed_too_after_it_has_waited_for_the_connection_of_another() {
    let (listener, upstream) = listen().await;
    let counts = Counts::default();
    let ask = || upstream.send(Instant::now(), request("GET"), Counted(&counts, "GET"));
    let server = async {
        let mut requests = serve(accept(&listener, None).await);
        respond(next(&mut requests).await.1);
        respond(next(&mut requests).await.1);
        requests
    };
    let (one, two, _requests) = tokio::join!(ask(), ask(), server);
    assert!(one.is_ok() && two.is_ok());
    assert_eq!(counts.renewed.load(Ordering::Relaxed), 2);
}

async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

/// Two ends of a connection.
async fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (one, other) = tokio::join!(TcpStream::connect(address), listener.accept());
    (one.unwrap(), other.unwrap().0)
}

#[tokio::test]
async fn a_head_is_written_even_if_a_lower_limit_arrives_at_that_moment() {
    let (listener, upstream) = listen().await;
    let mut first = Box::pin(upstream.send(Instant::now(), request("GET"), WithoutRenewal));
    let opening = async {
        let mut server = RawServer::accept(&listener).await;
        server.read_until(HEADERS).await;
        server
    };
    let mut server = tokio::select! {
        _ = &mut first => unreachable!("there is no response"),
        server = opening => server,
    };
    // The runtime learns of both bytes at once, and polls this task before that of the connection.
    let (signal, mut receiver) = sockets().await;
    let mut signalled = Box::pin(receiver.read_u8());
    assert!(poll_once(signalled.as_mut()).await.is_pending());
    signal.writable().await.unwrap();
    server.socket.writable().await.unwrap();
    server.socket.try_write(&most_streams(1)).unwrap();
    signal.try_write(b"x").unwrap();
    signalled.await.unwrap();
    let mut second = Box::pin(upstream.send(Instant::now(), request("GET"), WithoutRenewal));
    assert!(poll_once(second.as_mut()).await.is_pending());
    tokio::select! {
        _ = &mut first => unreachable!("there is no response"),
        _ = &mut second => unreachable!("there is no response"),
        headers = timeout(LIMIT, server.read_until(HEADERS)) => assert!(headers.is_ok(), "the head waits"),
    }
}

/// Goes out again in any case, but its renewal waits until it may end.
struct SlowRenewal<'a> {
    begun: &'a watch::Sender<bool>,
    may_end: watch::Receiver<bool>,
}

impl RequestRenewal<TestBody> for SlowRenewal<'_> {
    type Error = SendError;

    async fn renew(&mut self, _headers: &mut HeaderMap) -> Result<(), SendError> {
        self.begun.send_replace(true);
        let _ = self.may_end.wait_for(|may| *may).await;
        Ok(())
    }

    fn copy(&mut self) -> Option<TestRequest> {
        None
    }

    fn restart(&mut self) -> Option<TestRequest> {
        Some(request("POST"))
    }
}

#[tokio::test]
async fn a_request_goes_elsewhere_if_the_limit_was_lowered_during_its_renewal() {
    const REFUSED_STREAM: [u8; 4] = [0, 0, 0, 7];
    let (listener, upstream) = listen().await;
    let (begun, may_end) = (watch::Sender::new(false), watch::Sender::new(false));
    let server = async {
        let mut server = RawServer::accept(&listener).await;
        server.read_until(HEADERS).await;
        server.read_until(HEADERS).await;
        server.send(&frame(RST_STREAM, 3, &REFUSED_STREAM)).await;
        begun.subscribe().wait_for(|begun| *begun).await.unwrap();
        server.send(&most_streams(1)).await;
        server.read_until(SETTINGS).await; // the acknowledgement
        may_end.send_replace(true);
        let mut requests = serve(accept(&listener, None).await);
        respond(next(&mut requests).await.1);
        (server, requests)
    };
    let first = upstream.send(Instant::now(), request("GET"), WithoutRenewal);
    let second = async {
        until(|| upstream.http2.reserve().is_some()).await;
        let renewal = SlowRenewal {
            begun: &begun,
            may_end: may_end.subscribe(),
        };
        upstream
            .send(Instant::now(), request("POST"), renewal)
            .await
    };
    let both = async { tokio::join!(second, server) };
    tokio::select! {
        _ = first => unreachable!("there is no response"),
        done = timeout(LIMIT, both) => {
            let (sent, _servers) = done.expect("the head waits for the first stream");
            assert_eq!(sent.unwrap().status(), StatusCode::OK);
        }
    }
}
