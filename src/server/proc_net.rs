//! Reads which user owns the other end of a loopback TCP connection from `/proc/net/tcp` and `/proc/net/tcp6`
//! (`proc(5)`), for kernels without `sock_diag`.
//!
//! Each look-up reads the whole table, which takes milliseconds where there are thousands of sockets. So it looks for
//! several connections at once, on another thread (`table_lookup`).

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;

/// A socket can be missing from the table while others are opened and closed.
const ATTEMPTS: usize = 3;

/// `TCP_ESTABLISHED`, `FIN_WAIT1`, `FIN_WAIT2`, `CLOSE_WAIT`, `LAST_ACK`, `CLOSING`.
const CONNECTED: [u8; 6] = [1, 4, 5, 8, 9, 11];

/// The tables of the kernel.
#[derive(Debug, Clone)]
pub(super) struct ProcNet {
    tables: [PathBuf; 2],
}

/// The two ends of a connection, as the kernel lists the peer's socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ConnectionEnds {
    local: SocketAddr,
    remote: SocketAddr,
}

impl ConnectionEnds {
    pub(super) fn new(peer: SocketAddr, listener: SocketAddr) -> Self {
        Self {
            local: canonical(peer),
            remote: canonical(listener),
        }
    }
}

/// One line of a table.
#[derive(Debug, PartialEq, Eq)]
struct TableLine {
    ends: ConnectionEnds,
    state: u8,
    uid: u32,
    inode: u64,
}

impl ProcNet {
    /// The tables of this system.
    pub(super) fn system() -> Self {
        Self {
            tables: ["/proc/net/tcp".into(), "/proc/net/tcp6".into()],
        }
    }

    #[cfg(test)]
    pub(super) fn of(table: &std::path::Path) -> Self {
        Self {
            tables: [table.into(), "/nonexistent".into()],
        }
    }

    /// Checks with a connection of our own on `ip` that the tables name its user.
    ///
    /// # Errors
    /// They do not exist, or name another user.
    pub(super) fn tested(self, ip: IpAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((ip, 0))?;
        let address = listener.local_addr()?;
        let client = TcpStream::connect(address)?;
        let ends = ConnectionEnds::new(client.local_addr()?, address);
        let owner = self.owners(&[ends])?.pop().flatten();
        if owner == Some(rustix::process::geteuid().as_raw()) {
            Ok(self)
        } else {
            Err(io::ErrorKind::Unsupported.into())
        }
    }

    /// For each connection the user that holds its peer's socket open. `None` if it has been closed.
    ///
    /// # Errors
    /// No table can be read.
    pub(super) fn owners(&self, connections: &[ConnectionEnds]) -> io::Result<Vec<Option<u32>>> {
        let mut missing: HashMap<_, _> = connections.iter().copied().zip(0..).collect();
        let mut owners = vec![None; connections.len()];
        for _ in 0..ATTEMPTS {
            self.read(|line| {
                if let Some(index) = missing.remove(&line.ends) {
                    // A socket that its program has closed reads as user 0; only its inode, 0, gives it away.
                    let is_open = CONNECTED.contains(&line.state) && line.inode != 0;
                    let owner: &mut Option<u32> = &mut owners[index];
                    *owner = is_open.then_some(line.uid);
                }
                !missing.is_empty()
            })?;
            if missing.is_empty() {
                break;
            }
        }
        Ok(owners)
    }

    /// Reads the lines of the tables until `wants_more` returns false.
    fn read(&self, mut wants_more: impl FnMut(TableLine) -> bool) -> io::Result<()> {
        let mut can_be_read = Err(io::ErrorKind::NotFound.into());
        for table in &self.tables {
            let table = match File::open(table) {
                Ok(table) => table,
                Err(error) if can_be_read.is_err() => {
                    can_be_read = Err(error);
                    continue;
                }
                Err(_) => continue, // no IPv6
            };
            can_be_read = Ok(());
            for line in BufReader::new(table).lines() {
                if let Some(line) = parse(&line?)
                    && !wants_more(line)
                {
                    return Ok(());
                }
            }
        }
        can_be_read
    }
}

/// The same form of an address, whether its socket is IPv4 or dual-stack.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// `sl local remote st tx:rx tr:when retrnsmt uid timeout inode …`. `None` for the heading.
fn parse(line: &str) -> Option<TableLine> {
    let mut words = line.split_ascii_whitespace().skip(1);
    Some(TableLine {
        ends: ConnectionEnds {
            local: parse_address(words.next()?)?,
            remote: parse_address(words.next()?)?,
        },
        state: u8::from_str_radix(words.next()?, 16).ok()?,
        uid: words.nth(3)?.parse().ok()?,
        inode: words.nth(1)?.parse().ok()?,
    })
}

/// Words of 32 bits in native order, then the port: `0100007F:1A5D` is 127.0.0.1:6749 on x86.
fn parse_address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let word = |at: usize| {
        let word = u32::from_str_radix(ip.get(at..at + 8)?, 16).ok()?;
        Some(word.to_ne_bytes())
    };
    let ip = match ip.len() {
        8 => IpAddr::from(Ipv4Addr::from(word(0)?)),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            let bytes: [u8; 16] = words.concat().try_into().ok()?;
            IpAddr::from(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    let port = u16::from_str_radix(port, 16).ok()?;
    Some(canonical(SocketAddr::new(ip, port)))
}

#[cfg(test)]
mod tests;
