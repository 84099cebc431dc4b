//! From a host name to a TCP connection: the first address that answers.
//!
//! The name is resolved for each connection and the result is not cached. A changed address therefore takes effect
//! with the next connection, and `upstream.pool_idle` bounds how long a connection to the old one is used.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;

use super::host_port::HostPort;
use super::socket_options;

/// How long one address is tried alone before the next is tried in parallel (RFC 8305 section 5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// No TCP connection could be made.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The name has no address.
    #[error("the name {host} could not be resolved")]
    Unresolved {
        /// The name.
        host: String,
        /// The resolver's error.
        source: io::Error,
    },
    /// Every address was tried.
    #[error("could not connect to {address}")]
    Unreachable {
        /// The address that was tried last.
        address: SocketAddr,
        /// The error of the last attempt.
        source: io::Error,
    },
}

/// Connects to the first address of `target` that answers. Has no time limit of its own.
///
/// # Errors
/// The name has no address, or none of its addresses accepts a connection.
pub async fn dial(target: &HostPort) -> Result<TcpStream, DialError> {
    let addresses = resolve(target).await?;
    let stream = race(interleave_families(addresses)).await?;
    socket_options::set_defaults(&stream);
    Ok(stream)
}

/// Resolves the name of `target` to at least one address.
///
/// # Errors
/// [`DialError::Unresolved`].
pub async fn resolve(target: &HostPort) -> Result<Vec<SocketAddr>, DialError> {
    let unresolved = |source| DialError::Unresolved {
        host: target.host.clone(),
        source,
    };
    let found = tokio::net::lookup_host((&*target.host, target.port)).await;
    let addresses: Vec<_> = found.map_err(unresolved)?.collect();
    if addresses.is_empty() {
        return Err(unresolved(io::Error::other("the name has no address")));
    }
    Ok(addresses)
}

/// Alternates between IPv6 and IPv4, beginning with the resolver's first address (RFC 8305 section 4).
fn interleave_families(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (preferred, other): (Vec<_>, Vec<_>) = addresses
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

/// Tries the addresses in order. The next attempt starts as soon as one has failed, and otherwise after
/// [`ATTEMPT_DELAY`], while the earlier ones go on (RFC 8305 section 5).
async fn race(addresses: Vec<SocketAddr>) -> Result<TcpStream, DialError> {
    let mut untried = addresses.into_iter();
    let mut attempts = tokio::task::JoinSet::new();
    let mut last_error = None;
    loop {
        if let Some(address) = untried.next() {
            attempts.spawn(async move {
                TcpStream::connect(address)
                    .await
                    .map_err(|source| DialError::Unreachable { address, source })
            });
        }
        let has_untried = untried.len() > 0;
        tokio::select! {
            ended = attempts.join_next() => match ended {
                Some(Ok(Ok(stream))) => return Ok(stream),
                Some(Ok(Err(error))) => last_error = Some(error),
                Some(Err(_)) | None => {}
            },
            () = tokio::time::sleep(ATTEMPT_DELAY), if has_untried => {}
        }
        if attempts.is_empty() && untried.len() == 0 {
            return Err(
                last_error.expect("at least one address was tried, and every attempt failed")
            );
        }
    }
}

#[cfg(test)]
mod tests;
