//! Who is at the other end of an accepted connection.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpStream;

#[cfg(target_os = "linux")]
use super::sock_diag::SockDiag;

/// Tells the user behind a loopback TCP connection, where the system does.
#[derive(Debug)]
pub(super) struct Peers {
    #[cfg(target_os = "linux")]
    sock_diag: SockDiag,
}

#[cfg(target_os = "linux")]
impl Peers {
    /// One for an acceptor with this loopback `listener` among others.
    ///
    /// # Errors
    /// The system does not tell.
    pub(super) fn open(listener: SocketAddr) -> io::Result<Self> {
        Ok(Self {
            sock_diag: SockDiag::open(listener)?,
        })
    }

    /// The user at `peer`, who holds that end open. `None` where nobody does, or in doubt.
    pub(super) fn uid(
        &mut self,
        stream: &TcpStream,
        peer: SocketAddr,
        listener: SocketAddr,
    ) -> Option<u32> {
        let uid = self.sock_diag.owner(peer, listener).ok().flatten()?;
        // A client may have reset this connection, and another one have got its port: what was found
        // is this one's end only if ours is still connected.
        stream.peer_addr().is_ok().then_some(uid)
    }
}

#[cfg(not(target_os = "linux"))]
impl Peers {
    /// Never.
    ///
    /// # Errors
    /// Always: only Linux tells.
    pub(super) fn open(_: SocketAddr) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Nobody knows.
    #[allow(clippy::unused_self, reason = "as on Linux")]
    pub(super) fn uid(&mut self, _: &TcpStream, _: SocketAddr, _: SocketAddr) -> Option<u32> {
        None
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use socket2::{Domain, SockAddr, Socket, Type};

    use super::*;

    /// A client that resets, and then another one from the same port, both before the first is accepted.
    #[tokio::test]
    async fn the_user_of_a_later_connection_from_the_same_port_is_not_taken_for_the_firsts() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let mut peers = Peers::open(at).unwrap();
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
        assert_eq!(peers.uid(&stream, peer, at), None);
        let (stream, peer) = listener.accept().await.unwrap();
        assert_eq!(peer.port(), port);
        let own = rustix::process::geteuid().as_raw();
        assert_eq!(peers.uid(&stream, peer, at), Some(own));
    }
}
