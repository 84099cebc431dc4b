use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tokio::net::TcpStream;

use super::*;
use crate::config::Listen;

#[tokio::test]
async fn connections_are_distributed_evenly_over_the_workers() {
    let limits = ConnectionLimits::of_a_minute(100);
    let bound = bind(&Listen::Tcp(([127, 0, 0, 1], 0).into())).unwrap();
    let address = bound.addresses[0];
    let mut server = Server::new(bound, limits, Metrics::new(None));
    let (worker, mut handovers) = mpsc::unbounded_channel();
    server.add_worker(worker);
    let live_limits = server.live_limits();
    let (_stop, stop_signal) = StopSignal::channel();
    let make_service = |_: Peer| {
        tower::service_fn(async |_: Request<RequestBody>| {
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        })
    };
    tokio::spawn(server.serve(make_service, stop_signal, || Duration::ZERO));
    let mut clients = Vec::new();
    for _ in 0..10 {
        clients.push(TcpStream::connect(address).await.unwrap());
    }
    let mut handed_over = Vec::new();
    for _ in 0..5 {
        let next = tokio::time::timeout(Duration::from_secs(10), handovers.recv());
        handed_over.push(next.await.unwrap());
    }
    while live_limits.0.count() < 10 {
        tokio::task::yield_now().await;
    }
    assert!(handovers.try_recv().is_err(), "the other half stays here");
}
