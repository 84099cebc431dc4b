//! Addresses of listeners as people write them: `localhost:PORT`, `ADDRESS:PORT`, `unix:/PATH`. No name is ever
//! resolved.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use super::problems::InvalidValue;
use super::same_file::{is_same_file, resolve_links};
use crate::text::quoted;

/// The `Host` of a request that asks which program uses a port. A cupbearer rejects it like any other foreign name, but
/// neither counts nor logs it.
pub const PORT_PROBE_HOST: &str = "who-holds-this-port.invalid";

/// A listener's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// `localhost:PORT`: every loopback address family of this machine.
    Localhost(u16),
    /// One address; port 0 means any free one.
    Tcp(SocketAddr),
    /// `unix:/PATH`: a unix socket.
    Unix {
        /// Absolute.
        path: PathBuf,
        /// `listen_mode`: the socket file's permissions.
        mode: u32,
    },
}

impl Listen {
    /// Whether only this machine can connect: a unix socket or loopback, which is `127.0.0.0/8`, `::1` or the
    /// name `localhost`, which is never resolved.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Localhost(_) | Self::Unix { .. } => true,
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
        }
    }

    /// Whether one machine cannot listen on both at the same time.
    #[must_use]
    pub(crate) fn conflicts_with(&self, other: &Self) -> bool {
        if let (Self::Unix { path, .. }, Self::Unix { path: taken, .. }) = (self, other) {
            return is_same_file(path, taken) || self.is_nested_with(other);
        }
        self.sockets()
            .iter()
            .any(|one| other.sockets().iter().any(|two| overlap(*one, *two)))
    }

    /// Whether these are sockets of which one is where the other one needs a folder.
    #[must_use]
    pub(crate) fn is_nested_with(&self, other: &Self) -> bool {
        let (Self::Unix { path, .. }, Self::Unix { path: other, .. }) = (self, other) else {
            return false;
        };
        let (one, other) = (resolve_links(path), resolve_links(other));
        one != other && (one.starts_with(&other) || other.starts_with(&one))
    }

    /// The TCP addresses that are bound, of which a machine may lack some.
    pub(crate) fn sockets(&self) -> Vec<SocketAddr> {
        match self {
            Self::Localhost(port) => vec![
                (Ipv4Addr::LOCALHOST, *port).into(),
                (Ipv6Addr::LOCALHOST, *port).into(),
            ],
            Self::Tcp(address) => vec![*address],
            Self::Unix { .. } => Vec::new(),
        }
    }
}

/// Whether a socket that listens on one of these addresses keeps another one from listening on the other.
fn overlap(one: SocketAddr, two: SocketAddr) -> bool {
    // An unspecified IPv6 address takes IPv4 connections too, except on Windows.
    let covers = |wide: IpAddr, ip: IpAddr| match wide {
        IpAddr::V4(wide) => wide.is_unspecified() && ip.is_ipv4(),
        IpAddr::V6(wide) => wide.is_unspecified() && (ip.is_ipv6() || cfg!(not(windows))),
    };
    let (one_ip, two_ip) = (one.ip().to_canonical(), two.ip().to_canonical());
    one.port() != 0
        && one.port() == two.port()
        && (one_ip == two_ip || covers(one_ip, two_ip) || covers(two_ip, one_ip))
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Localhost(port) => write!(f, "localhost:{port}"),
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix { path, .. } => write!(f, "unix:{}", path.display()),
        }
    }
}

/// The longest path of a unix socket, without its final NUL (`sun_path`: 108 on Linux, 104 elsewhere).
const LONGEST_SOCKET_PATH: usize = 103;

/// The mode of a unix socket where none is set: its owner only.
const OWNER_ONLY: u32 = 0o600;

/// `listen`: `localhost:PORT`, `ADDRESS:PORT` or `unix:/PATH`.
pub(crate) fn listen(text: &str) -> Result<Listen, InvalidValue> {
    listen_near(text, 6749)
}

/// An address in `admin.listen`, as in [`listen`].
pub(crate) fn admin_listen(text: &str) -> Result<Listen, InvalidValue> {
    listen_near(text, 6750)
}

/// Whether the system cannot bind it without the interface (RFC 4007 section 11).
const fn needs_scope(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

/// `example` is the port to propose.
fn listen_near(text: &str, example: u16) -> Result<Listen, InvalidValue> {
    let invalid =
        |problem: &str, remedy: String| (format!("{} {problem}", quoted(text)), remedy).into();
    if text.trim().is_empty() {
        let remedy = format!("write \"localhost:{example}\", or remove it");
        return Err(("is empty", remedy).into());
    }
    if let Some(path) = text.strip_prefix("unix:") {
        return match unusable_socket(path).or_else(|| occupied(path)) {
            None => Ok(Listen::Unix {
                path: path.into(),
                mode: OWNER_ONLY,
            }),
            Some(problem) if cfg!(not(unix)) => {
                Err(invalid(problem, format!("write \"localhost:{example}\"")))
            }
            // The path alone: after a colon, an "@" would look like the end of a password.
            Some(problem) => Err((
                format!("{} {problem}", quoted(path)),
                format!("write \"unix:/run/cupbearer/api.sock\" or \"localhost:{example}\""),
            )
                .into()),
        };
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        if needs_scope(address.ip()) {
            let problem = "is a link-local address, whose interface cannot be named here";
            let remedy =
                format!("write \"localhost:{example}\", or another address of the interface");
            return Err(invalid(problem, remedy));
        }
        return Ok(Listen::Tcp(address));
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        let remedy = if address.is_loopback() {
            format!("write \"{}\"", SocketAddr::new(address, example))
        } else {
            format!("write \"localhost:{example}\", or put a port after the address")
        };
        return Err(invalid("has no port", remedy));
    }
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) => (name, Some(port)),
        None if text.parse::<u16>().is_ok() => ("", Some(text)),
        None => (text, None),
    };
    match port.map(str::parse::<u16>) {
        Some(Ok(port)) if name.eq_ignore_ascii_case("localhost") => Ok(Listen::Localhost(port)),
        Some(Ok(port)) if name.is_empty() => Err(invalid(
            "has no host",
            format!("write \"localhost:{port}\""),
        )),
        Some(Ok(port)) => Err(invalid(
            "is neither localhost nor an IP address",
            format!("write \"localhost:{port}\", or an address of this machine"),
        )),
        Some(Err(_)) => Err(invalid(
            "has an invalid port",
            format!("write a port from 0 to 65535, such as \"localhost:{example}\""),
        )),
        None => Err(invalid(
            "has no port",
            format!("write \"localhost:{example}\""),
        )),
    }
}

/// Why no socket can be made at `path`: something else is there, or in the place of its folder, which a start does not
/// replace. A link is something else too.
#[cfg(unix)]
fn occupied(path: &str) -> Option<&'static str> {
    use std::fs::{metadata, symlink_metadata};
    use std::os::unix::fs::FileTypeExt as _;
    use std::path::Path;
    if let Ok(found) = symlink_metadata(path) {
        return (!found.file_type().is_socket()).then_some("exists and is not a socket");
    }
    // A start creates the folders that are missing below this one.
    let mut folders = Path::new(path).ancestors().skip(1);
    let nearest = folders.find(|folder| symlink_metadata(folder).is_ok())?;
    let is_folder = metadata(nearest).is_ok_and(|found| found.is_dir());
    (!is_folder).then_some("is below something that is not a folder")
}

#[cfg(not(unix))]
fn occupied(_: &str) -> Option<&'static str> {
    None
}

/// Why `path` cannot be the path of a unix socket.
fn unusable_socket(path: &str) -> Option<&'static str> {
    if cfg!(not(unix)) {
        return Some("is a unix socket, which this system does not support");
    }
    if !path.starts_with('/') || path.ends_with('/') || path.contains('\0') {
        return Some("is not the absolute path of a socket");
    }
    (path.len() > LONGEST_SOCKET_PATH).then_some("is longer than the path of a socket can be")
}
