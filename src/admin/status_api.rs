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
    /// What is wrong with the process as a whole.
    #[serde(default)]
    pub problems: Vec<ProblemStatus>,
    /// The proxies of this process.
    pub proxies: Vec<ProxyStatus>,
}

/// Something that is wrong, for a person who has five seconds.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProblemStatus {
    /// Identifies the kind: a reason such as `token_refused`, or a word such as `configuration_refused`.
    pub code: String,
    /// `error` if requests fail, `warning` if they soon may or some do, `notice` otherwise.
    pub severity: String,
    /// What is wrong, in one sentence.
    pub title: String,
    /// The cause, as the log and `cupbearer health` put it.
    pub detail: String,
    /// Since when.
    pub since: Option<String>,
    /// Whose side it is on.
    pub responsible: String,
    /// What to do.
    pub remedy: String,
}

/// What has been counted since the start.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TotalsStatus {
    /// Finished requests.
    pub requests: u64,
    /// Those whose status is 4xx.
    pub client_errors: u64,
    /// Those whose status is 5xx.
    pub server_errors: u64,
    /// Those whose client disconnected before there was a status.
    pub unanswered: u64,
    /// Bytes read from clients.
    pub bytes_in: u64,
    /// Bytes written to clients.
    pub bytes_out: u64,
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
    /// What is wrong with it, the worst first.
    pub problems: Vec<ProblemStatus>,
    /// What it has counted since its start.
    pub totals: TotalsStatus,
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
    /// Seconds for which the token could be used when it was granted.
    pub lifetime_s: u64,
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
    /// The last of them, the oldest first.
    pub attempts: Vec<TokenAttemptStatus>,
    /// The person, if one hands over the tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sign_in: Option<SignInStatus>,
    /// The sign-in that a changed configuration waits for, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub awaited_sign_in: Option<SignInStatus>,
    /// The sign-in that waits for a confirmation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unconfirmed_sign_in: Option<UnconfirmedSignIn>,
}

/// A token request that has ended.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenAttemptStatus {
    /// When it ended.
    pub at: String,
    /// `granted`, `refused`, `throttled` or `unavailable`.
    pub outcome: String,
    /// Why it failed; `None` if it succeeded.
    pub error: Option<String>,
}

/// The person who hands over tokens.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct SignInStatus {
    /// `paste`, `browser` if the person signs in with a browser, or `device` if it is one on another device.
    pub way: String,
    /// Whether new tokens are obtained without the person.
    pub is_renewed: bool,
    /// Who is signed in, if the token says so.
    pub who: Option<String>,
    /// Whether somebody is.
    pub is_signed_in: bool,
    /// Where a token can be copied.
    pub login_url: Option<String>,
    /// The page where it can be pasted.
    pub page: Option<String>,
    /// What speaks against the token.
    pub doubts: Vec<String>,
    /// The claims of the current token that say what it is valid for, if it is a JWT.
    pub claims: Option<serde_json::Map<String, serde_json::Value>>,
}

/// The response to an order to sign in or out.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SignInResult {
    /// The key `name` of the proxy's configuration.
    pub proxy: String,
    /// The API that the token is sent to.
    pub api: String,
    /// The state of the token.
    pub state: String,
    /// Where a token can be copied.
    pub login_url: Option<String>,
    /// The page where it can be pasted.
    pub page: Option<String>,
    /// Who is signed in, if the token says so.
    pub who: Option<String>,
    /// When the token expires; `None` if it lasts until the API rejects it.
    pub expires_at: Option<String>,
    /// What speaks against the token.
    pub doubts: Vec<String>,
    /// `paste`, `browser` if the person signs in with a browser, or `device` if it is one on another device.
    pub way: String,
    /// Whether new tokens are obtained without the person.
    pub is_renewed: bool,
    /// The code of a sign-in that has just begun, and where to enter it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceCode>,
    /// The address that a browser must open. It works once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_url: Option<String>,
    /// What the sign-in is asked about by, as `login`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login: Option<String>,
    /// `waiting`, `signed_in`, `denied`, `failed`, `expired` or `replaced`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Why the sign-in has failed, or what was not done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// What the sign-in waits for while its outcome is `waiting`, if someone else was signed in before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unconfirmed: Option<UnconfirmedSignIn>,
}

/// A sign-in that waits until somebody confirms that someone else is signed in than before.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct UnconfirmedSignIn {
    /// What it is asked about by, and confirmed or cancelled.
    pub login: String,
    /// Who has signed in, if the tokens say so.
    pub who: Option<String>,
    /// Who is signed in until then.
    pub before: Option<String>,
}

/// What a person needs to sign in on another device. No other response, page or log contains it: whoever knows it could
/// sign this proxy in as himself.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DeviceCode {
    /// Where to enter the code.
    pub verification_url: String,
    /// The same with the code in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub complete_url: Option<String>,
    /// What to enter there.
    pub user_code: String,
    /// How long it is valid.
    pub expires_in_s: u64,
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
    /// Counts the requests of the proxy since its start, from 1.
    pub number: u64,
    /// Seconds since the response ended.
    pub ago_s: u64,
    /// When the response ended, in milliseconds since 1970.
    pub ended_at_ms: u64,
    /// The method.
    pub method: String,
    /// The path without the query, cut to 120 bytes.
    pub path: String,
    /// Whether the path was longer, or contained credentials or bytes above ASCII, so that this is not what was sent.
    pub path_is_cut: bool,
    /// The status of the response; `None` if the client disconnected before there was one.
    pub status: Option<u16>,
    /// Why cupbearer answered the request itself, or why the response was cut.
    pub reason: Option<String>,
    /// What went wrong, with the key to change, as the log has it.
    pub error: Option<String>,
    /// Whose side the reason is on.
    pub responsible: Option<String>,
    /// What to do about the reason.
    pub remedy: Option<String>,
    /// The key of the list of rules that has none for this request, such as `guard.allow`.
    pub rule_key: Option<String>,
    /// The rule that would admit the request, as an element of that list.
    pub rule: Option<String>,
    /// The configured caller that sent it.
    pub caller: Option<String>,
    /// The local user who sent it, as `uid:` and a number, if the system knows.
    pub user: Option<String>,
    /// `api`, `cupbearer`, or `nobody` if the client disconnected first.
    pub answered_by: String,
    /// The value of `X-Request-Id`.
    pub request_id: String,
    /// The trace that the caller named in `traceparent`.
    pub trace_id: Option<String>,
    /// The number of the token that was sent last; `None` if the API did not answer.
    pub token_generation: Option<u64>,
    /// Whether the request was sent again after a 401; `None` if there was no such 401.
    pub replayed: Option<bool>,
    /// The version of HTTP that the client used, such as `HTTP/1.1`.
    pub http: String,
    /// Milliseconds from the request head to the end of the response.
    pub ms: f64,
    /// Milliseconds from the request head until it was admitted and there was a token.
    pub sent_ms: Option<f64>,
    /// Milliseconds from then until the head of the API's response, connecting included.
    pub api_ms: Option<f64>,
    /// Milliseconds from the request head to the head of the response to the client.
    pub head_ms: Option<f64>,
    /// Body bytes received from the client; `None` if `log.access` is `"none"`, since nobody counts them then.
    pub bytes_in: Option<u64>,
    /// Body bytes sent to the client.
    pub bytes_out: u64,
}
