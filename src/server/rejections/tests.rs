use bytes::Bytes;
use http::Response;

use super::super::limits::ConnectionLimits;
use super::*;
use crate::guard::{OwnScheme, Rejection, Transport};
use crate::metrics::Metrics;

/// Responds to everything with `no`.
struct No;

impl UnservedResponses for No {
    fn check_peer(&self, _: &Peer) -> Result<(), Rejection> {
        Ok(())
    }

    fn respond(&self, _: &UnservedRequest) -> Option<Response<Bytes>> {
        Some(Response::new(Bytes::from_static(b"no")))
    }

    fn begin_cut(&self) {}
}

/// How long a client holds a place that sends `request` and then neither reads nor closes.
async fn time_held(request: &[u8]) -> Duration {
    let (mut client, stream) = tokio::io::duplex(4096);
    client.write_all(request).await.unwrap();
    let start = tokio::time::Instant::now();
    let _ = respond(
        stream,
        false,
        &No,
        Peer::unix(None),
        UnservedCause::Full,
        || {},
    )
    .await;
    start.elapsed().max(Duration::from_millis(1))
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_releases_its_place_sooner_than_one_that_sends_a_request() {
    let silent = time_held(b"").await;
    assert!(
        silent <= FIRST_BYTE_TIMEOUT + Duration::from_millis(5),
        "{silent:?}"
    );
    let asking = time_held(b"GET").await;
    assert!(
        asking >= RESPONSE_TIMEOUT,
        "its response stays readable: {asking:?}"
    );
    assert!(
        asking <= RESPONSE_TIMEOUT + Duration::from_millis(5),
        "{asking:?}"
    );
}

fn registry() -> Arc<ConnectionRegistry> {
    let limits = ConnectionLimits::of_a_minute(1);
    let registry = ConnectionRegistry::new(limits, Metrics::new(None));
    registry.set_responses(Arc::new(No));
    registry
}

/// A connection that is rejected, and its client.
async fn rejected() -> (RejectedConnection, tokio::net::TcpStream) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let client = tokio::net::TcpStream::connect(address).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let connection = RejectedConnection {
        stream: ClientStream::Tcp(stream),
        peer: Peer {
            transport: Transport::Loopback,
            scheme: OwnScheme::Http,
            address: None,
            uid: Some(1),
            certificate: None,
        },
        cause: UnservedCause::Full,
    };
    (connection, client)
}

/// Takes every place with a client that reads nothing and does not close.
async fn take_all_places(
    places: &mut RejectionPlaces,
    registry: &Arc<ConnectionRegistry>,
) -> Vec<tokio::net::TcpStream> {
    let mut clients = Vec::new();
    for _ in 0..places.capacity {
        let (connection, mut client) = rejected().await;
        client.write_all(b"G").await.unwrap();
        places.reject_if_free(connection, registry);
        clients.push(client);
    }
    clients
}

async fn text(client: &mut tokio::net::TcpStream) -> String {
    let mut text = String::new();
    let _ = client.read_to_string(&mut text).await;
    text
}

#[tokio::test]
async fn a_newcomer_is_closed_while_all_places_are_taken_by_peers_that_are_not_admitted() {
    let (registry, mut places) = (registry(), RejectionPlaces::new(4));
    let _clients = take_all_places(&mut places, &registry).await;
    let (connection, mut client) = rejected().await;
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    places.reject_if_free(connection, &registry);
    assert_eq!(text(&mut client).await, "");
}

#[tokio::test]
async fn a_newcomer_takes_the_place_of_the_oldest_client_that_the_full_server_has_answered() {
    let (registry, mut places) = (registry(), RejectionPlaces::new(4));
    let mut clients = take_all_places(&mut places, &registry).await;
    let mut first = String::new();
    while first.is_empty() {
        let mut piece = [0; 100];
        let length = clients[0].read(&mut piece).await.unwrap();
        first.push_str(std::str::from_utf8(&piece[..length]).unwrap());
    }
    let start = tokio::time::Instant::now();
    let (connection, mut client) = rejected().await;
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    places.make_room().await;
    places.reject_if_free(connection, &registry);
    assert!(text(&mut client).await.ends_with("\r\n\r\nno"));
    assert!(start.elapsed() < RESPONSE_TIMEOUT);
    assert_eq!(places.taken.len(), 4);
}

/// Twice as many clients as places at once, none of which closes. All send their request only after they have
/// connected.
#[tokio::test]
async fn no_client_of_a_full_server_loses_its_place_before_it_has_been_answered() {
    let (registry, mut places) = (registry(), RejectionPlaces::new(4));
    let mut clients = Vec::new();
    for _ in 0..8 {
        let (connection, mut client) = rejected().await;
        places.make_room().await;
        places.reject_if_free(connection, &registry);
        clients.push(tokio::spawn(async move {
            client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
            let mut piece = [0; 100];
            let length = client.read(&mut piece).await.unwrap();
            (client, length)
        }));
    }
    for client in clients {
        let (_client, length) = client.await.unwrap();
        assert!(length > 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_gets_its_response_holds_up_the_others_for_100_ms_at_most() {
    let mut places = RejectionPlaces::new(1);
    let unfinished = tokio::spawn(std::future::pending::<()>());
    places.taken.push_back(TakenPlace {
        task: unfinished.abort_handle(),
        is_answered: Arc::default(),
    });
    let start = tokio::time::Instant::now();
    places.make_room().await;
    assert!(places.has_room());
    assert!(start.elapsed() <= FIRST_BYTE_TIMEOUT + Duration::from_millis(5));
    assert!(unfinished.await.is_err_and(|error| error.is_cancelled()));
}
