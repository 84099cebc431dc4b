//! The metrics of connections, to clients and to the upstream, and of the bytes on the former.

use prometheus::{IntCounter, IntCounterVec};

use super::registrar::{ActiveGauge, Registrar, at_zero};

/// How an attempt to connect to the upstream can end.
const ATTEMPT_OUTCOMES: [&str; 6] = ["opened", "dns", "refused", "timeout", "proxy", "tls"];

pub(super) struct TrafficMetrics {
    pub(super) client_connections: ActiveGauge,
    pub(super) upstream_connections: ActiveGauge,
    pub(super) bytes_in: IntCounter,
    pub(super) bytes_out: IntCounter,
    pub(super) upstream_attempts: IntCounterVec,
}

impl TrafficMetrics {
    pub(super) fn new(register: &Registrar<'_>) -> Self {
        let connections = register.gauges("cupbearer_connections", "Open connections.", &["side"]);
        let bytes = register.counters(
            "cupbearer_bytes_total",
            "Bytes read from clients (in) and written to them (out), including heads and tunnels, not counting TLS. Connections that are rejected at once do not count.",
            &["direction"],
        );
        let upstream_attempts = register.counters(
            "cupbearer_upstream_connections_total",
            "Attempts to connect to the upstream, by outcome.",
            &["outcome"],
        );
        at_zero(&upstream_attempts, ATTEMPT_OUTCOMES);
        Self {
            client_connections: ActiveGauge::new(connections.with_label_values(&["client"])),
            upstream_connections: ActiveGauge::new(connections.with_label_values(&["upstream"])),
            bytes_in: bytes.with_label_values(&["in"]),
            bytes_out: bytes.with_label_values(&["out"]),
            upstream_attempts,
        }
    }

    pub(super) fn update(&self) {
        self.client_connections.update();
        self.upstream_connections.update();
    }
}
