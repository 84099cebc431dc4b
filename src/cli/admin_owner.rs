//! The user of the process that listens at an admin address, and our own.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use crate::config::Listen;
use crate::server;

/// How long the process that listens may take to accept a connection.
pub(super) const ACCEPT_LIMIT: Duration = Duration::from_secs(2);

/// The user of the process that listens there, if the system tells.
pub(super) async fn owner_of(address: &Listen, deadline: Instant) -> Option<u32> {
    match address {
        Listen::Tcp(address) => {
            let connecting = timeout_at(deadline, TcpStream::connect(address));
            let stream = connecting.await.ok()?.ok()?;
            let end = deadline.min(Instant::now() + ACCEPT_LIMIT);
            server::accepting_user(&stream, end).await
        }
        #[cfg(unix)]
        Listen::Unix { path, .. } => {
            let connecting = timeout_at(deadline, tokio::net::UnixStream::connect(path));
            let stream = connecting.await.ok()?.ok()?;
            Some(stream.peer_cred().ok()?.uid())
        }
        #[cfg(not(unix))]
        Listen::Unix { .. } => None,
        Listen::Localhost(_) => None, // both of its addresses are asked separately
    }
}

/// The user that this process runs as.
#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "other systems have none")]
pub(super) fn own_user() -> Option<u32> {
    Some(rustix::process::geteuid().as_raw())
}

/// This system has no user ids.
#[cfg(not(unix))]
pub(super) fn own_user() -> Option<u32> {
    None
}
