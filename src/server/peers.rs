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
mod tests;
