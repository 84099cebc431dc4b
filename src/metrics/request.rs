//! A finished request, as the other rooms report it.

use std::time::Duration;

use http::{Method, Version};
use tokio::time::Instant;

/// A request whose response has ended.
#[derive(Debug, Clone, Copy)]
pub struct FinishedRequest<'a> {
    /// The method that the client sent.
    pub method: &'a Method,
    /// The path without the query.
    pub path: &'a str,
    /// The status of the response; `None` if the client disconnected before there was one.
    pub status: Option<u16>,
    /// Why cupbearer answered the request itself, or why the response was cut.
    pub reason: Option<&'static str>,
    /// The configured caller that sent it.
    pub caller: Option<&'a str>,
    /// The value of `X-Request-Id`, which the logs have too.
    pub request_id: &'a str,
    /// When the response ended.
    pub ended: Instant,
    /// From the request head until `ended`.
    pub total: Duration,
    /// From the moment it was forwarded until the head of the upstream's response.
    pub upstream_head: Option<Duration>,
    /// What only the journal and `learn` keep.
    pub details: RequestDetails<'a>,
}

/// What a person who looks into one request wants to know about it. Everything is known when it ends.
#[derive(Debug, Clone, Copy, Default)]
pub struct RequestDetails<'a> {
    /// The local user at the other end of the connection, if the system knows.
    pub user: Option<u32>,
    /// What went wrong, with its causes.
    pub error: Option<&'a str>,
    /// The trace that the caller named.
    pub trace_id: Option<&'a str>,
    /// The number of the token that was sent last; `None` if the response does not come from the upstream.
    pub token_generation: Option<u64>,
    /// Whether the request was sent again after a 401; `None` if there was no such 401.
    pub replayed: Option<bool>,
    /// The version of HTTP that the client used.
    pub version: Version,
    /// Whether the API responded over HTTP/2.
    pub is_api_http2: bool,
    /// When there was a token to send it with: it had been admitted.
    pub sent: Option<Instant>,
    /// When the head of the response to the client began.
    pub head: Option<Instant>,
    /// Whether it asked for an upgrade that `read_only` rejects.
    pub asks_upgrade: bool,
    /// Body bytes received from the client; `None` if nobody counted them.
    pub bytes_in: Option<u64>,
    /// Body bytes sent to the client.
    pub bytes_out: u64,
}

/// The protocol of a request as logs and the status page name it.
#[must_use]
pub const fn protocol_name(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2",
        _ => "HTTP/1.1",
    }
}

/// Called with every request that finishes.
pub type RequestObserver = Box<dyn Fn(&FinishedRequest<'_>) + Send + Sync>;
