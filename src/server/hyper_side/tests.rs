use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::Arc;

use http::{Request, Response};
use http_body_util::Full;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::super::client_stream::ClientStream;
use super::super::limits::ConnectionLimits;
use super::super::registry::{ConnectionRegistry, ConnectionSlot};
use super::super::request_body::RequestBody;
use super::*;
use crate::metrics::Metrics;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

struct HyperScene<S: HttpService> {
    side: HyperSide<S>,
    client: TcpStream,
    slot: ConnectionSlot,
}

async fn scene() -> HyperScene<impl HttpService> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap());
    let (client, accepted) = tokio::join!(client, listener.accept());
    let limits = ConnectionLimits::of_a_minute(1);
    let slot = ConnectionRegistry::new(limits, Metrics::new(None)).register();
    let io = ClientIo::new(
        ClientStream::Tcp(accepted.unwrap().0),
        Arc::clone(&slot.connection),
        Arc::clone(&slot.registry.metrics),
    );
    let service = tower::service_fn(async |_: Request<RequestBody>| {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("answer")))
    });
    let service = TrackedService::new(service, Arc::clone(&slot.connection));
    HyperScene {
        side: HyperSide::new(io, service, limits.header_bytes),
        client: client.unwrap(),
        slot,
    }
}

impl<S: HttpService> HyperScene<S> {
    /// What the client reads until the end of a response.
    async fn response(&mut self) -> String {
        let mut read = Vec::new();
        while !read.ends_with(b"answer") {
            let side = &mut self.side;
            tokio::select! {
                biased;
                bytes = self.client.read_buf(&mut read) => assert!(bytes.unwrap() > 0),
                ended = poll_fn(|cx| side.poll(cx)) => panic!("{ended:?}"),
            }
        }
        String::from_utf8(read).unwrap()
    }
}

#[tokio::test]
async fn a_resting_connection_serves_the_next_request_each_time() {
    let mut scene = scene().await;
    for _ in 0..3 {
        scene.client.write_all(REQUEST).await.unwrap();
        assert!(scene.response().await.starts_with("HTTP/1.1 200 OK\r\n"));
        assert!(scene.slot.connection.may_rest() && !scene.side.is_resting());
        scene.side.rest();
        assert!(scene.side.is_resting());
    }
}

#[tokio::test]
async fn what_hyper_has_not_parsed_is_neither_lost_nor_read_as_another_request() {
    let mut scene = scene().await;
    for length in 1..REQUEST.len() {
        let (first, second) = REQUEST.split_at(length);
        scene.client.write_all(first).await.unwrap();
        while !scene.slot.connection.is_in_head() {
            let side = &mut scene.side;
            let is_pending = poll_fn(|cx| Poll::Ready(side.poll(cx).is_pending()));
            assert!(is_pending.await);
            tokio::task::yield_now().await;
        }
        scene.side.rest();
        assert!(!scene.side.is_resting());
        scene.client.write_all(second).await.unwrap();
        assert!(scene.response().await.starts_with("HTTP/1.1 200 OK\r\n"));
    }
}

#[tokio::test]
async fn a_resting_connection_ends_with_its_client_and_at_a_shutdown() {
    for is_shut_down in [false, true] {
        let mut scene = scene().await;
        scene.client.write_all(REQUEST).await.unwrap();
        scene.response().await;
        scene.side.rest();
        if is_shut_down {
            scene.side.graceful_shutdown();
        } else {
            scene.client.shutdown().await.unwrap();
        }
        poll_fn(|cx| scene.side.poll(cx)).await.unwrap();
        drop(scene.side);
        assert_eq!(scene.client.read(&mut [0]).await.unwrap(), 0);
    }
}
