//! What a stop leaves to connections on which no request has arrived.

use std::convert::Infallible;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, yield_now};

use super::*;
use crate::config::Listen;
use crate::guard::Peer;
use crate::metrics::Metrics;
use crate::server::{ConnectionLimits, LiveLimits, LiveTls, RequestBody, Server, ServerTls, bind};

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A server that responds to every request with an empty 200.
struct Serving {
    address: SocketAddr,
    limits: LiveLimits,
    tls: LiveTls,
    stop: watch::Sender<DrainPhase>,
    ended: JoinHandle<Drained>,
}

impl Serving {
    fn with(limits: ConnectionLimits) -> Self {
        let bound = bind(&Listen::Tcp(([127, 0, 0, 1], 0).into())).unwrap();
        let address = bound.addresses[0];
        let server = Server::new(bound, limits, Metrics::new(None));
        let (limits, tls) = (server.live_limits(), server.live_tls());
        let (stop, signal) = StopSignal::channel();
        let make_service = |_: Peer| {
            tower::service_fn(async |_: Request<RequestBody>| {
                Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
            })
        };
        let ended = tokio::spawn(server.serve(make_service, signal, || Duration::from_mins(1)));
        Self {
            address,
            limits,
            tls,
            stop,
            ended,
        }
    }

    /// A client that the server has accepted.
    async fn connect(&self) -> TcpStream {
        let client = TcpStream::connect(self.address).await.unwrap();
        while self.limits.0.count() == 0 {
            yield_now().await;
        }
        client
    }

    /// Stops the server, and returns when its connections have been told.
    async fn stop(&self) {
        self.stop.send_replace(DrainPhase::Draining);
        while TcpStream::connect(self.address).await.is_ok() {
            yield_now().await;
        }
    }
}

/// The response to a request that is sent now, and what follows until the server closes the connection.
async fn response(client: &mut TcpStream) -> String {
    let _ = client.write_all(REQUEST.as_bytes()).await;
    let mut response = String::new();
    let _ = client.read_to_string(&mut response).await;
    response
}

fn assert_is_last(response: &str) {
    assert!(response.starts_with("HTTP/1.1 200"), "{response:?}");
    assert!(response.contains("connection: close"), "{response:?}");
}

#[tokio::test]
async fn a_new_connection_may_still_send_its_first_request() {
    let serving = Serving::with(ConnectionLimits::of_a_minute(10));
    let mut client = serving.connect().await;
    serving.stop().await;
    assert_is_last(&response(&mut client).await);
    assert_eq!(serving.ended.await.unwrap().cut, 0);
}

/// Its own time for that is over, so what has not been sent is not waited for.
#[tokio::test]
async fn an_old_connection_without_a_request_is_closed_at_once() {
    let serving = Serving::with(ConnectionLimits {
        head_grace: Duration::ZERO,
        ..ConnectionLimits::of_a_minute(10)
    });
    let mut client = serving.connect().await;
    serving.stop().await;
    assert_eq!(client.read_to_end(&mut Vec::new()).await.unwrap(), 0);
    assert_eq!(serving.ended.await.unwrap().cut, 0);
}

#[tokio::test]
async fn the_rest_of_a_head_on_a_kept_connection_is_waited_for() {
    let serving = Serving::with(ConnectionLimits {
        head_grace: Duration::ZERO,
        ..ConnectionLimits::of_a_minute(10)
    });
    let mut client = serving.connect().await;
    let (begun, rest) = REQUEST.split_at(10);
    let both = format!("{REQUEST}{begun}");
    client.write_all(both.as_bytes()).await.unwrap();
    let mut first = Vec::new();
    while !first.ends_with(b"\r\n\r\n") {
        first.push(client.read_u8().await.unwrap());
    }
    serving.stop().await;
    client.write_all(rest.as_bytes()).await.unwrap();
    let mut second = String::new();
    client.read_to_string(&mut second).await.unwrap();
    assert_is_last(&second);
}

/// The TLS of a server, and a client that trusts it.
fn tls() -> (Arc<ServerTls>, ClientConnection) {
    let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(issued.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![issued.cert.der().clone()], key)
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(issued.cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = "localhost".try_into().unwrap();
    let tls = Arc::new(ServerTls {
        config: Arc::new(server),
        authorities: Arc::default(),
        client_trust: watch::channel(false).1,
    });
    (tls, ClientConnection::new(Arc::new(client), name).unwrap())
}

/// Ends the handshake, lets the server end it too, and sends a request.
fn exchange(mut session: ClientConnection, mut socket: std::net::TcpStream) -> String {
    while session.is_handshaking() || session.wants_write() {
        session.complete_io(&mut socket).unwrap();
    }
    // The server sends its tickets when it has ended the handshake.
    let mut peeked = [0];
    assert_eq!(socket.peek(&mut peeked).unwrap(), 1, "the server closes");
    session.writer().write_all(REQUEST.as_bytes()).unwrap();
    let mut stream = rustls::StreamOwned::new(session, socket);
    let mut response = Vec::new();
    let _ = stream.read_to_end(&mut response);
    String::from_utf8(response).unwrap()
}

#[tokio::test]
async fn a_handshake_ends_during_a_stop_and_a_request_may_follow_it() {
    for begun in [0, 100] {
        let serving = Serving::with(ConnectionLimits::of_a_minute(10));
        let (tls, mut session) = tls();
        serving.tls.set(Some(tls));
        let mut client = serving.connect().await;
        let mut hello = Vec::new();
        session.write_tls(&mut hello).unwrap();
        client.write_all(&hello[..begun]).await.unwrap();
        serving.stop().await;
        client.write_all(&hello[begun..]).await.unwrap();
        let socket = client.into_std().unwrap();
        socket.set_nonblocking(false).unwrap();
        let response = tokio::task::spawn_blocking(|| exchange(session, socket));
        assert_is_last(&response.await.unwrap());
        assert_eq!(serving.ended.await.unwrap().cut, 0);
    }
}
