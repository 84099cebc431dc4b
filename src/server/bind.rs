//! Listening sockets: `localhost` on every loopback family that the machine has.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::{TcpListener, TcpSocket};

use crate::config::Listen;

/// Connections that the kernel may hold for us before we accept them.
const BACKLOG: u32 = 1024;

/// How many ports `localhost:0` may try until one is free on both families.
const PORT_TRIES: usize = 32;

/// Sockets that listen, all on one port.
#[derive(Debug)]
pub struct Bound {
    /// At least one.
    pub(super) listeners: Vec<TcpListener>,
    /// Their addresses, in the same order.
    pub addresses: Vec<SocketAddr>,
    /// Loopback addresses that this machine does not have.
    pub absent: Vec<IpAddr>,
}

/// A listener could not be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}")]
pub struct BindError {
    /// What was asked for.
    pub address: SocketAddr,
    /// The system's words; `AddrInUse` is a taken port.
    pub source: io::Error,
}

/// Binds and listens. Must be called on the runtime that accepts.
///
/// # Errors
/// A taken port, a missing right, an address that is not this machine's; for `localhost` also a port
/// that is taken on one family only, since half of the callers would reach somebody else.
pub fn bind(listen: &Listen) -> Result<Bound, BindError> {
    match *listen {
        Listen::Tcp(address) => Bound::of(vec![open(address)?], Vec::new(), address),
        Listen::Localhost(0) => free_port(),
        Listen::Localhost(port) => localhost(port),
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
            .map_err(|source| BindError {
                address: any,
                source,
            })?
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
    attempt().map_err(|source| BindError { address, source })
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
            .map_err(|source| BindError {
                address: asked,
                source,
            })?;
        if addresses.is_empty() {
            let source = io::Error::new(io::ErrorKind::AddrNotAvailable, "no loopback address");
            return Err(BindError {
                address: asked,
                source,
            });
        }
        Ok(Self {
            listeners,
            addresses,
            absent,
        })
    }
}

#[cfg(test)]
mod tests {
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
    async fn an_accepted_connection_sends_small_answers_at_once_without_being_told() {
        let bound = bind(&Listen::Tcp("127.0.0.1:0".parse().unwrap())).unwrap();
        let connecting = tokio::net::TcpStream::connect(bound.addresses[0]);
        let (_client, accepted) = tokio::join!(connecting, bound.listeners[0].accept());
        assert!(accepted.unwrap().0.nodelay().unwrap());
    }

    #[tokio::test]
    async fn a_port_taken_on_one_family_only_is_an_error() {
        let Ok(other) = open(SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 0)) else {
            return; // no IPv6 here: there is one family only
        };
        let port = other.local_addr().unwrap().port();
        let error = bind(&Listen::Localhost(port)).unwrap_err();
        assert_eq!(error.source.kind(), io::ErrorKind::AddrInUse);
    }
}
