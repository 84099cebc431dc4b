//! Listening sockets: `localhost` on every loopback family that the machine has, or a unix socket.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::{Context, Poll};
use std::time::Duration;

#[cfg(unix)]
use tokio::net::UnixListener;
use tokio::net::{TcpListener, TcpSocket};

use super::peers::Peers;
#[cfg(unix)]
use super::socket_file::{self, SocketFile};
use super::stream::Stream;
use super::vanished;
use crate::config::Listen;
use crate::guard::{Peer, Way};

/// Connections that the kernel may hold for us before we accept them.
const BACKLOG: u32 = 1024;

/// How many ports `localhost:0` may try until one is free on both families.
const PORT_TRIES: usize = 32;

/// Sockets that listen, all on one port, or the one unix socket.
#[derive(Debug)]
pub struct Bound {
    /// At least one.
    pub(super) listeners: Vec<Listener>,
    /// The addresses of TCP ones, in the same order.
    pub addresses: Vec<SocketAddr>,
    /// Loopback addresses that this machine does not have.
    pub absent: Vec<IpAddr>,
    /// The unix one's file; dropped, it is removed.
    #[cfg(unix)]
    pub(super) socket_file: Option<SocketFile>,
    peers: Option<Peers>,
}

/// One socket that listens.
#[derive(Debug)]
pub(super) enum Listener {
    Tcp(TcpListener, SocketAddr),
    #[cfg(unix)]
    Unix(UnixListener),
}

impl Listener {
    /// Has the system look whether those who are connected are still there.
    pub(super) fn ask_after_clients(&self, patience: Duration) {
        match self {
            Self::Tcp(listener, _) => vanished::ask_after_clients(listener, patience),
            #[cfg(unix)]
            Self::Unix(_) => {} // the same machine: the system knows
        }
    }

    /// The next connection and where it comes from; of what user is not known yet.
    pub(super) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Stream, Peer)>> {
        match self {
            Self::Tcp(listener, own) => listener
                .poll_accept(cx)
                .map_ok(|(stream, address)| (Stream::Tcp(stream), Peer::tcp(*own, address))),
            #[cfg(unix)]
            Self::Unix(listener) => listener
                .poll_accept(cx)
                .map_ok(|(stream, _)| (Stream::Unix(stream), Peer::unix(None))),
        }
    }
}

/// A listener could not be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}")]
pub struct BindError {
    /// What was asked for.
    pub address: Listen,
    /// The system's words; `AddrInUse` is a taken port or socket.
    pub source: io::Error,
}

/// Binds and listens. Must be called on the runtime that accepts.
///
/// # Errors
/// A taken port, a missing right, an address that is not this machine's; for `localhost` also a port
/// that is taken on one family only, since half of the callers would reach somebody else.
pub fn bind(listen: &Listen) -> Result<Bound, BindError> {
    match listen {
        Listen::Tcp(address) => Bound::of(vec![open(*address)?], Vec::new(), *address),
        Listen::Localhost(0) => free_port(),
        Listen::Localhost(port) => localhost(*port),
        #[cfg(unix)]
        Listen::Unix { path, mode } => {
            let (listener, file) =
                socket_file::listen(path, *mode, BACKLOG).map_err(|source| BindError {
                    address: listen.clone(),
                    source,
                })?;
            Ok(Bound::of_unix(listener, file))
        }
        #[cfg(not(unix))]
        Listen::Unix { .. } => Err(BindError {
            address: listen.clone(),
            source: io::ErrorKind::Unsupported.into(),
        }),
    }
}

fn localhost(port: u16) -> Result<Bound, BindError> {
    let mut listeners = Vec::new();
    let mut absent = Vec::new();
    for ip in [
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::LOCALHOST),
    ] {
        match open(SocketAddr::new(ip, port)) {
            Ok(listener) => listeners.push(listener),
            Err(error) if is_absent(&error.source) => absent.push(ip),
            Err(error) => return Err(error),
        }
    }
    Bound::of(
        listeners,
        absent,
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port),
    )
}

/// The first family's free port may be taken on the second: then another is tried.
fn free_port() -> Result<Bound, BindError> {
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
        match localhost(port) {
            Err(error) if error.source.kind() == io::ErrorKind::AddrInUse && tries < PORT_TRIES => {
            }
            other => return other,
        }
    }
}

fn open(address: SocketAddr) -> Result<TcpListener, BindError> {
    let attempt = || {
        let socket = if address.is_ipv4() {
            TcpSocket::new_v4()
        } else {
            TcpSocket::new_v6()
        }?;
        #[cfg(unix)] // elsewhere it would let another process take the port over
        socket.set_reuseaddr(true)?;
        #[cfg(target_os = "linux")]
        // what is accepted has it too: one call less for each connection
        socket.set_nodelay(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    attempt().map_err(|source| BindError::tcp(address, source))
}

/// EAFNOSUPPORT or EADDRNOTAVAIL: most containers have no `::1`.
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

impl Bound {
    fn of(
        listeners: Vec<TcpListener>,
        absent: Vec<IpAddr>,
        asked: SocketAddr,
    ) -> Result<Self, BindError> {
        let addresses = listeners
            .iter()
            .map(TcpListener::local_addr)
            .collect::<io::Result<Vec<_>>>()
            .map_err(|source| BindError::tcp(asked, source))?;
        if addresses.is_empty() {
            let source = io::Error::new(io::ErrorKind::AddrNotAvailable, "no loopback address");
            return Err(BindError::tcp(asked, source));
        }
        let listeners = listeners.into_iter().zip(&addresses);
        Ok(Self {
            listeners: listeners
                .map(|(listener, address)| Listener::Tcp(listener, *address))
                .collect(),
            addresses,
            absent,
            #[cfg(unix)]
            socket_file: None,
            peers: None,
        })
    }

    #[cfg(unix)]
    fn of_unix(listener: UnixListener, file: SocketFile) -> Self {
        Self {
            listeners: vec![Listener::Unix(listener)],
            addresses: Vec::new(),
            absent: Vec::new(),
            socket_file: Some(file),
            peers: None,
        }
    }

    /// From now on each connection's [`Peer`] says which user is at its other end.
    ///
    /// # Errors
    /// The system does not tell for a loopback TCP connection; a unix socket and the network need nothing.
    pub fn identify_peers(&mut self) -> io::Result<()> {
        let mut loopback = self
            .addresses
            .iter()
            .filter(|address| address.ip().to_canonical().is_loopback());
        if let Some(first) = loopback.next() {
            // Each family has its own tables in the kernel.
            loopback.try_for_each(|other| Peers::open(*other).map(drop))?;
            self.peers = Some(Peers::open(*first)?);
        }
        Ok(())
    }

    /// Whose connection it is, found out now: a moment later its other end may be somebody else's.
    pub(super) fn identify(&mut self, listener: usize, stream: &Stream, peer: Peer) -> Peer {
        let uid = match (stream, &self.listeners[listener], peer.address) {
            (Stream::Tcp(stream), Listener::Tcp(_, own), Some(address))
                if peer.way == Way::Loopback =>
            {
                let peers = self.peers.as_mut();
                peers.and_then(|peers| peers.uid(stream, address, *own))
            }
            #[cfg(unix)]
            (Stream::Unix(stream), ..) => stream.peer_cred().ok().map(|cred| cred.uid()),
            (Stream::Tcp(_), ..) => None,
        };
        Peer { uid, ..peer }
    }
}

#[cfg(test)]
mod tests;
