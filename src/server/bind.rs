//! Binds the listening sockets: TCP, where `localhost` means every loopback family that the machine has, or unix.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::{Context, Poll};
use std::time::Duration;

#[cfg(unix)]
use tokio::net::UnixListener;
use tokio::net::{TcpListener, TcpSocket};

use super::client_stream::ClientStream;
#[cfg(unix)]
use super::passed_sockets::take_unix;
use super::passed_sockets::{PassedSocket, loopback_port, take_tcp};
use super::peer_user::PeerUserLookup;
#[cfg(unix)]
use super::socket_file::{self, SocketFile};
#[cfg(target_os = "linux")]
use super::table_lookup::TableLookup;
use super::tcp_keepalive::enable_keepalive;
use crate::config::Listen;
use crate::guard::{Peer, Transport};

/// How many connections may wait in the kernel to be accepted.
const BACKLOG: u32 = 1024;

/// How many ports to try for `localhost:0` until one is free on both families.
const PORT_TRIES: usize = 32;

/// The listening sockets of one server: TCP sockets, all on the same port, or one unix socket.
#[derive(Debug)]
pub struct BoundListeners {
    /// At least one.
    pub(super) listeners: Vec<ListeningSocket>,
    /// The addresses of the TCP sockets, in the same order.
    pub addresses: Vec<SocketAddr>,
    /// Loopback addresses that this machine lacks.
    pub absent: Vec<IpAddr>,
    /// The file of the unix socket, unless a service manager owns it.
    #[cfg(unix)]
    pub(super) socket_file: Option<SocketFile>,
    peer_users: Option<PeerUserLookup>,
}

/// One listening socket.
#[derive(Debug)]
pub(super) enum ListeningSocket {
    Tcp(TcpListener, SocketAddr),
    #[cfg(unix)]
    Unix(UnixListener),
}

impl ListeningSocket {
    /// Makes the system end connections whose client is gone.
    pub(super) fn enable_keepalive(&self, user_timeout: Duration) {
        match self {
            Self::Tcp(listener, _) => enable_keepalive(&listener.into(), user_timeout),
            #[cfg(unix)]
            Self::Unix(_) => {} // both ends are on this machine, so the system knows
        }
    }

    /// The next connection and its peer, whose user is not known yet.
    pub(super) fn poll_accept(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(ClientStream, Peer)>> {
        match self {
            Self::Tcp(listener, own) => listener
                .poll_accept(cx)
                .map_ok(|(stream, address)| (ClientStream::Tcp(stream), Peer::tcp(*own, address))),
            #[cfg(unix)]
            Self::Unix(listener) => listener
                .poll_accept(cx)
                .map_ok(|(stream, _)| (ClientStream::Unix(stream), Peer::unix(None))),
        }
    }
}

/// A listener could not be bound.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}")]
pub struct BindError {
    /// The configured address, or one of those that it stands for.
    pub address: Listen,
    /// The system's error; `AddrInUse` means that the port or socket is taken.
    pub source: io::Error,
}

/// Binds and listens. Must be called on the runtime that accepts.
///
/// # Errors
/// The port is taken, the process lacks a permission, or the address is not one of this machine. For `localhost` also
/// if the port is taken on one family only, because half of the clients would then reach another program.
pub fn bind(listen: &Listen) -> Result<BoundListeners, BindError> {
    bind_or_take(listen, &mut Vec::new())
}

/// Like [`bind`], but takes the sockets that were passed for these addresses, and binds only the others.
///
/// # Errors
/// The same.
pub fn bind_or_take(
    listen: &Listen,
    passed: &mut Vec<PassedSocket>,
) -> Result<BoundListeners, BindError> {
    match listen {
        Listen::Tcp(address) => {
            let listener = take_or_open(*address, passed)?;
            BoundListeners::of(vec![listener], Vec::new(), *address)
        }
        Listen::Localhost(0) => match loopback_port(passed) {
            Some(port) => localhost(port, passed),
            None => free_port(),
        },
        Listen::Localhost(port) => localhost(*port, passed),
        #[cfg(unix)]
        Listen::Unix { path, mode } => {
            if let Some(listener) = take_unix(passed, path) {
                let listener = UnixListener::from_std(listener).map_err(|source| BindError {
                    address: listen.clone(),
                    source,
                })?;
                return Ok(BoundListeners::of_unix(listener, None));
            }
            let (listener, file) =
                socket_file::listen(path, *mode, BACKLOG).map_err(|source| BindError {
                    address: listen.clone(),
                    source,
                })?;
            Ok(BoundListeners::of_unix(listener, Some(file)))
        }
        #[cfg(not(unix))]
        Listen::Unix { .. } => Err(BindError {
            address: listen.clone(),
            source: io::ErrorKind::Unsupported.into(),
        }),
    }
}

fn localhost(port: u16, passed: &mut Vec<PassedSocket>) -> Result<BoundListeners, BindError> {
    let mut listeners = Vec::new();
    let mut absent = Vec::new();
    for ip in [
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::LOCALHOST),
    ] {
        match take_or_open(SocketAddr::new(ip, port), passed) {
            Ok(listener) => listeners.push(listener),
            Err(error) if is_absent(&error.source) => absent.push(ip),
            Err(error) => return Err(error),
        }
    }
    BoundListeners::of(
        listeners,
        absent,
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port),
    )
}

/// Finds a port that is free on both families: one that is free on the first may be taken on the second.
fn free_port() -> Result<BoundListeners, BindError> {
    let any = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
    let mut tries = 0;
    loop {
        let first = open(any)?;
        let port = first
            .local_addr()
            .map_err(|source| BindError::tcp(any, source))?
            .port();
        drop(first);
        tries += 1;
        match localhost(port, &mut Vec::new()) {
            Err(error) if error.source.kind() == io::ErrorKind::AddrInUse && tries < PORT_TRIES => {
            }
            other => return other,
        }
    }
}

fn take_or_open(
    address: SocketAddr,
    passed: &mut Vec<PassedSocket>,
) -> Result<TcpListener, BindError> {
    let Some(listener) = take_tcp(passed, address) else {
        return open(address);
    };
    #[cfg(target_os = "linux")] // as in `open`
    let _ = socket2::SockRef::from(&listener).set_tcp_nodelay(true);
    TcpListener::from_std(listener).map_err(|source| BindError::tcp(address, source))
}

fn open(address: SocketAddr) -> Result<TcpListener, BindError> {
    let attempt = || {
        let socket = if address.is_ipv4() {
            TcpSocket::new_v4()
        } else {
            TcpSocket::new_v6()
        }?;
        #[cfg(unix)] // on Windows it would let another process take over the port
        socket.set_reuseaddr(true)?;
        #[cfg(target_os = "linux")]
        // inherited by accepted sockets, which saves one call per connection
        socket.set_nodelay(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    attempt().map_err(|source| BindError::tcp(address, source))
}

/// Whether the error is EAFNOSUPPORT or EADDRNOTAVAIL: most containers lack `::1`.
fn is_absent(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable || {
        #[cfg(unix)]
        let absent = error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error());
        #[cfg(not(unix))]
        let absent = error.kind() == io::ErrorKind::Unsupported;
        absent
    }
}

impl BindError {
    fn tcp(address: SocketAddr, source: io::Error) -> Self {
        Self {
            address: Listen::Tcp(address),
            source,
        }
    }
}

impl BoundListeners {
    fn of(
        listeners: Vec<TcpListener>,
        absent: Vec<IpAddr>,
        requested: SocketAddr,
    ) -> Result<Self, BindError> {
        let addresses = listeners
            .iter()
            .map(TcpListener::local_addr)
            .collect::<io::Result<Vec<_>>>()
            .map_err(|source| BindError::tcp(requested, source))?;
        if addresses.is_empty() {
            let source = io::Error::new(io::ErrorKind::AddrNotAvailable, "no loopback address");
            return Err(BindError::tcp(requested, source));
        }
        let listeners = listeners.into_iter().zip(&addresses);
        Ok(Self {
            listeners: listeners
                .map(|(listener, address)| ListeningSocket::Tcp(listener, *address))
                .collect(),
            addresses,
            absent,
            #[cfg(unix)]
            socket_file: None,
            peer_users: None,
        })
    }

    #[cfg(unix)]
    fn of_unix(listener: UnixListener, file: Option<SocketFile>) -> Self {
        Self {
            listeners: vec![ListeningSocket::Unix(listener)],
            addresses: Vec::new(),
            absent: Vec::new(),
            socket_file: file,
            peer_users: None,
        }
    }

    /// From now on the [`Peer`] of each local connection says which user is at its other end.
    ///
    /// # Errors
    /// The system cannot report which user opened a loopback TCP connection. Unix sockets and addresses on the network
    /// need no lookup.
    pub fn identify_peers(&mut self) -> io::Result<()> {
        let mut loopback = self
            .addresses
            .iter()
            .filter(|address| address.ip().to_canonical().is_loopback());
        if let Some(first) = loopback.next() {
            // The kernel has separate tables for each family.
            loopback.try_for_each(|other| PeerUserLookup::open(*other).map(drop))?;
            self.peer_users = Some(PeerUserLookup::open(*first)?);
        }
        Ok(())
    }

    /// The lookup of users, if the system names them only in a table.
    #[cfg(target_os = "linux")]
    pub(super) fn table_lookup(&self) -> Option<TableLookup> {
        let table = self.peer_users.as_ref()?.table()?;
        Some(TableLookup::new(table.clone()))
    }

    #[cfg(all(test, target_os = "linux"))]
    pub(super) fn set_peer_users(&mut self, users: PeerUserLookup) {
        self.peer_users = Some(users);
    }

    /// Adds the user to `peer`. Must follow the accept at once: later the other end may belong to another user.
    pub(super) fn identify(
        &mut self,
        listener: usize,
        stream: &ClientStream,
        mut peer: Peer,
    ) -> Peer {
        peer.uid = match (stream, &self.listeners[listener], peer.address) {
            (ClientStream::Tcp(stream), ListeningSocket::Tcp(_, own), Some(address))
                if peer.transport == Transport::Loopback =>
            {
                let users = self.peer_users.as_mut();
                users.and_then(|users| users.uid(stream, address, *own))
            }
            #[cfg(unix)]
            (ClientStream::Unix(stream), ..) => stream.peer_cred().ok().map(|cred| cred.uid()),
            (ClientStream::Tcp(_) | ClientStream::Tls(_), ..) => None,
        };
        peer
    }
}

#[cfg(test)]
mod tests;
