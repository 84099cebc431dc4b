//! What is left of a request when its answer has ended: its metrics, and its access line if it gets one;
//! paths without their query.

use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use http_body::Frame;
use tokio::time::Instant;

use super::authorize::Sent;
use super::replay::Uploaded;
use super::trace;
use crate::guard::CallerName;
use crate::metrics::{FinishedRequest, Metrics};
use crate::problem::{Reason, RequestId};
use crate::text::{error_chain, loggable};
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
    /// The user at the other end, where the system says so.
    uid: Option<u32>,
    metrics: Arc<Metrics>,
    method: Method,
    path: PathAndQuery,
    request_id: RequestId,
    traceparent: Option<HeaderValue>,
    start: Instant,
    head: Option<(StatusCode, Instant)>,
    reason: Option<Reason>,
    /// What went wrong, with its causes.
    error: Option<String>,
    sent: Option<Sent>,
    caller: Option<CallerName>,
    uploaded: Option<Uploaded>,
    bytes_out: u64,
}

impl Line {
    pub(super) fn begin(
        (lines, metrics): (AccessLines, &Arc<Metrics>),
        uid: Option<u32>,
        method: &Method,
        path: Option<&PathAndQuery>,
        (request_id, headers): (RequestId, &HeaderMap),
    ) -> Self {
        Self {
            lines,
            uid,
            metrics: Arc::clone(metrics),
            method: method.clone(),
            path: path.cloned().unwrap_or(PathAndQuery::from_static("/")),
            request_id,
            traceparent: (lines != AccessLines::None)
                .then(|| trace::traceparent(headers))
                .flatten(),
            start: Instant::now(),
            head: None,
            reason: None,
            error: None,
            sent: None,
            caller: None,
            uploaded: None,
            bytes_out: 0,
        }
    }

    pub(super) const fn id(&self) -> &RequestId {
        &self.request_id
    }

    /// Where what is taken of the request's body is to be counted, if this line may be written.
    pub(super) fn count_upload(&mut self) -> Option<Uploaded> {
        if self.lines == AccessLines::None {
            return None;
        }
        self.uploaded = Some(Uploaded::default());
        self.uploaded.clone()
    }

    pub(super) fn answered(&mut self, status: StatusCode) {
        self.head = Some((status, Instant::now()));
    }

    #[cold]
    pub(super) fn failed(&mut self, reason: Reason, error: String) {
        self.reason = Some(reason);
        self.error = Some(error);
    }

    pub(super) fn sent(&mut self, sent: Option<Sent>, caller: Option<CallerName>) {
        self.sent = sent;
        self.caller = caller;
    }

    /// Follows the body to its end.
    pub(super) fn note(&mut self, polled: &Poll<Option<Result<Frame<Bytes>, BodyError>>>) {
        match polled {
            Poll::Ready(Some(Ok(frame))) => {
                self.bytes_out += frame.data_ref().map_or(0, |data| data.len() as u64);
            }
            Poll::Ready(Some(Err(error))) => {
                let reason = match error {
                    BodyError::Closed { .. } => Reason::UpstreamClosed,
                    BodyError::Stalled { .. } => Reason::UpstreamStalled,
                };
                self.failed(reason, error_chain(error));
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
            AccessLines::None => self.error.is_some(), // a failure of ours is more than an access
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
        self.metrics.request_finished(&FinishedRequest {
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
        let (method, path) = (loggable(self.method.as_str()), loggable(self.path.path()));
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    target: "cupbearer::access",
                    proxy = self.metrics.proxy(),
                    caller = caller.or(uid.as_deref()),
                    method = &*method,
                    path = &*path,
                    status = self.head.map(|(status, _)| status.as_u16()),
                    reason = self.reason.map(Reason::name),
                    error = self.error.as_deref(),
                    request_id = self.request_id.as_str(),
                    trace_id = self.traceparent.as_ref().and_then(trace::trace_id),
                    token_generation = self.sent.map(|sent| sent.generation),
                    replayed = self.sent.and_then(|sent| sent.replayed).map(|replay| replay.is_ok()),
                    head_ms = self.head.map(|(_, at)| milliseconds(at)),
                    total_ms = milliseconds(ended),
                    bytes_in = self.uploaded.as_ref().map_or(0, Uploaded::bytes),
                    bytes_out = self.bytes_out,
                    "request"
                );
            };
        }
        if self.error.is_some() {
            line!(warn);
        } else {
            line!(info);
        }
    }
}
