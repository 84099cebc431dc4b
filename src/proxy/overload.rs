//! The response on a connection that exceeds `limits.connections`. Its request is not parsed, except for `Origin`.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, header};
use tokio::time::{Duration, Instant};

use crate::metrics::{FinishedRequest, Metrics};
use crate::problem::{ProblemResponse, Reason, RequestId};

/// 503 `saturated`. It is counted, and logged like any failure.
pub(super) fn too_many_connections(metrics: &Arc<Metrics>, limit: usize) -> Response<Bytes> {
    let id = RequestId::generate();
    let detail = format!(
        "The proxy already has {limit} busy connections (limits.connections, or half of the open files that the system allows). Try again."
    );
    let problem = ProblemResponse {
        close: true,
        ..ProblemResponse::new(Reason::Saturated, &detail, &id)
    };
    let response = problem.response();
    tracing::warn!(
        proxy = metrics.proxy(),
        reason = Reason::Saturated.name(),
        request_id = id.as_str(),
        status = response.status().as_u16(),
        "connection rejected"
    );
    metrics.request_finished(&FinishedRequest {
        method: &unread_method(),
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

/// The `Origin` fields of a head that may be incomplete, so that a page of `guard.origins` can read the response.
pub(super) fn origins(head: &[u8]) -> HeaderMap {
    let mut origins = HeaderMap::new();
    let lines = head.split(|byte| *byte == b'\n').skip(1);
    for line in lines.take_while(|line| !line.trim_ascii().is_empty()) {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        if let (Some(name), Some(value)) = (parts.next(), parts.next())
            && name.eq_ignore_ascii_case(b"origin")
            && let Ok(value) = HeaderValue::from_bytes(value.trim_ascii())
        {
            origins.append(header::ORIGIN, value);
        }
    }
    origins
}

/// A method that the metrics count as `other`.
fn unread_method() -> Method {
    Method::from_bytes(b"UNREAD").unwrap_or_default()
}
