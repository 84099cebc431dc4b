//! Socket options that let a connection over a dead path end in seconds instead of a quarter of an hour.

use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// An idle connection is probed after this time, so that a dead path is noticed before the connection is used again.
const KEEP_ALIVE_IDLE: Duration = Duration::from_secs(15);
/// The time between two probes.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// The number of unanswered probes that end the connection: 15 s plus three times 5 s.
const KEEP_ALIVE_PROBES: u32 = 3;
/// How long sent bytes may stay unacknowledged, unless an upload is under way. Linux's default is about 15 minutes.
pub const USER_TIMEOUT: Duration = Duration::from_secs(30);

/// Sets the options of a new connection. A system that does not support one of them is used without it.
pub(super) fn set_defaults(stream: &TcpStream) {
    // The head of a message and its last chunk leave at once; hyper writes whole messages.
    let _ = stream.set_nodelay(true);
    let keep_alive = TcpKeepalive::new()
        .with_time(KEEP_ALIVE_IDLE)
        .with_interval(KEEP_ALIVE_INTERVAL)
        .with_retries(KEEP_ALIVE_PROBES);
    let _ = SockRef::from(stream).set_tcp_keepalive(&keep_alive);
    set_user_timeout(stream, USER_TIMEOUT);
}

/// Sets how long sent bytes may stay unacknowledged before the system ends the connection (RFC 5482).
///
/// Linux also ends a connection whose peer acknowledges, but keeps its receive window closed for that long.
pub fn set_user_timeout(stream: &TcpStream, timeout: Duration) {
    #[cfg(target_os = "linux")]
    let _ = SockRef::from(stream).set_tcp_user_timeout(Some(timeout));
    #[cfg(not(target_os = "linux"))]
    let _ = (stream, timeout);
}
