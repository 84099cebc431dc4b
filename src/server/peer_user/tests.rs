use socket2::{Domain, SockAddr, Socket, Type};

use super::*;

/// A client connects and resets, then another one connects from the same port, both before the first is accepted.
#[tokio::test]
async fn a_later_connection_from_the_same_port_is_not_mistaken_for_an_earlier_one() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let mut users = PeerUserLookup::open(at).unwrap();
    let from = |port: u16| {
        let client = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        client.set_reuse_address(true).unwrap();
        let own = SocketAddr::new(at.ip(), port);
        client.bind(&SockAddr::from(own)).unwrap();
        client.connect(&SockAddr::from(at)).unwrap();
        client
    };
    let first = from(0);
    let port = first.local_addr().unwrap().as_socket().unwrap().port();
    first.set_linger(Some(std::time::Duration::ZERO)).unwrap();
    drop(first);
    let _second = from(port);
    let (stream, peer) = listener.accept().await.unwrap();
    assert_eq!(peer.port(), port);
    assert_eq!(users.uid(&stream, peer, at), None);
    let (stream, peer) = listener.accept().await.unwrap();
    assert_eq!(peer.port(), port);
    let own = rustix::process::geteuid().as_raw();
    assert_eq!(users.uid(&stream, peer, at), Some(own));
}
