//! Clients that vanish without a word: the system asks after them, so that what is held for them is let go.
//!
//! hyper notices a client that closes. One whose machine sleeps or whose network is gone closes nothing,
//! and a tunnel in which nothing is sent would be held until the upstream ends it.

use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpListener;

/// A silent client is asked whether it is still there after this long.
const IDLE: Duration = Duration::from_secs(15);
/// And again so often, while it does not answer.
const INTERVAL: Duration = Duration::from_secs(5);
/// The system counts whole seconds.
const LEAST: Duration = Duration::from_secs(1);
/// Without `TCP_USER_TIMEOUT`: so many questions without an answer end the connection.
const PROBES: u32 = 3;

/// Every connection accepted from now on ends `patience` after its client was heard last, whether bytes
/// wait for it or not (RFC 5482).
///
/// `patience` is `upstream.stall_timeout`, which is what a client may take that reads nothing: Linux counts
/// a closed window too. The options stand on the listener because accepted sockets inherit them: nothing is
/// paid for at each connection.
pub(super) fn ask_after_clients(listener: &TcpListener, patience: Duration) {
    let socket = SockRef::from(listener);
    let keep_alive = TcpKeepalive::new()
        .with_time(IDLE.min(patience).max(LEAST))
        .with_interval(INTERVAL.min(patience).max(LEAST))
        .with_retries(PROBES);
    // A system that knows an option not does without: the server works all the same.
    let _ = socket.set_tcp_keepalive(&keep_alive);
    #[cfg(target_os = "linux")]
    let _ = socket.set_tcp_user_timeout(Some(patience));
    #[cfg(not(target_os = "linux"))]
    let _ = patience;
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
