//! `/status`: everything that may be known, as JSON; never a token, a secret, a query or a body.

use std::time::SystemTime;

use http::StatusCode;
use serde::Serialize;

use super::view::{Readiness, View};
use super::{Reply, typed};
use crate::metrics::Entry;
use crate::text::loggable;

/// The whole of it, as JSON.
pub(super) fn status(views: &[View]) -> Reply {
    let process = Process {
        version: env!("CARGO_PKG_VERSION"),
        pid: std::process::id(),
        ready: Readiness::of_all(views).is_ready,
        summary: Readiness::of_all(views).line,
        proxies: views.iter().map(Proxy::of).collect(),
    };
    // Strings and numbers under constant names: cannot fail.
    let text = serde_json::to_string_pretty(&process).unwrap_or_default() + "\n";
    typed(StatusCode::OK, "application/json", text)
}

#[derive(Serialize)]
struct Process {
    version: &'static str,
    pid: u32,
    ready: bool,
    summary: String,
    proxies: Vec<Proxy>,
}

#[derive(Serialize)]
pub(super) struct Proxy {
    pub(super) name: String,
    pub(super) listens_on: Vec<String>,
    pub(super) upstream: String,
    pub(super) uptime_s: u64,
    pub(super) token: Token,
    pub(super) requests_in_flight: usize,
    pub(super) client_connections: usize,
    pub(super) upstream_connections: usize,
    pub(super) notes: Vec<String>,
    /// Youngest first.
    pub(super) recent: Vec<Recent>,
}

#[derive(Serialize)]
pub(super) struct Token {
    pub(super) from: String,
    pub(super) state: &'static str,
    pub(super) generation: u64,
    pub(super) expires_at: Option<String>,
    pub(super) usable_for_s: u64,
    pub(super) next_attempt_in_s: u64,
    pub(super) last_success: Option<String>,
    pub(super) last_error: Option<String>,
    pub(super) refused: bool,
    pub(super) failures_in_a_row: u32,
    pub(super) requests: Attempts,
}

#[derive(Serialize)]
pub(super) struct Attempts {
    granted: u64,
    refused: u64,
    throttled: u64,
    unavailable: u64,
}

#[derive(Serialize)]
pub(super) struct Recent {
    pub(super) ago_s: u64,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) status: Option<u16>,
    pub(super) reason: Option<&'static str>,
    pub(super) caller: Option<String>,
    pub(super) request_id: String,
    pub(super) ms: f64,
}

impl Proxy {
    pub(super) fn of(view: &View) -> Self {
        let snapshot = view.snapshot();
        let attempts = snapshot.attempts;
        let mut notes = (view.notes)();
        if snapshot.refused_although_fresh {
            notes.push("refused although fresh: a missing role?".to_owned());
        }
        Self {
            name: view.name.clone(),
            listens_on: view.listens_on.clone(),
            upstream: (view.upstream)(),
            uptime_s: view.since.elapsed().as_secs(),
            token: Token {
                from: (view.token_from)(),
                state: snapshot.state.as_str(),
                generation: snapshot.generation,
                expires_at: snapshot.expires_at.map(written),
                usable_for_s: snapshot.usable_for.as_secs(),
                next_attempt_in_s: snapshot.next_attempt_in.as_secs(),
                last_success: snapshot.last_success.map(written),
                last_error: snapshot.last_error,
                refused: snapshot.refused,
                failures_in_a_row: snapshot.failures,
                requests: Attempts {
                    granted: attempts.granted,
                    refused: attempts.refused,
                    throttled: attempts.throttled,
                    unavailable: attempts.unavailable,
                },
            },
            requests_in_flight: view.metrics.in_flight().get(),
            client_connections: view.metrics.client_connections().get(),
            upstream_connections: view.metrics.upstream_connections().get(),
            notes,
            recent: view.metrics.recent().iter().rev().map(Recent::of).collect(),
        }
    }
}

impl Recent {
    fn of(entry: &Entry) -> Self {
        Self {
            ago_s: entry.ended.elapsed().as_secs(),
            method: loggable(entry.method.as_str()).into_owned(),
            path: loggable(entry.path()).into_owned(),
            status: entry.status,
            reason: entry.reason,
            caller: entry.caller().map(str::to_owned),
            request_id: entry.request_id().to_owned(),
            // Whole microseconds: else it is full of 0.33537500000000003.
            ms: (entry.total.as_secs_f64() * 1e6).round() / 1e3,
        }
    }
}

fn written(at: SystemTime) -> String {
    humantime::format_rfc3339_seconds(at).to_string()
}

#[cfg(test)]
mod tests;
