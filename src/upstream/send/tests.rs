//! Idle connections over real sockets, at a time that the test supplies.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::super::test_config::{config_of, tls_without_roots};
use super::*;

const LIMIT: Duration = Duration::from_mins(1);

/// An upstream whose idle connections are not checked by a reaper.
fn without_reaper(address: std::net::SocketAddr, metrics: Arc<Metrics>) -> Upstream<Empty<Bytes>> {
    let config = config_of(address, config::ApiHttp2::Match, LIMIT);
    Upstream::without_reaper(&config, &tls_without_roots(), metrics)
}

async fn ask(upstream: &Upstream<Empty<Bytes>>, now: Instant) {
    let request = Request::get("/").header("host", "x").body(Empty::new());
    let sent = upstream.send(now, request.unwrap(), WithoutRenewal).await;
    assert!(sent.unwrap().into_body().frame().await.is_none());
}

async fn answer(listener: &TcpListener) -> TcpStream {
    let mut stream = listener.accept().await.unwrap().0;
    assert_ne!(stream.read(&mut [0; 100]).await.unwrap(), 0);
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    stream.write_all(answer).await.unwrap();
    stream
}

#[tokio::test]
async fn a_request_that_finds_its_idle_connection_closed_lowers_the_estimate() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = without_reaper(listener.local_addr().unwrap(), Metrics::new(None));
    let ((), stream) = tokio::join!(ask(&upstream, Instant::now()), answer(&listener));
    drop(stream);
    tokio::task::yield_now().await; // lets the runtime notice that the connection was closed
    let age = Duration::from_secs(5);
    assert!(upstream.context.pool.idle_timeout.expects_open(age));
    let later = Instant::now() + age;
    tokio::join!(ask(&upstream, later), answer(&listener));
    assert!(!upstream.context.pool.idle_timeout.expects_open(age));
}

#[test]
fn a_reaper_that_panics_is_named_among_the_stopped_tasks() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let metrics = Metrics::new(None);
    let upstream = runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = without_reaper(listener.local_addr().unwrap(), Arc::clone(&metrics));
        let ((), _open) = tokio::join!(ask(&upstream, Instant::now()), answer(&listener));
        upstream
    });
    // With a connection to watch, the reaper sleeps, and a runtime without timers panics when a task does.
    let without_timers = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let reaped = without_timers.block_on(async { start_reaper(&upstream.context.pool).await });
    assert!(reaped.unwrap_err().is_panic());
    assert_eq!(
        metrics.stopped_tasks().names(),
        ["idle upstream connections"]
    );
}
