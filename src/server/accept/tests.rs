use std::io::Write as _;
use std::time::Duration;

use tokio::net::TcpStream;

use super::super::bind::bind;
use super::super::peer_user::PeerUserLookup;
use super::super::proc_net::ProcNet;
use super::*;
use crate::config::Listen;

/// An acceptor on a kernel without `sock_diag`, whose table is in these files.
fn acceptor(table: Option<&std::path::Path>) -> (Acceptor, std::net::SocketAddr) {
    let mut bound = bind(&Listen::Tcp(([127, 0, 0, 1], 0).into())).unwrap();
    let address = bound.addresses[0];
    let unsupported = || Err(io::ErrorKind::Unsupported.into());
    let proc_net = || ProcNet::system().tested(address.ip());
    let users = match table {
        None => PeerUserLookup::first_of(unsupported(), proc_net).unwrap(),
        Some(path) => PeerUserLookup::in_table(ProcNet::of(path)),
    };
    bound.set_peer_users(users);
    (Acceptor::new(bound), address)
}

#[tokio::test]
async fn the_users_of_connections_that_arrive_together_are_looked_up_together() {
    let (mut acceptor, address) = acceptor(None);
    let mut clients = Vec::new();
    for _ in 0..100 {
        clients.push(TcpStream::connect(address).await.unwrap());
    }
    clients.remove(50);
    let own = Some(rustix::process::geteuid().as_raw());
    let mut unknown = 0;
    for _ in 0..100 {
        let (_stream, peer) = acceptor.next().await;
        let is_open = clients
            .iter()
            .any(|client| client.local_addr().ok() == peer.address);
        assert_eq!(peer.uid, if is_open { own } else { None });
        unknown += usize::from(!is_open);
    }
    assert_eq!(unknown, 1);
}

/// The table is a pipe here: whoever opens it waits until it is written.
#[tokio::test]
async fn a_slow_table_delays_nothing_else_and_a_cancelled_wait_loses_no_connection() {
    let directory = tempfile::tempdir().unwrap();
    let pipe = directory.path().join("tcp");
    rustix::fs::mkfifoat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
    )
    .unwrap();
    let (mut acceptor, address) = acceptor(Some(&pipe));
    let client = TcpStream::connect(address).await.unwrap();
    for _ in 0..3 {
        let brief = Duration::from_millis(20);
        assert!(tokio::time::timeout(brief, acceptor.next()).await.is_err());
    }
    let port = |address: std::net::SocketAddr| format!("0100007F:{:04X}", address.port());
    let line = format!(
        "  sl\n   0: {} {} 01 00000000:00000000 00:00000000 00000000  4242        0 777 1\n",
        port(client.local_addr().unwrap()),
        port(address)
    );
    let writing = tokio::task::spawn_blocking(move || {
        let mut pipe = std::fs::OpenOptions::new().write(true).open(pipe).unwrap();
        pipe.write_all(line.as_bytes()).unwrap();
    });
    let (_stream, peer) = acceptor.next().await;
    assert_eq!(peer.uid, Some(4242));
    writing.await.unwrap();
}
