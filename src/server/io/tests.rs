use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

use super::super::Limits;
use super::super::watch::{Place, Registry};
use super::*;

fn registry() -> Arc<Registry> {
    let limit = Duration::from_mins(1);
    let limits = Limits {
        connections: 100,
        header_bytes: NARROW,
        header_timeout: limit,
        keep_alive: limit,
        stall_timeout: limit,
    };
    Registry::new(limits, Metrics::new(None))
}

/// A client that sends for as long as it is read, and our end of it.
async fn uploading(place: &Place) -> ClientIo {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut client = TcpStream::connect(address).await.unwrap();
    let body = vec![b'x'; WIDEST];
    tokio::spawn(async move { while client.write_all(&body).await.is_ok() {} });
    let stream = Stream::Tcp(listener.accept().await.unwrap().0);
    let metrics = Arc::clone(&place.registry.metrics);
    ClientIo::new(stream, Arc::clone(&place.watched), metrics)
}

#[tokio::test]
async fn only_so_many_connections_fill_a_large_buffer() {
    let registry = registry();
    let mut all = Vec::new();
    loop {
        let place = registry.enter();
        let mut io = uploading(&place).await;
        let may_fill = io.may_fill(NARROW);
        assert!(io.may_fill(NARROW - 1));
        all.push((place, io));
        if !may_fill {
            break;
        }
    }
    assert_eq!(all.len(), 17);
    let (_place, mut last) = all.pop().unwrap();
    for _ in 0..100 {
        let mut space = vec![0; WIDEST];
        assert!(last.read(&mut space).await.unwrap() < NARROW);
    }
    all.pop();
    let mut space = vec![0; WIDEST];
    while last.read(&mut space).await.unwrap() < NARROW {} // until that much has come at once
}

#[tokio::test]
async fn the_pieces_of_a_small_answer_go_out_together() {
    let place = registry().enter();
    let mut io = uploading(&place).await;
    let pieces = [b"head".as_slice(), b"", b"body"].map(io::IoSlice::new);
    assert_eq!(io.write_vectored(&pieces).await.unwrap(), 8);
}
