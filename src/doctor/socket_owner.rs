//! Which process and user have a listening socket open, according to the operating system.

#[cfg(target_os = "linux")]
use std::fs;
#[cfg(target_os = "linux")]
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
#[cfg(target_os = "linux")]
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

#[cfg(target_os = "linux")]
use crate::text::{Unprintable, sanitize};

/// A process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HolderProcess {
    /// The name that the kernel has for it.
    pub name: String,
    /// The process id.
    pub pid: u32,
}

/// What the operating system says about a socket.
pub(super) struct SocketOwner {
    pub(super) process: Option<HolderProcess>,
    pub(super) uid: Option<u32>,
}

/// The state of a listening socket in `/proc/net/tcp`.
#[cfg(target_os = "linux")]
const LISTENING: &str = "0A";

/// Finds the socket in `/proc/net`, then the process that has it open, if this user may see that.
#[cfg(target_os = "linux")]
pub(super) fn socket_owner(address: SocketAddr) -> SocketOwner {
    match listening_socket(address) {
        Some((uid, inode)) => SocketOwner {
            process: process_with_socket(inode),
            uid: Some(uid),
        },
        None => SocketOwner {
            process: None,
            uid: None,
        },
    }
}

/// The owner and the inode of the socket that receives connections to this address. Those that listen stand first in
/// the tables, which may be long.
#[cfg(target_os = "linux")]
fn listening_socket(address: SocketAddr) -> Option<(u32, u64)> {
    let own = rustix::process::geteuid().as_raw();
    let found = ["/proc/net/tcp", "/proc/net/tcp6"]
        .into_iter()
        .filter_map(|table| fs::File::open(table).ok())
        .flat_map(|table| {
            let lines = BufReader::new(table).lines().map_while(Result::ok).skip(1);
            let listening_first = lines.take_while(|line| is_listening(line));
            listening_first.filter_map(move |line| listening(&line, address))
        });
    // Several sockets may share an address: if one is another user's, that is the one to report.
    let (_, _, uid, inode) = found
        .map(|(precision, uid, inode)| (precision, uid != 0 && uid != own, uid, inode))
        .max()?;
    Some((uid, inode))
}

#[cfg(target_os = "linux")]
fn is_listening(line: &str) -> bool {
    line.split_whitespace().nth(3) == Some(LISTENING)
}

/// How precisely a socket names an address on which it listens. The system gives a connection to the most precise one.
#[cfg(target_os = "linux")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Precision {
    /// All addresses of both families.
    BothFamilies,
    /// All addresses of this family; or any address, where all of them are asked for.
    Family,
    /// This address.
    Exact,
}

#[cfg(target_os = "linux")]
impl Precision {
    fn of(listening: IpAddr, wanted: IpAddr) -> Option<Self> {
        let (ip, wanted) = (listening.to_canonical(), wanted.to_canonical());
        if ip == wanted {
            Some(Self::Exact)
        } else if wanted.is_unspecified() || ip.is_unspecified() && ip.is_ipv4() == wanted.is_ipv4()
        {
            Some(Self::Family)
        } else {
            (ip == IpAddr::V6(Ipv6Addr::UNSPECIFIED)).then_some(Self::BothFamilies)
        }
    }
}

/// The owner and the inode in a line of `/proc/net/tcp`, if it is a socket that listens on this address or on all
/// addresses (proc(5)).
#[cfg(target_os = "linux")]
fn listening(line: &str, wanted: SocketAddr) -> Option<(Precision, u32, u64)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (address, port) = fields.get(1)?.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let precision = Precision::of(ip(address)?, wanted.ip())?;
    if port != wanted.port() || *fields.get(3)? != LISTENING {
        return None;
    }
    let (uid, inode) = (fields.get(7)?, fields.get(9)?);
    Some((precision, uid.parse().ok()?, inode.parse().ok()?))
}

/// An address in hexadecimal: words of four bytes, each in the byte order of this machine.
#[cfg(target_os = "linux")]
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

#[cfg(target_os = "linux")]
fn process_with_socket(inode: u64) -> Option<HolderProcess> {
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
        let comm = fs::read(entry.path().join("comm")).ok()?;
        Some(HolderProcess {
            name: printable_name(&comm),
            pid,
        })
    })
}

/// Any program can give itself a name that steers a terminal.
#[cfg(target_os = "linux")]
fn printable_name(comm: &[u8]) -> String {
    let name = String::from_utf8_lossy(comm);
    sanitize(name.trim(), Unprintable::Mark)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn socket_owner(_: SocketAddr) -> SocketOwner {
    SocketOwner {
        process: None,
        uid: None,
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
