//! Which local user is at the other end of an accepted TCP connection.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpStream;
use tokio::time::{Duration, Instant, sleep};

#[cfg(target_os = "linux")]
use super::proc_net::{ConnectionEnds, ProcNet};
#[cfg(target_os = "linux")]
use super::sock_diag::SockDiag;

/// Between two look-ups of a connection that has not been accepted yet.
const PAUSE: Duration = Duration::from_millis(5);

/// The user whose process has accepted our own connection `stream`, on systems that can tell. It does not matter that
/// several processes may listen on the same port, each on another address: this is the owner of the very socket at the
/// other end. Before the connection is accepted, that socket has no owner, so this waits until the deadline.
pub async fn accepting_user(stream: &TcpStream, deadline: Instant) -> Option<u32> {
    let (own, server) = (stream.local_addr().ok()?, stream.peer_addr().ok()?);
    let mut lookup = PeerUserLookup::open(server).ok()?;
    loop {
        let user = lookup.uid(stream, server, own);
        if user.is_some() || Instant::now() >= deadline {
            return user;
        }
        sleep(PAUSE).await;
    }
}

/// Looks up the user at the other end of a loopback TCP connection, on systems that tell.
#[derive(Debug)]
pub(super) struct PeerUserLookup {
    #[cfg(target_os = "linux")]
    source: UserSource,
}

/// Where Linux names the user that holds a socket open.
#[cfg(target_os = "linux")]
#[derive(Debug)]
enum UserSource {
    /// Takes 2 µs.
    SockDiag(SockDiag),
    /// Takes time in proportion to the number of sockets. For kernels without `sock_diag`, such as that of gVisor.
    ProcNet(ProcNet),
}

#[cfg(target_os = "linux")]
impl PeerUserLookup {
    /// Opens the lookup for an acceptor, and tests it on one of its loopback listeners.
    ///
    /// # Errors
    /// The system cannot report the user.
    pub(super) fn open(listener: SocketAddr) -> io::Result<Self> {
        Self::first_of(SockDiag::open(listener), || {
            ProcNet::system().tested(listener.ip())
        })
    }

    /// With `sock_diag` if the kernel has it, otherwise with `/proc/net`.
    ///
    /// # Errors
    /// That of `sock_diag`, if neither can report the user.
    pub(super) fn first_of(
        sock_diag: io::Result<SockDiag>,
        proc_net: impl FnOnce() -> io::Result<ProcNet>,
    ) -> io::Result<Self> {
        let source = match sock_diag {
            Ok(sock_diag) => UserSource::SockDiag(sock_diag),
            Err(error) => match proc_net() {
                Ok(proc_net) => UserSource::ProcNet(proc_net),
                Err(_) => return Err(error),
            },
        };
        Ok(Self { source })
    }

    /// The user that holds the socket at `peer` open. `None` if it is closed, or in doubt.
    pub(super) fn uid(
        &mut self,
        stream: &TcpStream,
        peer: SocketAddr,
        listener: SocketAddr,
    ) -> Option<u32> {
        let owner = match &mut self.source {
            UserSource::SockDiag(sock_diag) => sock_diag.owner(peer, listener),
            UserSource::ProcNet(proc_net) => {
                let owners = proc_net.owners(&[ConnectionEnds::new(peer, listener)]);
                owners.map(|mut owners| owners.pop().flatten())
            }
        };
        still_connected(stream, owner.ok().flatten()?)
    }

    #[cfg(test)]
    pub(super) fn in_table(table: ProcNet) -> Self {
        let source = UserSource::ProcNet(table);
        Self { source }
    }

    /// The table to look in for several users at once, if that is where they are named.
    pub(super) fn table(&self) -> Option<&ProcNet> {
        match &self.source {
            UserSource::SockDiag(_) => None,
            UserSource::ProcNet(proc_net) => Some(proc_net),
        }
    }
}

/// `uid`, if our end is still connected. Otherwise the client may have reset this connection, and another client may
/// have got its port before the user was looked up.
#[cfg(target_os = "linux")]
pub(super) fn still_connected(stream: &TcpStream, uid: u32) -> Option<u32> {
    stream.peer_addr().is_ok().then_some(uid)
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
