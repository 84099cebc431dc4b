//! TCP keep-alive and user timeout for client connections, so that the system closes those whose client is gone.
//!
//! hyper notices a client that closes its connection. A client whose machine is suspended or has lost its network
//! closes nothing, and a silent tunnel to it would stay open until the upstream ends it.

use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

/// How long a client may be silent before the first probe.
const IDLE: Duration = Duration::from_secs(15);
/// The interval between probes while the client does not respond.
const INTERVAL: Duration = Duration::from_secs(5);
/// The system counts in whole seconds.
const SHORTEST: Duration = Duration::from_secs(1);
/// Without `TCP_USER_TIMEOUT`, the connection ends after this many unanswered probes.
const PROBES: u32 = 3;

/// Makes the system end a connection once its client has been silent for `user_timeout`, whether bytes wait for the
/// client or not (RFC 5482). For a listener, that applies to the connections accepted from now on.
///
/// The server passes `upstream.stall_timeout`, because Linux also counts the time in which a client leaves its receive
/// window closed. Accepted sockets inherit the options of their listener, so they cost nothing for each connection
/// until a reload changes the timeout.
pub(super) fn enable_keepalive(socket: &SockRef<'_>, user_timeout: Duration) {
    let keepalive = TcpKeepalive::new()
        .with_time(IDLE.min(user_timeout).max(SHORTEST))
        .with_interval(INTERVAL.min(user_timeout).max(SHORTEST))
        .with_retries(PROBES);
    // The server works without an option that the system does not have.
    let _ = socket.set_tcp_keepalive(&keepalive);
    #[cfg(target_os = "linux")]
    let _ = socket.set_tcp_user_timeout(Some(user_timeout));
    #[cfg(not(target_os = "linux"))]
    let _ = user_timeout;
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
