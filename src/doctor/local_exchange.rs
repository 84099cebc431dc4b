//! Sends a few bytes to a program of this machine and reads its response on a thread that may block.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::PathBuf;
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::time::Instant;

/// For the connection, and again for the request with the whole response. A program on loopback responds at once,
/// unless it is stuck.
const TIME_LIMIT: Duration = Duration::from_secs(1);

/// Where a program of this machine listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LocalAddress {
    Tcp(SocketAddr),
    #[cfg(unix)]
    Unix(PathBuf),
}

impl LocalAddress {
    fn connect(&self) -> io::Result<Socket> {
        let (domain, address) = match self {
            Self::Tcp(address) => (Domain::for_address(*address), SockAddr::from(*address)),
            #[cfg(unix)]
            Self::Unix(path) => (Domain::UNIX, SockAddr::unix(path)?),
        };
        let socket = Socket::new(domain, Type::STREAM, None)?;
        socket.connect_timeout(&address, TIME_LIMIT)?;
        Ok(socket)
    }
}

/// What the program at `address` responds: until `is_enough`, until it closes the connection, or the first `longest`
/// bytes. Blocks, for at most 2 s, however slowly it responds.
///
/// # Errors
/// It cannot be reached, or takes longer.
pub(super) fn exchange(
    address: &LocalAddress,
    request: &[u8],
    longest: usize,
    is_enough: impl Fn(&[u8]) -> bool,
) -> io::Result<Vec<u8>> {
    let mut stream = address.connect()?;
    let deadline = Instant::now() + TIME_LIMIT;
    stream.set_write_timeout(Some(TIME_LIMIT))?;
    stream.write_all(request)?;
    let mut response = Vec::new();
    let mut buffer = [0; 16 << 10];
    while response.len() < longest && !is_enough(&response) {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        let room = buffer.len().min(longest - response.len());
        match stream.read(&mut buffer[..room]) {
            Ok(0) => break,
            Ok(more) => response.extend_from_slice(&buffer[..more]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(response)
}

#[cfg(test)]
mod tests;
