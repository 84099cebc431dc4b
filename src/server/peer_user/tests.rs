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
    first.set_linger(Some(Duration::ZERO)).unwrap();
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

/// As on gVisor and under qemu-user.
#[tokio::test]
async fn a_kernel_without_sock_diag_names_the_user_in_proc_net() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let unsupported = || Err(io::ErrorKind::Unsupported.into());
    let proc_net = || ProcNet::system().tested(at.ip());
    let mut users = PeerUserLookup::first_of(unsupported(), proc_net).unwrap();
    let _client = TcpStream::connect(at).await.unwrap();
    let (stream, peer) = listener.accept().await.unwrap();
    let own = rustix::process::geteuid().as_raw();
    assert_eq!(users.uid(&stream, peer, at), Some(own));
    let refused = || Err(io::ErrorKind::NotFound.into());
    let error = PeerUserLookup::first_of(unsupported(), refused).unwrap_err();
    assert_eq!(
        error.kind(),
        io::ErrorKind::Unsupported,
        "that of sock_diag"
    );
}

#[tokio::test]
async fn the_user_who_accepts_our_connection_is_known_once_it_has_been_accepted() {
    let own = rustix::process::geteuid().as_raw();
    for (bound, connected) in [
        ("127.0.0.1:0", "127.0.0.1"),
        ("0.0.0.0:0", "127.0.0.1"),
        ("[::]:0", "127.0.0.1"),
        ("[::1]:0", "::1"),
    ] {
        let Ok(listener) = tokio::net::TcpListener::bind(bound).await else {
            continue; // this machine has no IPv6
        };
        let port = listener.local_addr().unwrap().port();
        let stream = TcpStream::connect((connected, port)).await.unwrap();
        let user = accepting_user(&stream, Instant::now()).await;
        assert_eq!(user, None, "{bound}: nothing has accepted it");
        let deadline = Instant::now() + Duration::from_secs(30);
        let (user, accepted) = tokio::join!(accepting_user(&stream, deadline), listener.accept());
        assert_eq!(user, Some(own), "{bound}");
        drop(accepted.unwrap());
    }
}
