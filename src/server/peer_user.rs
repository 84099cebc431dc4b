//! Which local user is at the other end of an accepted TCP connection.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpStream;

#[cfg(target_os = "linux")]
use super::sock_diag::SockDiag;

/// Looks up the user at the other end of a loopback TCP connection, on systems that tell.
#[derive(Debug)]
pub(super) struct PeerUserLookup {
    #[cfg(target_os = "linux")]
    sock_diag: SockDiag,
}

#[cfg(target_os = "linux")]
impl PeerUserLookup {
    /// Opens the lookup for an acceptor, and tests it on one of its loopback listeners.
    ///
    /// # Errors
    /// The system cannot report the user.
    pub(super) fn open(listener: SocketAddr) -> io::Result<Self> {
        Ok(Self {
            sock_diag: SockDiag::open(listener)?,
        })
    }

    /// The user that holds the socket at `peer` open. `None` if it is closed, or in doubt.
    pub(super) fn uid(
        &mut self,
        stream: &TcpStream,
        peer: SocketAddr,
        listener: SocketAddr,
    ) -> Option<u32> {
        let uid = self.sock_diag.owner(peer, listener).ok().flatten()?;
        // The client may have reset this connection, and another client may have got its port since. The result is
        // for this connection only if our end is still connected.
        stream.peer_addr().is_ok().then_some(uid)
    }
}

#[cfg(not(target_os = "linux"))]
impl PeerUserLookup {
    /// # Errors
    /// Always: only Linux can report the user.
    pub(super) fn open(_: SocketAddr) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    #[allow(clippy::unused_self, reason = "the signature is that of Linux")]
    pub(super) fn uid(&mut self, _: &TcpStream, _: SocketAddr, _: SocketAddr) -> Option<u32> {
        None
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
