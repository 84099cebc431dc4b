//! How many connections the proxies and the admin listeners of one process may have.

use std::time::Duration;

use crate::config::Config;
use crate::server::{self, ConnectionLimits};

/// How many connections all admin listeners together may have.
pub(super) const ADMIN_CONNECTIONS: usize = 64;

/// The limits of one proxy, if `proxies` share the descriptors of the process.
pub(super) fn connection_limits(config: &Config, proxies: usize) -> ConnectionLimits {
    let fitting = server::connections_per_proxy(proxies, ADMIN_CONNECTIONS).unwrap_or(usize::MAX);
    ConnectionLimits {
        connections: config.limits.connections.min(fitting),
        header_bytes: config.limits.header_bytes,
        streams: config.limits.streams,
        header_timeout: config.limits.header_timeout,
        keep_alive: config.limits.keep_alive,
        stall_timeout: config.upstream.stall_timeout,
        head_grace: Duration::from_millis(250),
        unread_gives_way: None,
    }
}
