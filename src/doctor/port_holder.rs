//! Which program uses a port of this machine: a cupbearer, if it says so, or a process that the system names.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::local_exchange::{LocalAddress, exchange};
use super::running_instance;
use super::socket_owner::{HolderProcess, socket_owner};
use crate::config::{Listen, PORT_PROBE_HOST};

/// The most that is read of a response, in bytes; only its head matters.
const MAX_RESPONSE: usize = 2048;

/// The program that uses a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortHolder {
    /// Whether it is a cupbearer.
    pub is_cupbearer: bool,
    /// Its process, if the system tells.
    pub process: Option<HolderProcess>,
    /// The user that it runs as, if the system tells.
    pub uid: Option<u32>,
}

impl fmt::Display for PortHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.is_cupbearer, &self.process, self.uid) {
            (true, Some(HolderProcess { pid, .. }), _) => {
                write!(f, "another cupbearer (process {pid})")
            }
            (true, None, _) => f.write_str("another cupbearer"),
            (false, Some(HolderProcess { name, pid }), _) => write!(f, "{name} (process {pid})"),
            (false, None, Some(uid)) => write!(f, "a process of uid {uid}"),
            (false, None, None) => f.write_str("another program"),
        }
    }
}

/// Which program listens on `address`. It is a cupbearer if the admin listener at `admin` says so, or if its own
/// response does; a cupbearer neither counts nor logs that request. Blocks, for at most 2 s per address.
#[must_use]
pub fn holder(address: SocketAddr, admin: &[Listen]) -> PortHolder {
    let is_cupbearer = running_instance::status_of(address, admin).is_some()
        || answers_as_cupbearer(address).unwrap_or(false);
    holder_if(address, is_cupbearer)
}

/// Like [`holder`], if it is already known whether the program is a cupbearer.
pub(super) fn holder_if(address: SocketAddr, is_cupbearer: bool) -> PortHolder {
    let owner = socket_owner(address);
    PortHolder {
        is_cupbearer,
        process: owner.process,
        uid: owner.uid,
    }
}

/// Sends a request for a host that no cupbearer serves. A cupbearer rejects it with its own `Proxy-Status` (RFC 9209)
/// and forwards nothing.
fn answers_as_cupbearer(address: SocketAddr) -> std::io::Result<bool> {
    let request = format!("GET / HTTP/1.1\r\nHost: {PORT_PROBE_HOST}\r\nConnection: close\r\n\r\n");
    let has_head = |read: &[u8]| read.windows(4).any(|end| end == b"\r\n\r\n");
    let head = exchange(
        &LocalAddress::Tcp(reachable(address)),
        request.as_bytes(),
        MAX_RESPONSE,
        has_head,
    )?;
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    Ok(head.contains("\r\nproxy-status: cupbearer;"))
}

/// The address to connect to: a listener on all addresses is reached over loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    if !address.ip().is_unspecified() {
        return address;
    }
    let loopback: IpAddr = if address.is_ipv4() {
        Ipv4Addr::LOCALHOST.into()
    } else {
        Ipv6Addr::LOCALHOST.into()
    };
    SocketAddr::new(loopback, address.port())
}

#[cfg(test)]
mod tests;
