use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

use super::super::limits::ConnectionLimits;
use super::super::registry::{ConnectionRegistry, ConnectionSlot};
use super::*;

fn registry() -> Arc<ConnectionRegistry> {
    let limits = ConnectionLimits {
        header_bytes: NARROW_BUFFER,
        streams: 128,
        ..ConnectionLimits::of_a_minute(100)
    };
    ConnectionRegistry::new(limits, Metrics::new(None))
}

/// Our end of a connection whose client sends for as long as we read.
async fn uploading(slot: &ConnectionSlot) -> ClientIo {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut client = TcpStream::connect(address).await.unwrap();
    let body = vec![b'x'; WIDE_BUFFER];
    tokio::spawn(async move { while client.write_all(&body).await.is_ok() {} });
    let stream = ClientStream::Tcp(listener.accept().await.unwrap().0);
    let metrics = Arc::clone(&slot.registry.metrics);
    ClientIo::new(stream, Arc::clone(&slot.connection), metrics)
}

#[tokio::test]
async fn a_bounded_number_of_connections_may_fill_a_wide_buffer() {
    let registry = registry();
    let mut all = Vec::new();
    loop {
        let slot = registry.register();
        let mut io = uploading(&slot).await;
        let may_fill = io.may_fill(NARROW_BUFFER);
        assert!(io.may_fill(NARROW_BUFFER - 1));
        all.push((slot, io));
        if !may_fill {
            break;
        }
    }
    assert_eq!(all.len(), 17);
    let (_slot, mut last) = all.pop().unwrap();
    for _ in 0..100 {
        let mut space = vec![0; WIDE_BUFFER];
        assert!(last.read(&mut space).await.unwrap() < NARROW_BUFFER);
    }
    all.pop();
    let mut space = vec![0; WIDE_BUFFER];
    while last.read(&mut space).await.unwrap() < NARROW_BUFFER {} // until so much has arrived at once
}

#[tokio::test]
async fn the_pieces_of_a_small_response_are_sent_together() {
    let slot = registry().register();
    let mut io = uploading(&slot).await;
    let pieces = [b"head".as_slice(), b"", b"body"].map(io::IoSlice::new);
    assert_eq!(io.write_vectored(&pieces).await.unwrap(), 8);
}

/// hyper's response to a head that it cannot parse.
const OWN: &[u8] = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\ndate: Sun, 29 Nov 2026 15:00:00 GMT\r\n\r\n";

#[test]
fn only_a_response_without_a_field_of_ours_is_taken_for_hypers_own() {
    let before = b"HTTP/1.1 200 OK\r\nx-request-id: 1\r\ncontent-length: 2\r\n\r\nok";
    let both = [before, OWN].concat();
    assert_eq!(start_of_own_response(OWN), Some(0));
    assert_eq!(start_of_own_response(&both), Some(before.len()));
    for other in [
        &b"HTTP/1.1 204 No Content\r\ndate: x\r\n\r\n"[..],
        b"HTTP/1.1 400 Bad Request\r\nx-request-id: 1\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 400 Bad Request\r\n",
        b"\r\n\r\n",
        b"",
    ] {
        assert_eq!(start_of_own_response(other), None, "{other:?}");
    }
}

/// The server's socket and its client.
async fn connected(slot: &ConnectionSlot) -> (ClientIo, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let client = TcpStream::connect(address).await.unwrap();
    let stream = ClientStream::Tcp(listener.accept().await.unwrap().0);
    let metrics = Arc::clone(&slot.registry.metrics);
    let io = ClientIo::new(stream, Arc::clone(&slot.connection), metrics);
    (io, client)
}

/// The API's body may end with the same bytes.
#[tokio::test]
async fn what_only_looks_like_hypers_own_response_is_written_when_hyper_goes_on() {
    let slot = registry().register();
    let (mut io, mut client) = connected(&slot).await;
    let mut received = vec![0; OWN.len()];
    io.write_all(OWN).await.unwrap();
    io.flush().await.unwrap();
    assert!(
        client.try_read(&mut received).is_err(),
        "nothing is written yet"
    );
    client.write_all(b"GET").await.unwrap();
    io.read_exact(&mut [0; 3]).await.unwrap(); // hyper reads on
    client.read_exact(&mut received).await.unwrap();
    assert_eq!(received, OWN);

    io.write_all(OWN).await.unwrap();
    io.write_all(b"next").await.unwrap();
    received.resize(OWN.len() + 4, 0);
    client.read_exact(&mut received).await.unwrap();
    assert_eq!(received, [OWN, b"next"].concat());
}

#[tokio::test]
async fn hypers_own_response_is_left_to_be_replaced_and_what_was_before_it_is_written() {
    let slot = registry().register();
    let (mut io, mut client) = connected(&slot).await;
    io.write_all(&[b"before", OWN].concat()).await.unwrap();
    io.shutdown().await.unwrap();
    assert_eq!(io.held.as_deref(), Some(OWN));
    io.discard_held();
    io.shutdown().await.unwrap();
    drop(io);
    let mut received = Vec::new();
    client.read_to_end(&mut received).await.unwrap();
    assert_eq!(received, b"before");
}

/// A request with a `Content-Length` line that is too long to follow may be followed by anything.
#[tokio::test]
async fn a_response_after_which_nothing_is_scanned_stays_readable_until_the_client_closes() {
    let slot = registry().register();
    let (mut io, mut client) = connected(&slot).await;
    slot.connection.set_left_http();
    slot.connection
        .enter(super::super::tracked_connection::ConnectionPhase::Idle);
    io.write_all(b"response").await.unwrap();
    let mut closing = tokio::spawn(async move {
        io.shutdown().await.unwrap();
        drop(io);
    });
    client.write_all(&[b'x'; 10_000]).await.unwrap();
    let mut received = Vec::new();
    client.read_to_end(&mut received).await.unwrap();
    assert_eq!(received, b"response");
    let waits = tokio::time::timeout(Duration::from_millis(50), &mut closing).await;
    assert!(waits.is_err(), "a reset could overtake the response");
    drop(client);
    closing.await.unwrap();
}
