//! The bare path of a request, in the designs that `benches/NOTES.md` compares.
//!
//! `cargo bench --bench bare -- MODE LISTEN_PORT UPSTREAM_PORT` forwards `127.0.0.1:LISTEN_PORT`
//! to `http://127.0.0.1:UPSTREAM_PORT` with a bearer token attached, and does nothing else until it is killed.
//! To measure it: `benches/sidebyside --only small --also 'NAME=BINARY MODE {listen} {upstream}'`, where BINARY is what
//! `cargo bench --bench bare --no-run` has built. The modes are:
//!
//! - `multi-client`: the multi-thread runtime (one worker) and hyper-util's client
//! - `current-client`: a current-thread runtime and hyper-util's client
//! - `current-list`: a current-thread runtime, hyper's own connections, each in its own task, and a list
//!   of idle ones
//! - `rooms`: this crate's `server` and `upstream`: like `current-list`, but each connection is driven by
//!   the exchange that uses it

#![allow(clippy::print_stderr, reason = "a benchmark prints its usage")]

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use cupbearer::metrics::Metrics;
use cupbearer::{config, net, server, upstream};
use http::{HeaderValue, Request, Response, Uri, header};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::service::service_fn;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};

fn main() {
    let args: Vec<String> = std::env::args().filter(|arg| arg != "--bench").collect();
    let [_, mode, listen, upstream] = args.as_slice() else {
        eprintln!(
            "usage: bare multi-client|current-client|current-list|rooms LISTEN_PORT UPSTREAM_PORT"
        );
        return;
    };
    let listen = loopback(listen.parse().expect("a port"));
    let upstream = loopback(upstream.parse().expect("a port"));
    let runtime = match mode.as_str() {
        "multi-client" => tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build(),
        _ => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build(),
    };
    runtime.expect("a runtime").block_on(async move {
        match mode.as_str() {
            "multi-client" | "current-client" => through_client(listen, upstream).await,
            "current-list" => through_list(listen, upstream).await,
            "rooms" => through_rooms(listen, upstream).await,
            other => eprintln!("unknown mode: {other}"),
        }
    });
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// As long as the token that `benches/sidebyside` uses for the other proxies.
fn bearer() -> HeaderValue {
    HeaderValue::from_str(&format!("Bearer eyJ{}", "a".repeat(1100))).expect("visible ASCII")
}

/// The minimum that every design has to change in a request.
fn prepare<B>(request: &mut Request<B>, uri: Uri, bearer: &HeaderValue) {
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    headers.remove(header::CONNECTION);
    headers.insert(header::HOST, HeaderValue::from_static("localhost"));
    headers.insert(header::AUTHORIZATION, bearer.clone());
}

async fn through_client(listen: SocketAddr, upstream: SocketAddr) {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client: Client<_, Incoming> = Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(Duration::from_secs(50))
        .build(connector);
    let bearer = bearer();
    serve(listen, move |mut request: Request<Incoming>| {
        let path = request
            .uri()
            .path_and_query()
            .map_or("/", |path| path.as_str());
        let uri = Uri::try_from(format!("http://{upstream}{path}")).expect("a valid address");
        prepare(&mut request, uri, &bearer);
        let answer = client.request(request);
        async move { Ok::<_, Infallible>(answer.await.expect("the upstream answers")) }
    })
    .await;
}

async fn serve<F, A, B>(listen: SocketAddr, answer: F)
where
    F: Fn(Request<Incoming>) -> A + Clone + Send + 'static,
    A: Future<Output = Result<Response<B>, Infallible>> + Send + 'static,
    B: Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Send + 'static,
{
    let listener = TcpListener::bind(listen).await.expect("a free port");
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        let _ = stream.set_nodelay(true);
        let service = service_fn(answer.clone());
        tokio::spawn(async move {
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

type Idle = Arc<Mutex<Vec<SendRequest<Incoming>>>>;

async fn through_list(listen: SocketAddr, upstream: SocketAddr) {
    let idle = Idle::default();
    let bearer = bearer();
    serve(listen, move |mut request: Request<Incoming>| {
        let path = request.uri().path_and_query().cloned();
        let uri = path.map_or(Uri::from_static("/"), Uri::from);
        prepare(&mut request, uri, &bearer);
        let idle = Arc::clone(&idle);
        async move {
            let mut sender = if let Some(sender) = checkout(&idle) {
                sender
            } else {
                let stream = TcpStream::connect(upstream)
                    .await
                    .expect("the upstream listens");
                let _ = stream.set_nodelay(true);
                let (sender, connection) =
                    hyper::client::conn::http1::handshake(TokioIo::new(stream))
                        .await
                        .expect("a handshake");
                tokio::spawn(connection);
                sender
            };
            let response = sender
                .send_request(request)
                .await
                .expect("the upstream answers");
            Ok::<_, Infallible>(response.map(|incoming| ListedBody {
                incoming,
                sender: Some(sender),
                idle,
            }))
        }
    })
    .await;
}

fn checkout(idle: &Idle) -> Option<SendRequest<Incoming>> {
    let mut idle = idle
        .lock()
        .expect("no thread panics while it holds the lock");
    let ready = idle.iter().rposition(SendRequest::is_ready)?;
    Some(idle.swap_remove(ready))
}

/// A body that returns its connection to the list.
struct ListedBody {
    incoming: Incoming,
    sender: Option<SendRequest<Incoming>>,
    idle: Idle,
}

impl Body for ListedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.incoming).poll_frame(cx);
        if (matches!(polled, Poll::Ready(None)) || self.incoming.is_end_stream())
            && let Some(sender) = self.sender.take()
        {
            self.idle
                .lock()
                .expect("no thread panics while it holds the lock")
                .push(sender);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.incoming.size_hint()
    }
}

/// The client side, with the defaults.
fn client_room(upstream: SocketAddr) -> upstream::Upstream<server::RequestBody> {
    let url = config::Origin {
        scheme: http::uri::Scheme::HTTP,
        authority: upstream
            .to_string()
            .parse()
            .expect("an address is an authority"),
    };
    let minute = Duration::from_mins(1);
    upstream::Upstream::new(
        &config::UpstreamConfig {
            san: None,
            url,
            proxy: None,
            client_certificate: None,
            headers: Vec::new(),
            rewrite: true,
            openapi: Vec::new(),
            openapi_removes_security: true,
            docs_note: false,
            openapi_memory: 64 << 20,
            cookies: false,
            via: true,
            http2: config::ApiHttp2::Match,
            connect_timeout: minute,
            head_timeout: minute,
            stall_timeout: minute,
            pool_idle: minute,
            retry_body: 64 << 10,
        },
        &net::client_config(&config::NetworkConfig::default()).expect("the system has roots"),
        Metrics::new(None),
    )
}

async fn through_rooms(listen: SocketAddr, upstream: SocketAddr) {
    let upstream = client_room(upstream);
    let minute = Duration::from_mins(1);
    let limits = server::ConnectionLimits {
        connections: 9000,
        header_bytes: 64 << 10,
        streams: 128,
        header_timeout: minute,
        keep_alive: minute,
        stall_timeout: minute,
        head_grace: Duration::from_millis(250),
        unread_gives_way: None,
    };
    let bound = server::bind(&config::Listen::Tcp(listen)).expect("a free port");
    let (_order, stop) = server::StopSignal::channel();
    let bearer = bearer();
    let make = move |_| {
        let (upstream, bearer) = (upstream.clone(), bearer.clone());
        tower::service_fn(move |mut request: Request<server::RequestBody>| {
            let uri = request
                .uri()
                .path_and_query()
                .cloned()
                .map_or(Uri::from_static("/"), Uri::from);
            prepare(&mut request, uri, &bearer);
            let upstream = upstream.clone();
            async move {
                Ok::<_, Infallible>(
                    upstream
                        .send(
                            tokio::time::Instant::now(),
                            request,
                            upstream::WithoutRenewal,
                        )
                        .await
                        .expect("the upstream answers"),
                )
            }
        })
    };
    server::Server::new(bound, limits, Metrics::new(None))
        .serve(make, stop, move || minute)
        .await;
}
