//! From a name to a TCP connection: the first address that answers, set up so that a dead path is noticed.
//!
//! A name is resolved at each connection and nothing of it is kept: a changed address is seen by the
//! next connection, and `upstream.pool_idle` bounds how long an old one is used.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// How long one address may be tried alone before the next is tried beside it (RFC 8305 §5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);
/// An idle connection is probed after this long, so that a path that died meanwhile is known before it is used.
const KEEP_ALIVE_IDLE: Duration = Duration::from_secs(15);
/// Between probes without an answer.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// So many probes without an answer end the connection: 15 s and three times 5 s.
const KEEP_ALIVE_PROBES: u32 = 3;
/// When a request without much of a body is given up whose bytes nobody acknowledges; the system's own patience
/// is about 15 minutes.
pub(super) const USER_TIMEOUT: Duration = Duration::from_secs(30);

/// No TCP connection.
#[derive(Debug)]
pub(super) enum DialError {
    /// The name has no address.
    Unresolved(io::Error),
    /// Every address was tried; the last one failed like this.
    Refused {
        address: SocketAddr,
        source: io::Error,
    },
}

/// A connection to `host`, which is a name or an address without brackets. No limit of its own.
pub(super) async fn dial(host: &str, port: u16) -> Result<TcpStream, DialError> {
    let found = tokio::net::lookup_host((host, port)).await;
    let found: Vec<_> = found.map_err(DialError::Unresolved)?.collect();
    if found.is_empty() {
        let source = io::Error::other("the name has no address");
        return Err(DialError::Unresolved(source));
    }
    let stream = race(alternate(found)).await?;
    tune(&stream);
    Ok(stream)
}

/// A system that knows an option not does without: the connection works all the same.
fn tune(stream: &TcpStream) {
    // Heads and last chunks leave at once; hyper writes whole messages.
    let _ = stream.set_nodelay(true);
    let socket = SockRef::from(stream);
    let keep_alive = TcpKeepalive::new()
        .with_time(KEEP_ALIVE_IDLE)
        .with_interval(KEEP_ALIVE_INTERVAL)
        .with_retries(KEEP_ALIVE_PROBES);
    let _ = socket.set_tcp_keepalive(&keep_alive);
    give_up_after(stream, USER_TIMEOUT);
}

/// How long sent bytes may stay without an acknowledgement (RFC 5482). Linux counts a closed window too: of
/// a peer that is there and does not read.
pub(super) fn give_up_after(stream: &TcpStream, patience: Duration) {
    #[cfg(target_os = "linux")]
    let _ = SockRef::from(stream).set_tcp_user_timeout(Some(patience));
    #[cfg(not(target_os = "linux"))]
    let _ = (stream, patience);
}

/// Address families by turns, each in the resolver's order (RFC 8305 §4).
fn alternate(found: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = found.first().is_some_and(SocketAddr::is_ipv6);
    let (preferred, other): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|address| address.is_ipv6() == first_is_v6);
    let mut ordered = Vec::with_capacity(preferred.len() + other.len());
    let (mut preferred, mut other) = (preferred.into_iter(), other.into_iter());
    loop {
        match (preferred.next(), other.next()) {
            (None, None) => return ordered,
            (a, b) => ordered.extend(a.into_iter().chain(b)),
        }
    }
}

/// Tries the addresses one after the other, the next beside the last after 250 ms or at its failure (RFC 8305 §5).
async fn race(addresses: Vec<SocketAddr>) -> Result<TcpStream, DialError> {
    let mut waiting = addresses.into_iter();
    let mut tries = tokio::task::JoinSet::new();
    let mut last = None;
    loop {
        if let Some(address) = waiting.next() {
            tries.spawn(async move {
                TcpStream::connect(address)
                    .await
                    .map_err(|source| DialError::Refused { address, source })
            });
        }
        let more = waiting.len() > 0;
        tokio::select! {
            ended = tries.join_next() => match ended {
                Some(Ok(Ok(stream))) => return Ok(stream),
                Some(Ok(Err(error))) => last = Some(error),
                Some(Err(_)) | None => {}
            },
            () = tokio::time::sleep(ATTEMPT_DELAY), if more => {}
        }
        if tries.is_empty() && waiting.len() == 0 {
            return Err(last.expect("there is at least one address, and none has answered"));
        }
    }
}

#[cfg(test)]
mod tests;
