//! Collects what `/status` and the page show: never a token, a secret, a query or a body.

use std::time::SystemTime;

use super::readiness::Readiness;
use super::status_api::{
    ProcessStatus, ProxyStatus, RecentRequest, TokenRequestCounts, TokenStatus,
};
use super::view::ProxyView;
use crate::metrics::JournalEntry;
use crate::text::{date_and_time, loggable};
use crate::token::Snapshot;

pub(super) fn process_status(views: &[ProxyView], readiness: Readiness) -> ProcessStatus {
    ProcessStatus {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: Some(std::process::id()),
        ready: readiness.is_ready,
        summary: readiness.line,
        proxies: views.iter().map(proxy_status).collect(),
    }
}

fn proxy_status(view: &ProxyView) -> ProxyStatus {
    let snapshot = view.snapshot();
    let mut notes = (view.notes)();
    if snapshot.refused_although_fresh {
        notes.push("refused although fresh: a missing role?".to_owned());
    }
    ProxyStatus {
        name: view.name.clone(),
        fingerprint: (view.fingerprint)(),
        listens_on: view.listens_on.clone(),
        upstream: (view.upstream)(),
        uptime_s: view.since.elapsed().as_secs(),
        token: token_status((view.token_from)(), snapshot),
        requests_in_flight: view.metrics.in_flight().get(),
        client_connections: view.metrics.client_connections().get(),
        upstream_connections: view.metrics.upstream_connections().get(),
        notes,
        has_pending_change: Some((view.has_pending_change)()),
        pending_fingerprint: (view.pending_fingerprint)(),
        recent: view
            .metrics
            .recent()
            .iter()
            .rev()
            .map(recent_request)
            .collect(),
    }
}

fn token_status(from: String, snapshot: Snapshot) -> TokenStatus {
    let attempts = snapshot.attempts;
    TokenStatus {
        from,
        state: snapshot.state.as_str().to_owned(),
        generation: snapshot.generation,
        expires_at: snapshot.expires_at.map(timestamp),
        usable_for_s: snapshot.usable_for.as_secs(),
        next_attempt_in_s: snapshot.next_attempt_in.as_secs(),
        last_success: snapshot.last_success.map(timestamp),
        last_error: snapshot.last_error,
        refused: snapshot.refused,
        failures_in_a_row: snapshot.failures,
        requests: TokenRequestCounts {
            granted: attempts.granted,
            refused: attempts.refused,
            throttled: attempts.throttled,
            unavailable: attempts.unavailable,
        },
    }
}

fn recent_request(entry: &JournalEntry) -> RecentRequest {
    RecentRequest {
        ago_s: entry.ended.elapsed().as_secs(),
        method: loggable(entry.method.as_str()).into_owned(),
        path: loggable(entry.path()).into_owned(),
        status: entry.status,
        reason: entry.reason.map(str::to_owned),
        caller: entry.caller().map(str::to_owned),
        request_id: entry.request_id().to_owned(),
        // Rounded to microseconds, since f64 would otherwise print 0.33537500000000003.
        ms: (entry.total.as_secs_f64() * 1e6).round() / 1e3,
    }
}

fn timestamp(time: SystemTime) -> String {
    date_and_time(time).unwrap_or_else(|| "after the year 9999".to_owned())
}

#[cfg(test)]
mod tests;
