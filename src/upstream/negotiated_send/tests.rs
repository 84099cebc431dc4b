//! HTTP/2 to servers of the `h2` crate, and to raw sockets where a server must misbehave.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{HeaderMap, HeaderValue, StatusCode, Version};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Empty};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::super::test_config::{config_of, tls_without_roots};
use super::*;
use crate::config;
use crate::upstream::WithoutRenewal;

mod blocked;
mod bodies;
mod endings;
mod http1_required;
mod limits;
mod raw;
mod timeouts;
mod unfinished;

const LIMIT: Duration = Duration::from_secs(20);

type TestBody = BoxBody<Bytes, Infallible>;
type TestRequest = Request<TestBody>;

/// An upstream without TLS that is expected to speak HTTP/2.
fn upstream_at(address: std::net::SocketAddr, pool_idle: Duration) -> Upstream<TestBody> {
    let mut config = config_of(address, config::ApiHttp2::Always, LIMIT);
    config.pool_idle = pool_idle;
    Upstream::uncounted(&config, &tls_without_roots())
}

async fn listen() -> (TcpListener, Upstream<TestBody>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = upstream_at(listener.local_addr().unwrap(), LIMIT);
    (listener, upstream)
}

fn empty() -> TestBody {
    Empty::new().boxed()
}

fn request(method: &str) -> TestRequest {
    let request = Request::builder().method(method).uri("/a?b=c");
    let request = request.version(Version::HTTP_2);
    request.header("host", "x").body(empty()).unwrap()
}

/// How often a request was renewed, copied and begun again.
#[derive(Default)]
struct Counts {
    renewed: AtomicU32,
    copied: AtomicU32,
    restarted: AtomicU32,
}

/// May be copied if it is safe, and begun again in any case.
struct Counted<'a>(&'a Counts, &'static str);

impl RequestRenewal<TestBody> for Counted<'_> {
    type Error = SendError;

    async fn renew(&mut self, headers: &mut HeaderMap) -> Result<(), SendError> {
        let renewed = self.0.renewed.fetch_add(1, Ordering::Relaxed) + 1;
        headers.insert("x-renewed", HeaderValue::from(renewed));
        Ok(())
    }

    fn copy(&mut self) -> Option<TestRequest> {
        (self.1 == "GET").then(|| {
            self.0.copied.fetch_add(1, Ordering::Relaxed);
            request(self.1)
        })
    }

    fn restart(&mut self) -> Option<TestRequest> {
        self.0.restarted.fetch_add(1, Ordering::Relaxed);
        Some(request(self.1))
    }
}

async fn send(
    upstream: &Upstream<TestBody>,
    request: TestRequest,
) -> Response<ResponseBody<TestBody>> {
    let sending = upstream.send(Instant::now(), request, WithoutRenewal);
    timeout(LIMIT, sending).await.expect("a response").unwrap()
}

type ServerConnection = h2::server::Connection<TcpStream, Bytes>;

async fn accept(listener: &TcpListener, streams: Option<u32>) -> ServerConnection {
    let socket = listener.accept().await.unwrap().0;
    let mut builder = h2::server::Builder::new();
    if let Some(streams) = streams {
        builder.max_concurrent_streams(streams);
    }
    builder.handshake(socket).await.unwrap()
}

type Accepted = (Request<RecvStream>, SendResponse<Bytes>);

/// Hands the requests of a connection over, and drives it.
fn serve(mut connection: ServerConnection) -> mpsc::UnboundedReceiver<Accepted> {
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(Ok(accepted)) = connection.accept().await {
            if sender.send(accepted).is_err() {
                break;
            }
        }
    });
    receiver
}

fn respond(mut response: SendResponse<Bytes>) {
    response.send_response(Response::new(()), true).unwrap();
}

/// Waits until this holds.
async fn until(mut condition: impl FnMut() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    timeout(LIMIT, waiting).await.expect("in time");
}

async fn next(requests: &mut mpsc::UnboundedReceiver<Accepted>) -> Accepted {
    let next = timeout(LIMIT, requests.recv()).await.expect("in time");
    next.expect("a request")
}

#[tokio::test]
async fn requests_share_a_connection_and_have_the_form_of_http2() {
    let (listener, upstream) = listen().await;
    let server = async {
        let mut requests = serve(accept(&listener, None).await);
        let first = next(&mut requests).await;
        let second = next(&mut requests).await;
        let (request, response) = first;
        assert_eq!(
            request.uri(),
            &*format!("http://{}/a?b=c", listener.local_addr().unwrap())
        );
        assert!(!request.headers().contains_key("host"));
        respond(second.1); // in another order
        respond(response);
        requests
    };
    let (one, two, _requests) = tokio::join!(
        send(&upstream, request("GET")),
        send(&upstream, request("GET")),
        server
    );
    assert_eq!(one.version(), Version::HTTP_2);
    assert_eq!(two.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_connection_that_takes_no_more_streams_gets_company() {
    let (listener, upstream) = listen().await;
    let server = async {
        let mut first = serve(accept(&listener, Some(1)).await);
        let one = next(&mut first).await;
        let mut second = serve(accept(&listener, Some(1)).await);
        let two = next(&mut second).await;
        assert!(
            first.try_recv().is_err(),
            "a second stream on the first connection"
        );
        respond(one.1);
        respond(two.1);
        (first, second)
    };
    let (one, two, (mut first, _second)) = tokio::join!(
        send(&upstream, request("GET")),
        send(&upstream, request("GET")),
        server
    );
    drop((one, two));
    // Both are free now: the older one is used.
    let (_sent, ()) = tokio::join!(send(&upstream, request("GET")), async {
        respond(next(&mut first).await.1);
    });
}

#[tokio::test]
async fn a_request_is_renewed_right_before_a_new_connection_gets_it_and_not_on_an_open_one() {
    let (listener, upstream) = listen().await;
    let counts = Counts::default();
    let ask = || upstream.send(Instant::now(), request("GET"), Counted(&counts, "GET"));
    let server = async {
        let mut requests = serve(accept(&listener, None).await);
        let (request, response) = next(&mut requests).await;
        assert_eq!(request.headers()["x-renewed"], "1");
        respond(response);
        requests
    };
    let (sent, mut requests) = tokio::join!(ask(), server);
    drop(sent.unwrap());
    let (sent, ()) = tokio::join!(ask(), async { respond(next(&mut requests).await.1) });
    sent.unwrap();
    assert_eq!(counts.renewed.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_refused_request_of_any_method_goes_out_again_and_counts_as_unprocessed() {
    let (listener, upstream) = listen().await;
    let counts = Counts::default();
    let server = async {
        let mut requests = serve(accept(&listener, None).await);
        let (_, mut response) = next(&mut requests).await;
        response.send_reset(Reason::REFUSED_STREAM);
        respond(next(&mut requests).await.1);
        requests
    };
    let sending = upstream.send(Instant::now(), request("POST"), Counted(&counts, "POST"));
    let (sent, _requests) = tokio::join!(sending, server);
    assert_eq!(sent.unwrap().status(), StatusCode::OK);
    assert_eq!(counts.restarted.load(Ordering::Relaxed), 1);
    assert_eq!(counts.copied.load(Ordering::Relaxed), 0);
    assert_eq!(
        counts.renewed.load(Ordering::Relaxed),
        2,
        "before each of the two"
    );
}

#[tokio::test]
async fn an_api_that_refuses_every_time_is_not_asked_forever() {
    let (listener, upstream) = listen().await;
    let counts = Counts::default();
    let server = async {
        let mut requests = serve(accept(&listener, None).await);
        let mut refused = 0;
        while let Some((_, mut response)) = requests.recv().await {
            response.send_reset(Reason::REFUSED_STREAM);
            refused += 1;
            if refused == 1 + MOST_REPEATS {
                break;
            }
        }
        requests
    };
    let sending = upstream.send(Instant::now(), request("POST"), Counted(&counts, "POST"));
    let (sent, mut requests) = tokio::join!(sending, server);
    assert!(matches!(sent, Err(SendError::Refused)));
    assert!(requests.try_recv().is_err());
}

#[tokio::test]
async fn a_request_that_was_reset_otherwise_is_not_repeated() {
    let (listener, upstream) = listen().await;
    let counts = Counts::default();
    let server = async {
        let mut requests = serve(accept(&listener, None).await);
        let (_, mut response) = next(&mut requests).await;
        response.send_reset(Reason::ENHANCE_YOUR_CALM);
        requests
    };
    let sending = upstream.send(Instant::now(), request("GET"), Counted(&counts, "GET"));
    let (sent, mut requests) = tokio::join!(sending, server);
    assert!(matches!(sent, Err(SendError::Reset { .. })));
    assert!(requests.try_recv().is_err());
}

#[tokio::test]
async fn a_request_that_is_dropped_resets_its_stream_and_leaves_the_connection() {
    let (listener, upstream) = listen().await;
    let server = async {
        let mut requests = serve(accept(&listener, None).await);
        let (_, mut response) = next(&mut requests).await;
        let reset = std::future::poll_fn(move |cx| response.poll_reset(cx));
        (requests, reset)
    };
    let mut sending = Box::pin(upstream.send(Instant::now(), request("GET"), WithoutRenewal));
    let (mut requests, reset) = tokio::select! {
        _ = &mut sending => unreachable!("there is no response"),
        accepted = server => accepted,
    };
    drop(sending);
    let reason = timeout(LIMIT, reset).await.expect("in time").unwrap();
    assert_eq!(reason, Reason::CANCEL);
    let (sent, ()) = tokio::join!(send(&upstream, request("GET")), async {
        respond(next(&mut requests).await.1);
    });
    assert_eq!(sent.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_connection_without_requests_is_closed_after_a_while() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let idle = Duration::from_millis(50);
    let upstream = upstream_at(listener.local_addr().unwrap(), idle);
    let server = async {
        let mut connection = accept(&listener, None).await;
        respond(connection.accept().await.unwrap().unwrap().1);
        while connection.accept().await.is_some() {}
    };
    let client = async {
        drop(send(&upstream, request("GET")).await);
    };
    let both = async { tokio::join!(client, server) };
    timeout(LIMIT, both).await.expect("the connection ends");
    assert!(upstream.http2.reserve().is_none());
}

#[tokio::test]
async fn connections_are_closed_when_all_are_to_be_and_requests_in_flight_end_before() {
    let (listener, upstream) = listen().await;
    let server = async {
        let mut connection = accept(&listener, None).await;
        let (_, response) = connection.accept().await.unwrap().unwrap();
        upstream.drop_idle();
        assert!(upstream.http2.reserve().is_none());
        respond(response);
        while connection.accept().await.is_some() {}
    };
    let client = async {
        drop(send(&upstream, request("GET")).await);
    };
    let both = async { tokio::join!(client, server) };
    timeout(LIMIT, both).await.expect("in time");
}

#[tokio::test]
async fn many_requests_at_once_open_no_more_connections_than_they_need() {
    const REQUESTS: usize = 60;
    let (listener, upstream) = listen().await;
    let accepted = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&accepted);
    tokio::spawn(async move {
        loop {
            let mut requests = serve(accept(&listener, None).await);
            counted.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                while let Some((_, response)) = requests.recv().await {
                    respond(response);
                }
            });
        }
    });
    let sending = (0..REQUESTS).map(|_| send(&upstream, request("GET")));
    let responses = futures_util::future::join_all(sending).await;
    assert!(
        responses
            .iter()
            .all(|response| response.status() == StatusCode::OK)
    );
    assert_eq!(accepted.load(Ordering::Relaxed), 1);
}

#[test]
fn the_mode_decides_which_requests_are_to_go_out_as_http2() {
    use config::ApiHttp2::{Always, Match, Never};
    let of = |version, content_type: &str| {
        let request = Request::builder().version(version);
        request
            .header("content-type", content_type)
            .body(())
            .unwrap()
    };
    let (one, two) = (
        of(Version::HTTP_11, "text/plain"),
        of(Version::HTTP_2, "text/plain"),
    );
    let (grpc_one, grpc) = (
        of(Version::HTTP_11, "application/grpc"),
        of(Version::HTTP_2, "application/grpc"),
    );
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
    for (mode, is_tls, expected) in [
        (Match, true, [false, true, false, true]),
        (Match, false, [false, false, false, true]),
        (Always, true, [true; 4]),
        (Always, false, [true; 4]),
        (Never, true, [false; 4]),
        (Never, false, [false; 4]),
    ] {
        let mut config = config_of(address, mode, LIMIT);
        if is_tls {
            config.url.scheme = http::uri::Scheme::HTTPS;
        }
        let pool = crate::upstream::http2_pool::Http2Pool::<TestBody>::new(&config);
        let wanted = [&one, &two, &grpc_one, &grpc].map(|request| pool.is_wanted(request));
        assert_eq!(wanted, expected, "{mode:?}, TLS: {is_tls}");
    }
}
