//! Who holds a port of this machine: a cupbearer, as it says itself, or a process, as the system says.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::running;
use crate::config::Listen;

/// Whoever listens on loopback answers at once; whoever is stuck is not waited for.
const ANSWER_LIMIT: Duration = Duration::from_secs(1);

/// Who holds a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Whether what answers there is a cupbearer.
    pub is_cupbearer: bool,
    /// Its name and process id, where this system tells them to us.
    pub process: Option<Process>,
    /// The user it runs as, where this system tells.
    pub uid: Option<u32>,
}

/// A process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its name, as the kernel has it.
    pub name: String,
    /// Its id.
    pub pid: u32,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.is_cupbearer, &self.process, self.uid) {
            (true, Some(Process { pid, .. }), _) => write!(f, "another cupbearer (process {pid})"),
            (true, None, _) => f.write_str("another cupbearer"),
            (false, Some(Process { name, pid }), _) => write!(f, "{name} (process {pid})"),
            (false, None, Some(uid)) => write!(f, "a process of uid {uid}"),
            (false, None, None) => f.write_str("another program"),
        }
    }
}

/// Who listens at this address: a cupbearer, if one that answers at `admin` says so, or else what answers itself; the
/// latter is a refused request in that one's log. Takes 2 s an address at most, and blocks.
#[must_use]
pub fn holder(address: SocketAddr, admin: &[Listen]) -> Holder {
    let says_so = || running::status_of(address, admin).is_some();
    let answers_so = || answers_as_cupbearer(address).unwrap_or(false);
    holder_if(address, says_so() || answers_so())
}

/// The same, where it is known whether it is a cupbearer.
pub(super) fn holder_if(address: SocketAddr, is_cupbearer: bool) -> Holder {
    let known = system::holder(address);
    Holder {
        is_cupbearer,
        process: known.process,
        uid: known.uid,
    }
}

/// A request for a host that no cupbearer serves: it refuses with its own `Proxy-Status` (RFC 9209) and
/// sends nothing on.
fn answers_as_cupbearer(address: SocketAddr) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect_timeout(&reachable(address), ANSWER_LIMIT)?;
    stream.set_read_timeout(Some(ANSWER_LIMIT))?;
    stream.set_write_timeout(Some(ANSWER_LIMIT))?;
    stream.write_all(
        b"GET / HTTP/1.1\r\nHost: who-holds-this-port.invalid\r\nConnection: close\r\n\r\n",
    )?;
    let mut head = [0; 2048];
    let mut length = 0;
    while length < head.len() {
        match stream.read(&mut head[length..])? {
            0 => break,
            more => length += more,
        }
        if head[..length].windows(4).any(|end| end == b"\r\n\r\n") {
            break;
        }
    }
    let head = String::from_utf8_lossy(&head[..length]).to_ascii_lowercase();
    Ok(head.contains("\r\nproxy-status: cupbearer;"))
}

/// An address that means all of them is reached by loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    if !address.ip().is_unspecified() {
        return address;
    }
    let loopback: std::net::IpAddr = if address.is_ipv4() {
        std::net::Ipv4Addr::LOCALHOST.into()
    } else {
        std::net::Ipv6Addr::LOCALHOST.into()
    };
    SocketAddr::new(loopback, address.port())
}

/// What the kernel's tables say.
struct Known {
    process: Option<Process>,
    uid: Option<u32>,
}

#[cfg(target_os = "linux")]
mod system {
    use std::fs;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

    use super::{Known, Process};

    const LISTENING: &str = "0A";

    /// The socket in `/proc/net`, then the process that has it open, if we may look into that.
    pub(super) fn holder(address: SocketAddr) -> Known {
        let socket = ["/proc/net/tcp", "/proc/net/tcp6"]
            .into_iter()
            .filter_map(|table| fs::read_to_string(table).ok())
            .find_map(|table| table.lines().find_map(|line| listening(line, address)));
        match socket {
            Some((uid, inode)) => Known {
                process: owner(inode),
                uid: Some(uid),
            },
            None => Known {
                process: None,
                uid: None,
            },
        }
    }

    /// Owner and inode of a line that listens at this address or at all of them (proc(5)).
    pub(super) fn listening(line: &str, wanted: SocketAddr) -> Option<(u32, u64)> {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (address, port) = fields.get(1)?.split_once(':')?;
        let port = u16::from_str_radix(port, 16).ok()?;
        let ip = ip(address)?;
        let is_there =
            ip.to_canonical() == wanted.ip() || ip.is_unspecified() || wanted.ip().is_unspecified();
        if port != wanted.port() || !is_there || *fields.get(3)? != LISTENING {
            return None;
        }
        Some((fields.get(7)?.parse().ok()?, fields.get(9)?.parse().ok()?))
    }

    /// Words of four bytes in this machine's order.
    fn ip(hexadecimal: &str) -> Option<IpAddr> {
        let word = |text: &str| Some(u32::from_str_radix(text, 16).ok()?.to_ne_bytes());
        match hexadecimal.len() {
            8 => Some(Ipv4Addr::from(word(hexadecimal)?).into()),
            32 => {
                let mut bytes = [0; 16];
                for (index, four) in bytes.chunks_exact_mut(4).enumerate() {
                    four.copy_from_slice(&word(hexadecimal.get(8 * index..8 * index + 8)?)?);
                }
                Some(Ipv6Addr::from(bytes).into())
            }
            _ => None,
        }
    }

    fn owner(inode: u64) -> Option<Process> {
        let wanted = format!("socket:[{inode}]");
        let processes = fs::read_dir("/proc").ok()?;
        processes.filter_map(Result::ok).find_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            let has_it = fs::read_dir(entry.path().join("fd"))
                .ok()?
                .filter_map(Result::ok)
                .any(|open| fs::read_link(open.path()).is_ok_and(|to| to.as_os_str() == &*wanted));
            if !has_it {
                return None;
            }
            let name = fs::read_to_string(entry.path().join("comm")).ok()?;
            Some(Process {
                name: name.trim().to_owned(),
                pid,
            })
        })
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::net::SocketAddr;

    use super::Known;

    /// Nothing that this system tells without a program of its own.
    pub(super) fn holder(_: SocketAddr) -> Known {
        Known {
            process: None,
            uid: None,
        }
    }
}

#[cfg(test)]
mod tests;
