use super::*;

#[tokio::test]
async fn localhost_takes_the_same_port_on_every_family() {
    let bound = bind(&Listen::Localhost(0)).unwrap();
    let port = bound.addresses[0].port();
    assert_ne!(port, 0);
    assert!(bound.addresses.iter().all(|address| address.port() == port));
    assert_eq!(bound.addresses.len() + bound.absent.len(), 2);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_accepted_connection_inherits_nodelay_from_its_listener() {
    let bound = bind(&Listen::Tcp("127.0.0.1:0".parse().unwrap())).unwrap();
    let connecting = tokio::net::TcpStream::connect(bound.addresses[0]);
    let accepting = std::future::poll_fn(|cx| bound.listeners[0].poll_accept(cx));
    let (_client, accepted) = tokio::join!(connecting, accepting);
    let Ok((ClientStream::Tcp(accepted), _)) = accepted else {
        panic!("a TCP listener accepts TCP connections")
    };
    assert!(accepted.nodelay().unwrap());
}

#[tokio::test]
async fn a_port_taken_on_one_family_only_is_an_error() {
    let Ok(other) = open(SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 0)) else {
        return; // this machine has no IPv6
    };
    let port = other.local_addr().unwrap().port();
    let error = bind(&Listen::Localhost(port)).unwrap_err();
    assert_eq!(error.source.kind(), io::ErrorKind::AddrInUse);
}
