//! What is left of a request when its answer has ended: its metrics, and its access line if it gets one;
//! paths without their query.

use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{Method, StatusCode};
use http_body::Frame;
use tokio::time::Instant;

use super::authorize::Sent;
use super::errors;
use crate::answer::{Reason, RequestId};
use crate::guard::CallerName;
use crate::metrics::{Exchange, Metrics};
use crate::upstream::BodyError;

/// Which requests get a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessLines {
    /// All of them.
    All,
    /// Those that may change something, and those that failed.
    WritesAndFailures,
    /// None.
    None,
}

/// One request's account. Closed on drop, so that a request that is abandoned is counted too.
pub(super) struct Line {
    lines: AccessLines,
    metrics: Arc<Metrics>,
    method: Method,
    path: PathAndQuery,
    request_id: RequestId,
    start: Instant,
    head: Option<(StatusCode, Instant)>,
    reason: Option<Reason>,
    sent: Option<Sent>,
    caller: Option<CallerName>,
    uid: Option<u32>,
    bytes: u64,
}

impl Line {
    pub(super) fn begin(
        (lines, metrics): (AccessLines, &Arc<Metrics>),
        method: &Method,
        path: Option<&PathAndQuery>,
        request_id: &RequestId,
    ) -> Self {
        Self {
            lines,
            metrics: Arc::clone(metrics),
            method: method.clone(),
            path: path.cloned().unwrap_or(PathAndQuery::from_static("/")),
            request_id: request_id.clone(),
            start: Instant::now(),
            head: None,
            reason: None,
            sent: None,
            caller: None,
            uid: None,
            bytes: 0,
        }
    }

    /// The user who sent it, where the system says so.
    pub(super) fn of_user(mut self, uid: Option<u32>) -> Self {
        self.uid = uid;
        self
    }

    pub(super) fn answered(&mut self, status: StatusCode, reason: Option<Reason>) {
        self.head = Some((status, Instant::now()));
        self.reason = reason;
    }

    pub(super) fn sent(&mut self, sent: Option<Sent>, caller: Option<CallerName>) {
        self.sent = sent;
        self.caller = caller;
    }

    /// Follows the body to its end.
    pub(super) fn note(&mut self, polled: &Poll<Option<Result<Frame<Bytes>, BodyError>>>) {
        match polled {
            Poll::Ready(Some(Ok(frame))) => {
                self.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
            }
            Poll::Ready(Some(Err(error))) => {
                self.reason = Some(match error {
                    BodyError::Closed { .. } => Reason::UpstreamClosed,
                    BodyError::Stalled { .. } => Reason::UpstreamStalled,
                });
                tracing::warn!(
                    request_id = self.request_id.as_str(),
                    error = errors::chain(error),
                    "answer broke off"
                );
            }
            Poll::Ready(None) | Poll::Pending => {}
        }
    }

    fn is_wanted(&self) -> bool {
        let failed = self.reason.is_some()
            || self
                .head
                .is_none_or(|(status, _)| status.is_client_error() || status.is_server_error());
        match self.lines {
            AccessLines::All => true,
            AccessLines::WritesAndFailures => failed || !self.method.is_safe(),
            AccessLines::None => false,
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let ended = Instant::now();
        self.count(ended);
        if self.is_wanted() {
            self.write(ended);
        }
    }
}

impl Line {
    fn count(&self, ended: Instant) {
        let asked = self.sent.map(|sent| sent.asked);
        self.metrics.ended(&Exchange {
            method: &self.method,
            path: self.path.path(),
            status: self.head.map(|(status, _)| status.as_u16()),
            reason: self.reason.map(Reason::name),
            caller: self.caller.as_ref().map(CallerName::as_str),
            request_id: self.request_id.as_str(),
            ended,
            total: ended.duration_since(self.start),
            upstream_head: asked
                .zip(self.head)
                .map(|(asked, (_, head))| head.duration_since(asked)),
        });
    }

    fn write(&self, ended: Instant) {
        // Whole microseconds: else the lines are full of 0.33537500000000003.
        let milliseconds = |instant: Instant| {
            (instant.duration_since(self.start).as_secs_f64() * 1e6).round() / 1e3
        };
        // No caller's name has a colon.
        let uid = self.uid.map(|uid| format!("uid:{uid}"));
        let caller = self.caller.as_ref().map(CallerName::as_str);
        tracing::info!(
            target: "cupbearer::access",
            caller = caller.or(uid.as_deref()),
            method = self.method.as_str(),
            path = self.path.path(),
            status = self.head.map(|(status, _)| status.as_u16()),
            reason = self.reason.map(Reason::name),
            request_id = self.request_id.as_str(),
            token_generation = self.sent.map(|sent| sent.generation),
            replayed = self.sent.and_then(|sent| sent.replayed).map(|replay| replay.is_ok()),
            head_ms = self.head.map(|(_, at)| milliseconds(at)),
            total_ms = milliseconds(ended),
            bytes = self.bytes,
            "request"
        );
    }
}
