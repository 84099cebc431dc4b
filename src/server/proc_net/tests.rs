//! What the kernel's tables say about real sockets.

use std::io::Write as _;

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

/// Tables with this content.
fn tables(text: &str) -> (tempfile::NamedTempFile, ProcNet) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let tables = ProcNet::of(file.path());
    (file, tables)
}

fn owner(proc_net: &ProcNet, peer: SocketAddr, listener: SocketAddr) -> io::Result<Option<u32>> {
    let owners = proc_net.owners(&[ConnectionEnds::new(peer, listener)])?;
    Ok(owners[0])
}

#[test]
fn the_user_of_a_connection_is_known_on_both_families() {
    for address in ["127.0.0.1:0", "127.9.8.7:0", "[::1]:0"] {
        let Some((listener, at)) = listener(address) else {
            continue;
        };
        let proc_net = ProcNet::system().tested(at.ip()).unwrap();
        let client = TcpStream::connect(at).unwrap();
        let (_accepted, peer) = listener.accept().unwrap();
        assert_eq!(owner(&proc_net, peer, at).unwrap(), Some(own()));
        drop(client);
    }
}

#[test]
fn the_user_of_a_dual_stack_socket_connected_over_ipv4_is_known() {
    let (listener, at) = listener("127.0.0.1:0").unwrap();
    let Ok(client) = Socket::new(Domain::IPV6, Type::STREAM, None) else {
        return;
    };
    let IpAddr::V4(ip) = at.ip() else {
        unreachable!()
    };
    let mapped = SocketAddr::new(ip.to_ipv6_mapped().into(), at.port());
    client.connect(&SockAddr::from(mapped)).unwrap();
    let (_accepted, peer) = listener.accept().unwrap();
    assert_eq!(owner(&ProcNet::system(), peer, at).unwrap(), Some(own()));
}

/// The kernel lists such a socket with user 0, and the proxy may run as that user.
#[test]
fn a_client_that_has_closed_has_no_user() {
    let (listener, at) = listener("127.0.0.1:0").unwrap();
    for _ in 0..20 {
        drop(TcpStream::connect(at).unwrap());
        let (_accepted, peer) = listener.accept().unwrap();
        assert_eq!(owner(&ProcNet::system(), peer, at).unwrap(), None);
    }
}

const HEADING: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

#[cfg(target_endian = "little")]
#[test]
fn only_a_connected_socket_that_is_held_open_has_a_user() {
    let (peer, listener) = (
        "127.0.0.1:40000".parse().unwrap(),
        "127.0.0.1:6749".parse().unwrap(),
    );
    let line = |state: &str, inode: &str| {
        format!(
            "{HEADING}   7: 0100007F:9C40 0100007F:1A5D {state} 00000000:00000000 00:00000000 00000000  1234        0 {inode} 1 0000 20 4 30 10 -1\n"
        )
    };
    for (state, inode, expected) in [
        ("01", "55", Some(1234)), // ESTABLISHED
        ("05", "55", Some(1234)), // FIN_WAIT2
        ("02", "55", None),       // SYN_SENT
        ("06", "55", None),       // TIME_WAIT
        ("0A", "55", None),       // LISTEN
        ("01", "0", None),        // closed by its program
    ] {
        let (_file, proc_net) = tables(&line(state, inode));
        assert_eq!(
            owner(&proc_net, peer, listener).unwrap(),
            expected,
            "{state} {inode}"
        );
        assert_eq!(
            owner(&proc_net, listener, peer).unwrap(),
            None,
            "the other direction"
        );
    }
}

#[test]
fn tables_that_do_not_name_our_own_probe_are_refused() {
    let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let (_file, empty) = tables(HEADING);
    assert_eq!(
        empty.tested(ip).unwrap_err().kind(),
        io::ErrorKind::Unsupported
    );
    let absent = ProcNet {
        tables: ["/nonexistent".into(), "/nonexistent".into()],
    };
    assert_eq!(
        absent.tested(ip).unwrap_err().kind(),
        io::ErrorKind::NotFound
    );
}
