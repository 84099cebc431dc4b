//! `limits.*`: what one proxy accepts from its clients.

use crate::config::keys;
use crate::config::types::LimitsConfig;
use crate::config::values::Values;

/// The whole table.
pub(super) fn limits(values: &mut Values) -> Option<LimitsConfig> {
    let connections = values.read(&keys::LIMITS_CONNECTIONS);
    let in_flight = values.read(&keys::LIMITS_IN_FLIGHT);
    let streams = values.read(&keys::LIMITS_STREAMS);
    let header_bytes = values.read(&keys::LIMITS_HEADER_BYTES);
    let header_timeout = values.read(&keys::LIMITS_HEADER_TIMEOUT);
    let keep_alive = values.read(&keys::LIMITS_KEEP_ALIVE);
    Some(LimitsConfig {
        connections: usize::try_from(connections?).ok()?,
        in_flight: usize::try_from(in_flight?).ok()?,
        streams: streams?,
        header_bytes: header_bytes?,
        header_timeout: header_timeout?,
        keep_alive: keep_alive?,
    })
}
