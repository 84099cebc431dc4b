//! The answer to a connection for which `limits.connections` leaves no room: nothing of its request is known.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Response};
use tokio::time::{Duration, Instant};

use crate::metrics::{FinishedRequest, Metrics};
use crate::problem::{ProblemResponse, Reason, RequestId};

/// 503 `saturated`; counted, and logged like any failure.
#[must_use]
pub fn saturated(metrics: &Arc<Metrics>, connections: usize) -> Response<Bytes> {
    let id = RequestId::generate();
    let detail = format!(
        "The proxy already has {connections} busy connections (limits.connections, or half of the open files that the system allows). Try again."
    );
    let answer = ProblemResponse {
        close: true,
        ..ProblemResponse::new(Reason::Saturated, &detail, &id)
    };
    let response = answer.response();
    tracing::warn!(
        proxy = metrics.proxy(),
        reason = Reason::Saturated.name(),
        request_id = id.as_str(),
        status = response.status().as_u16(),
        "connection refused"
    );
    metrics.request_finished(&FinishedRequest {
        method: &unread(),
        path: "",
        status: Some(response.status().as_u16()),
        reason: Some(Reason::Saturated.name()),
        caller: None,
        request_id: id.as_str(),
        ended: Instant::now(),
        total: Duration::ZERO,
        upstream_head: None,
    });
    response
}

/// Counted as `other`.
fn unread() -> Method {
    Method::from_bytes(b"UNREAD").unwrap_or_default()
}
