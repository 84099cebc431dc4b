//! A finished request, as the other rooms report it.

use std::time::Duration;

use http::Method;
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
}

/// Called with every request that finishes.
pub type RequestObserver = Box<dyn Fn(&FinishedRequest<'_>) + Send + Sync>;
