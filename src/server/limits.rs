//! The limits of a server's connections.

use std::time::Duration;

/// What a server may hold, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// Open connections.
    pub connections: usize,
    /// Bytes of one request head.
    pub header_bytes: usize,
    /// Streams of one HTTP/2 connection that may be open; 0 if the server does not speak HTTP/2.
    pub streams: u32,
    /// From the start of a connection, or the first byte of a request, to the end of the head.
    pub header_timeout: Duration,
    /// How long a connection may stay idle between requests.
    pub keep_alive: Duration,
    /// How long a client may leave bytes that wait for it unread.
    pub stall_timeout: Duration,
    /// How long a client may take to send a head before its connection gives way to a new one. A client that opens
    /// hundreds of connections at once sends its first request only when it has opened the last of them.
    pub head_grace: Duration,
    /// A connection whose response has waited so long for its client gives way to a new one at the limit. `None` if it
    /// counts as busy until `stall_timeout` expires.
    pub unread_gives_way: Option<Duration>,
}

#[cfg(test)]
impl ConnectionLimits {
    /// Limits that expire in no test: a minute for everything.
    pub(super) const fn of_a_minute(connections: usize) -> Self {
        let limit = Duration::from_mins(1);
        Self {
            connections,
            header_bytes: 64 << 10,
            streams: 128,
            header_timeout: limit,
            keep_alive: limit,
            stall_timeout: limit,
            head_grace: limit,
            unread_gives_way: None,
        }
    }
}
