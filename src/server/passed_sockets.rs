//! Listening sockets that a service manager has opened and passed to this process (`sd_listen_fds(3)`). It keeps them
//! open while the process restarts, so that new connections wait instead of failing.
//!
//! A socket that is named `api` serves `listen`, and one that is named `admin` serves `admin.listen`. Its real address
//! must be one of those that the key names, so what the configuration says of a listener stays true.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
#[cfg(unix)]
use std::os::unix::net::UnixListener;
#[cfg(unix)]
use std::path::{Path, PathBuf};

use crate::config::Listen;
#[cfg(unix)]
use crate::config::is_same_file;
use crate::text::quoted;

/// The sockets that were passed to this process.
#[derive(Debug, Default)]
pub struct PassedSockets {
    /// Those for `listen`, of all proxies of the process.
    pub api: Vec<PassedSocket>,
    /// Those for `admin.listen`.
    pub admin: Vec<PassedSocket>,
}

/// One of them.
#[derive(Debug)]
pub enum PassedSocket {
    /// It listens on this address.
    Tcp(PassedTcpSocket),
    /// It listens at this path.
    #[cfg(unix)]
    Unix(UnixListener, PathBuf),
}

/// A TCP socket that was passed.
#[derive(Debug)]
pub struct PassedTcpSocket {
    listener: TcpListener,
    address: SocketAddr,
    /// Whether a listener has exactly this address. One on any port does not take it.
    is_named: bool,
}

/// A passed socket that cannot be used: the service manager's configuration and ours contradict each other.
#[derive(Debug, thiserror::Error)]
pub enum PassedSocketError {
    /// A variable is not as `sd_listen_fds(3)` describes it.
    #[error(
        "{0} is {value}, but sd_listen_fds(3) describes something else; correct the program that sets it",
        value = quoted(.1)
    )]
    Variable(&'static str, String),
    /// The name says nothing.
    #[error(
        "the service manager passed a socket with the name {name}, but only \"api\" and \"admin\" have a meaning; \
         write FileDescriptorName=api or FileDescriptorName=admin in its socket unit",
        name = quoted(.0)
    )]
    Name(String),
    /// It accepts no connections that we could serve.
    #[error(
        "what the service manager passed as \"{name}\" is not a listening TCP or unix stream socket ({cause}); \
         write ListenStream= and Accept=no in its socket unit"
    )]
    Kind {
        /// `api` or `admin`.
        name: &'static str,
        /// What is wrong.
        cause: io::Error,
    },
    /// No listener has its address.
    #[error(
        "the service manager passed a socket that listens on {socket} as \"{name}\", but {key} is {configured}; \
         write the same address in ListenStream= of its socket unit and in {key}"
    )]
    Address {
        /// Where it listens.
        socket: String,
        /// `api` or `admin`.
        name: &'static str,
        /// The key that has the addresses.
        key: &'static str,
        /// The addresses.
        configured: String,
    },
    /// The file of the unix socket admits more users than the configuration allows.
    #[error(
        "the service manager passed unix:{} with the mode {mode:04o}, but {key} allows only {allowed:04o}; \
         write SocketMode={allowed:04o} in its socket unit",
        .path.display()
    )]
    #[cfg(unix)]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
        /// What allows fewer.
        key: &'static str,
        /// Those that are allowed.
        allowed: u32,
    },
}

impl PassedSockets {
    /// Takes the sockets that were passed to this process, and `LISTEN_PID` and `LISTEN_FDS` out of its environment.
    /// Must run before any other thread starts. No program that is started later inherits the sockets.
    ///
    /// # Errors
    /// One of them has an unknown name or is not a listening stream socket.
    #[cfg(unix)]
    pub fn from_environment() -> Result<Self, PassedSocketError> {
        let mut passed = Self::default();
        // Sockets for another process are not ours, even if it is our parent.
        if variable("LISTEN_PID").as_deref() != Some(&std::process::id().to_string()) {
            return Ok(passed);
        }
        let Some(count) = variable("LISTEN_FDS") else {
            return Ok(passed);
        };
        let names = variable("LISTEN_FDNAMES").unwrap_or_default();
        let names = split_names(&count, &names)?;
        let mut descriptors = listenfd::ListenFd::from_env();
        for (index, name) in names.into_iter().enumerate() {
            let (name, sockets) = match name.as_str() {
                "api" => ("api", &mut passed.api),
                "admin" => ("admin", &mut passed.admin),
                _ => return Err(PassedSocketError::Name(name)),
            };
            let socket = PassedSocket::take(&mut descriptors, index);
            sockets.push(socket.map_err(|cause| PassedSocketError::Kind { name, cause })?);
        }
        Ok(passed)
    }

    /// There is no such service manager on this system.
    ///
    /// # Errors
    /// None.
    #[cfg(not(unix))]
    pub fn from_environment() -> Result<Self, PassedSocketError> {
        Ok(Self::default())
    }

    /// Whether each socket has an address of its own among those of the proxies (`listen`) and of the admin listeners.
    ///
    /// # Errors
    /// The first one that has not, or that admits more users than it may.
    pub fn check<'a>(
        &mut self,
        listen: impl Iterator<Item = &'a Listen>,
        admin: impl Iterator<Item = &'a Listen>,
    ) -> Result<(), PassedSocketError> {
        check_each(&mut self.api, "api", "listen", &listen.collect::<Vec<_>>())?;
        check_each(
            &mut self.admin,
            "admin",
            "admin.listen",
            &admin.collect::<Vec<_>>(),
        )
    }
}

#[cfg(unix)]
fn variable(name: &'static str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// The name of each socket.
#[cfg(unix)]
fn split_names(count: &str, names: &str) -> Result<Vec<String>, PassedSocketError> {
    let number: usize = count
        .parse()
        .map_err(|_| PassedSocketError::Variable("LISTEN_FDS", count.to_owned()))?;
    let found: Vec<String> = names.split(':').map(str::to_owned).collect();
    if number == 0 {
        Ok(Vec::new())
    } else if found.len() == number {
        Ok(found)
    } else {
        Err(PassedSocketError::Variable(
            "LISTEN_FDNAMES",
            names.to_owned(),
        ))
    }
}

fn check_each(
    sockets: &mut [PassedSocket],
    name: &'static str,
    key: &'static str,
    listens: &[&Listen],
) -> Result<(), PassedSocketError> {
    let mut free: Vec<Vec<SocketAddr>> = listens.iter().map(|one| one.sockets()).collect();
    // First those whose port is named, so that the order of the listeners does not matter.
    for socket in &mut *sockets {
        if let Some(tcp) = socket.tcp() {
            tcp.is_named = take_address(&mut free, tcp.address, |wanted| wanted == tcp.address);
        }
    }
    for socket in &*sockets {
        let is_ours = match socket {
            PassedSocket::Tcp(tcp) => {
                let own = tcp.address;
                tcp.is_named || take_address(&mut free, own, |wanted| fits(own, wanted))
            }
            #[cfg(unix)]
            PassedSocket::Unix(_, path) => match unix_listen(listens, path) {
                Some(allowed) => {
                    let mode_key = if key == "listen" { "listen_mode" } else { key };
                    check_mode(path, mode_key, allowed)?;
                    true
                }
                None => false,
            },
        };
        if !is_ours {
            let configured: Vec<String> = listens.iter().map(ToString::to_string).collect();
            let configured = match configured.as_slice() {
                [] => "off".to_owned(),
                all => all.join(", "),
            };
            return Err(PassedSocketError::Address {
                socket: socket.to_string(),
                name,
                key,
                configured,
            });
        }
    }
    Ok(())
}

/// Takes the first address that fits. The other address of `localhost:0` then has the same port.
fn take_address(
    free: &mut [Vec<SocketAddr>],
    own: SocketAddr,
    fits: impl Fn(SocketAddr) -> bool,
) -> bool {
    for addresses in free {
        if let Some(index) = addresses.iter().position(|wanted| fits(*wanted)) {
            addresses.swap_remove(index);
            for other in addresses.iter_mut().filter(|other| other.port() == 0) {
                other.set_port(own.port());
            }
            return true;
        }
    }
    false
}

/// Whether a socket with this address is what `wanted` asks for. Port 0 asks for any port.
fn fits(own: SocketAddr, wanted: SocketAddr) -> bool {
    own.ip() == wanted.ip() && (wanted.port() == 0 || own.port() == wanted.port())
}

/// The mode of the listener with this path, if there is one.
#[cfg(unix)]
fn unix_listen(listens: &[&Listen], own: &Path) -> Option<u32> {
    listens.iter().find_map(|listen| match listen {
        Listen::Unix { path, mode } if is_same_file(path, own) => Some(*mode),
        _ => None,
    })
}

/// Whoever may write to a unix socket may connect to it.
#[cfg(unix)]
const MAY_CONNECT: u32 = 0o222;

#[cfg(unix)]
fn check_mode(path: &Path, key: &'static str, allowed: u32) -> Result<(), PassedSocketError> {
    use std::os::unix::fs::PermissionsExt as _;
    // A socket whose file is gone cannot be connected to.
    let mode = std::fs::symlink_metadata(path).map_or(0, |file| file.permissions().mode() & 0o777);
    if mode & !allowed & MAY_CONNECT == 0 {
        return Ok(());
    }
    Err(PassedSocketError::Mode {
        path: path.to_owned(),
        mode,
        key,
        allowed,
    })
}

/// The port of the first socket on a loopback address that no other listener names. `localhost:0` uses it for the other
/// address too.
pub(super) fn loopback_port(passed: &[PassedSocket]) -> Option<u16> {
    passed.iter().find_map(|socket| match socket {
        PassedSocket::Tcp(tcp) if tcp.address.ip().is_loopback() && !tcp.is_named => {
            Some(tcp.address.port())
        }
        _ => None,
    })
}

/// Takes the socket for this address, if one was passed.
pub(super) fn take_tcp(passed: &mut Vec<PassedSocket>, wanted: SocketAddr) -> Option<TcpListener> {
    let is_for =
        |tcp: &PassedTcpSocket| tcp.address == wanted || !tcp.is_named && fits(tcp.address, wanted);
    let index = passed
        .iter()
        .position(|socket| matches!(socket, PassedSocket::Tcp(tcp) if is_for(tcp)))?;
    match passed.swap_remove(index) {
        PassedSocket::Tcp(tcp) => Some(tcp.listener),
        #[cfg(unix)]
        PassedSocket::Unix(..) => None,
    }
}

/// Takes the socket at this path, if one was passed.
#[cfg(unix)]
pub(super) fn take_unix(passed: &mut Vec<PassedSocket>, wanted: &Path) -> Option<UnixListener> {
    let index = passed.iter().position(
        |socket| matches!(socket, PassedSocket::Unix(_, own) if is_same_file(own, wanted)),
    )?;
    match passed.swap_remove(index) {
        PassedSocket::Unix(listener, _) => Some(listener),
        PassedSocket::Tcp(..) => None,
    }
}

impl PassedSocket {
    fn tcp(&mut self) -> Option<&mut PassedTcpSocket> {
        match self {
            Self::Tcp(tcp) => Some(tcp),
            #[cfg(unix)]
            Self::Unix(..) => None,
        }
    }

    /// Takes the descriptor with this index, which other programs do not inherit from then on.
    #[cfg(unix)]
    fn take(descriptors: &mut listenfd::ListenFd, index: usize) -> io::Result<Self> {
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        if let Ok(listener) = descriptors.take_unix_listener(index) {
            let listener = listener.ok_or_else(missing)?;
            check_listens(&socket2::SockRef::from(&listener))?;
            let address = listener.local_addr()?;
            let path = address.as_pathname().ok_or_else(|| {
                io::Error::new(io::ErrorKind::Unsupported, "the unix socket has no path")
            })?;
            return Ok(Self::Unix(listener, path.to_owned()));
        }
        let listener = descriptors.take_tcp_listener(index)?.ok_or_else(missing)?;
        check_listens(&socket2::SockRef::from(&listener))?;
        let address = listener.local_addr()?;
        Ok(Self::Tcp(PassedTcpSocket {
            listener,
            address,
            is_named: false,
        }))
    }
}

/// With `Accept=yes`, a service manager passes a connection.
#[cfg(unix)]
fn check_listens(socket: &socket2::SockRef<'_>) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    if !socket.is_listener()? {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is not listening",
        ));
    }
    socket.set_nonblocking(true)
}

impl fmt::Display for PassedSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(tcp) => write!(f, "{}", tcp.address),
            #[cfg(unix)]
            Self::Unix(_, path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
