//! The JSON of `/status`: the one description of it, which the admin listener writes and `cupbearer status` and the
//! doctor read.
//!
//! The field names are a promise to programs. A reader tolerates an older or newer cupbearer: an unknown field is
//! ignored, and a missing one has its default (an empty text, zero). Only `proxies` must be there.

use serde::{Deserialize, Serialize};

/// The whole process.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ProcessStatus {
    /// The version of cupbearer.
    #[serde(default)]
    pub version: String,
    /// The process id; `None` only if another version did not send one.
    #[serde(default)]
    pub pid: Option<u32>,
    /// Whether every proxy is ready, as `/ready` reports it.
    #[serde(default)]
    pub ready: bool,
    /// The line that `/ready` responds with.
    #[serde(default)]
    pub summary: String,
    /// The proxies of this process.
    pub proxies: Vec<ProxyStatus>,
}

/// One proxy.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ProxyStatus {
    /// The key `name` of its configuration.
    pub name: String,
    /// A digest of its name, API, client and guard; empty if another version did not send one.
    pub fingerprint: String,
    /// The URLs it listens on, or `unix:` and a path.
    pub listens_on: Vec<String>,
    /// The URL of the API.
    pub upstream: String,
    /// Seconds since it was started.
    pub uptime_s: u64,
    /// Its access token.
    pub token: TokenStatus,
    /// Requests whose response has not ended yet.
    pub requests_in_flight: usize,
    /// Open connections from clients.
    pub client_connections: usize,
    /// Open connections to the upstream.
    pub upstream_connections: usize,
    /// What an operator should know, such as a key that needs a restart.
    pub notes: Vec<String>,
    /// Whether the configuration has changed and the change is not applied yet; a note says why. `None` if another
    /// version did not send it.
    pub has_pending_change: Option<bool>,
    /// A digest of the name, API and address in the newest configuration. Empty if that configuration is in use or
    /// cannot be read, or if another version did not send it.
    pub pending_fingerprint: String,
    /// The most recent requests, the latest first.
    pub recent: Vec<RecentRequest>,
}

/// The state of the access token, never the token itself.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenStatus {
    /// The URL of the token endpoint, or of the issuer that names it.
    pub from: String,
    /// `starting`, `fresh`, `stale` or `expired`.
    pub state: String,
    /// Counts the tokens that have been granted.
    pub generation: u64,
    /// When the token expires.
    pub expires_at: Option<String>,
    /// Seconds for which the token can still be used.
    pub usable_for_s: u64,
    /// Seconds until the next token request.
    pub next_attempt_in_s: u64,
    /// When a token was last granted.
    pub last_success: Option<String>,
    /// Why the last token request failed; `None` if it succeeded.
    pub last_error: Option<String>,
    /// Whether the token endpoint refused the last request, so that retrying alone does not help.
    pub refused: bool,
    /// Failed token requests since the last successful one.
    pub failures_in_a_row: u32,
    /// Token requests so far.
    pub requests: TokenRequestCounts,
}

/// How many token requests have ended in which way.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenRequestCounts {
    /// A token was granted.
    pub granted: u64,
    /// The token endpoint refused the credentials or the request.
    pub refused: u64,
    /// The token endpoint asked for fewer requests.
    pub throttled: u64,
    /// The token endpoint could not be reached, or its response was unusable.
    pub unavailable: u64,
}

/// A finished request.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RecentRequest {
    /// Seconds since the response ended.
    pub ago_s: u64,
    /// The method.
    pub method: String,
    /// The path without the query, cut to 120 bytes.
    pub path: String,
    /// The status of the response; `None` if the client disconnected before there was one.
    pub status: Option<u16>,
    /// Why cupbearer answered the request itself, or why the response was cut.
    pub reason: Option<String>,
    /// The configured caller that sent it.
    pub caller: Option<String>,
    /// The value of `X-Request-Id`.
    pub request_id: String,
    /// Milliseconds from the request head to the end of the response.
    pub ms: f64,
}
