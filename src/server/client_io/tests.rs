use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

use super::super::limits::ConnectionLimits;
use super::super::registry::{ConnectionRegistry, ConnectionSlot};
use super::*;

fn registry() -> Arc<ConnectionRegistry> {
    let limit = Duration::from_mins(1);
    let limits = ConnectionLimits {
        connections: 100,
        header_bytes: NARROW_BUFFER,
        header_timeout: limit,
        keep_alive: limit,
        stall_timeout: limit,
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
