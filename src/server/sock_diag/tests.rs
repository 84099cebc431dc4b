//! What the kernel answers about real sockets.

use std::net::{Ipv6Addr, TcpListener, TcpStream};

use rustix::process::geteuid;
use socket2::{Domain, SockAddr, Socket, Type};

use super::*;

fn listener(address: &str) -> Option<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).ok()?; // this machine has no IPv6
    let address = listener.local_addr().unwrap();
    Some((listener, address))
}

fn own() -> u32 {
    geteuid().as_raw()
}

#[test]
fn the_user_of_a_connection_is_known_on_both_families() {
    for address in ["127.0.0.1:0", "127.9.8.7:0", "[::1]:0"] {
        let Some((listener, at)) = listener(address) else {
            continue;
        };
        let mut sock_diag = SockDiag::open(at).unwrap();
        for _ in 0..100 {
            let client = TcpStream::connect(at).unwrap();
            let (_accepted, peer) = listener.accept().unwrap();
            assert_eq!(sock_diag.owner(peer, at).unwrap(), Some(own()));
            drop(client);
        }
    }
}

#[test]
fn the_user_of_a_dual_stack_socket_connected_over_ipv4_is_known() {
    let (listener, at) = listener("127.0.0.1:0").unwrap();
    let mut sock_diag = SockDiag::open(at).unwrap();
    let Ok(client) = Socket::new(Domain::IPV6, Type::STREAM, None) else {
        return;
    };
    let IpAddr::V4(ip) = at.ip() else {
        unreachable!()
    };
    let mapped: Ipv6Addr = ip.to_ipv6_mapped();
    client
        .connect(&SockAddr::from(SocketAddr::new(mapped.into(), at.port())))
        .unwrap();
    let (_accepted, peer) = listener.accept().unwrap();
    assert_eq!(sock_diag.owner(peer, at).unwrap(), Some(own()));
    let as_mapped = SocketAddr::new(ip.to_ipv6_mapped().into(), peer.port());
    assert_eq!(sock_diag.owner(as_mapped, at).unwrap(), Some(own()));
}

/// The kernel reports user 0 for such a socket, and the proxy may run as that user.
#[test]
fn a_client_that_has_closed_has_no_user() {
    let (listener, at) = listener("127.0.0.1:0").unwrap();
    let mut sock_diag = SockDiag::open(at).unwrap();
    for _ in 0..100 {
        drop(TcpStream::connect(at).unwrap());
        let (_accepted, peer) = listener.accept().unwrap();
        assert_eq!(sock_diag.owner(peer, at).unwrap_or(None), None);
    }
}

#[test]
fn the_user_of_a_client_that_has_only_shut_down_writing_is_known() {
    let (listener, at) = listener("127.0.0.1:0").unwrap();
    let mut sock_diag = SockDiag::open(at).unwrap();
    let client = TcpStream::connect(at).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    let (_accepted, peer) = listener.accept().unwrap();
    assert_eq!(sock_diag.owner(peer, at).unwrap(), Some(own()));
}

#[test]
fn a_listener_at_the_clients_port_is_not_mistaken_for_the_client() {
    let (_listener, at) = listener("127.0.0.1:0").unwrap();
    let (_other, elsewhere) = listener("127.0.0.1:0").unwrap();
    let mut sock_diag = SockDiag::open(at).unwrap();
    assert_eq!(sock_diag.owner(elsewhere, at).unwrap(), None);
}

#[test]
fn a_socket_that_does_not_exist_is_an_error() {
    let (closed, gone) = listener("127.0.0.1:0").unwrap();
    let (_listener, at) = listener("127.0.0.1:0").unwrap();
    drop(closed);
    let mut sock_diag = SockDiag::open(at).unwrap();
    let error = sock_diag.owner(gone, at).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    let error = SockDiag::open(gone).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}

#[test]
fn half_open_and_time_wait_sockets_have_no_user() {
    let address = "127.0.0.1:1".parse().unwrap();
    let of = |state, inode| SocketInfo {
        state,
        local: address,
        remote: address,
        uid: 0,
        inode,
    };
    for (state, expected) in [
        (1, true),   // ESTABLISHED
        (2, false),  // SYN_SENT
        (3, false),  // SYN_RECV
        (5, true),   // FIN_WAIT2
        (6, false),  // TIME_WAIT
        (7, false),  // CLOSE
        (10, false), // LISTEN
        (12, false), // NEW_SYN_RECV
    ] {
        assert_eq!(of(state, 1).is_open_end(), expected, "{state}");
        assert!(!of(state, 0).is_open_end());
    }
}

#[test]
fn an_answer_to_another_query_is_ignored_and_a_short_one_is_an_error() {
    let mut bytes = [0; HEADER + MESSAGE];
    bytes[4..6].copy_from_slice(&BY_FAMILY.to_ne_bytes());
    bytes[8..12].copy_from_slice(&7_u32.to_ne_bytes());
    bytes[HEADER] = AF_INET;
    assert!(parse_answer(&bytes, 7).unwrap().is_ok());
    assert!(parse_answer(&bytes, 8).is_none());
    for length in 12..bytes.len() {
        assert!(
            parse_answer(&bytes[..length], 7).unwrap().is_err(),
            "{length}"
        );
    }
    assert!(parse_answer(&bytes[..11], 7).is_none());
}
