//! What remains of a request when its response has ended: its metrics, and its line in the access log if it gets one.
//! Paths are recorded without their query.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::Frame;
use tokio::time::Instant;

use super::access_sink::AccessSink;
use super::attempt::LastAttempt;
use super::request_body::UploadCounter;
use super::trace;
use crate::guard::CallerName;
use crate::metrics::{FinishedRequest, RequestDetails, protocol_name};
use crate::problem::{Reason, RequestId};
use crate::text::{error_chain, loggable, without_user_info};
use crate::upstream::BodyError;

/// Which requests get a line in the access log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessLines {
    /// All requests.
    All,
    /// Requests that may change something, and requests that failed.
    WritesAndFailures,
    /// No request.
    None,
}

/// The record of one request. It is counted and logged when it is dropped, so that an abandoned request is, too.
pub(super) struct AccessRecord {
    lines: AccessLines,
    /// The user at the other end of the connection, if the system knows.
    uid: Option<u32>,
    sink: Arc<AccessSink>,
    method: Method,
    version: Version,
    path: PathAndQuery,
    /// The method and the path are unknown.
    is_unread: bool,
    request_id: RequestId,
    traceparent: Option<HeaderValue>,
    start: Instant,
    head: Option<(StatusCode, Instant)>,
    reason: Option<Reason>,
    /// What went wrong, with its causes.
    error: Option<String>,
    attempt: Option<LastAttempt>,
    api_version: Version,
    caller: Option<CallerName>,
    asks_upgrade: bool,
    upload_counter: Option<UploadCounter>,
    bytes_out: u64,
    fate: RecordFate,
}

/// What becomes of a record when its request has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RecordFate {
    /// The request is counted, and logged if it gets a line.
    Kept,
    /// The same, but only some get a line: it was rejected before its caller was admitted.
    Rejection,
    /// It is neither counted nor logged.
    Discarded,
}

impl AccessRecord {
    pub(super) fn begin<B>(
        lines: AccessLines,
        sink: &Arc<AccessSink>,
        uid: Option<u32>,
        request_id: RequestId,
        request: &Request<B>,
    ) -> Self {
        Self {
            lines,
            uid,
            sink: Arc::clone(sink),
            method: request.method().clone(),
            version: request.version(),
            path: request
                .uri()
                .path_and_query()
                .cloned()
                .unwrap_or(PathAndQuery::from_static("/")),
            is_unread: false,
            request_id,
            traceparent: (lines != AccessLines::None)
                .then(|| trace::traceparent(request.headers()))
                .flatten(),
            start: Instant::now(),
            head: None,
            reason: None,
            error: None,
            attempt: None,
            api_version: Version::HTTP_11,
            caller: None,
            asks_upgrade: false,
            upload_counter: None,
            bytes_out: 0,
            fate: RecordFate::Kept,
        }
    }

    pub(super) const fn request_id(&self) -> &RequestId {
        &self.request_id
    }

    /// The counter for the bytes of the request body, unless no line is written anyway.
    pub(super) fn count_upload(&mut self) -> Option<UploadCounter> {
        if self.lines == AccessLines::None {
            return None;
        }
        self.upload_counter = Some(UploadCounter::default());
        self.upload_counter.clone()
    }

    /// The response begins now. If it is our own, the status is that of its reason, because gRPC clients always get a
    /// 200.
    pub(super) fn set_status(&mut self, status: StatusCode) {
        let status = self.reason.map_or(status, Reason::status);
        self.head = Some((status, Instant::now()));
    }

    #[cold]
    pub(super) fn set_failure(&mut self, reason: Reason, error: String) {
        self.reason = Some(reason);
        self.error = Some(error);
    }

    /// The request was rejected before its caller was admitted. Only some of these get a line.
    #[cold]
    pub(super) fn set_rejection(&mut self, reason: Reason, error: String) {
        self.set_failure(reason, error);
        self.fate = RecordFate::Rejection;
    }

    /// The request line could not be read.
    pub(super) fn set_unread(&mut self) {
        self.is_unread = true;
        // The metrics count it as `other`.
        self.method = Method::from_bytes(b"UNREAD").unwrap_or_default();
    }

    /// The request is neither counted nor logged.
    #[cold]
    pub(super) fn discard(&mut self) {
        self.fate = RecordFate::Discarded;
    }

    /// The upstream has responded in this version, if there was an attempt.
    pub(super) fn set_attempt(&mut self, attempt: Option<LastAttempt>, version: Version) {
        self.attempt = attempt;
        self.api_version = version;
    }

    /// Only a client that speaks HTTP/2 gets a response of that version: hyper would not know what follows it.
    pub(super) fn restore_version<B>(&self, response: &mut Response<B>) {
        if self.version != Version::HTTP_2 {
            *response.version_mut() = Version::HTTP_11;
        }
    }

    /// The protocol of the upstream's response; `None` if the upstream has not responded.
    fn api_protocol(&self) -> Option<&'static str> {
        self.attempt?;
        Some(protocol_name(self.api_version))
    }

    pub(super) fn set_caller(&mut self, caller: Option<CallerName>) {
        self.caller = caller;
    }

    pub(super) fn set_asks_upgrade(&mut self, asks_upgrade: bool) {
        self.asks_upgrade = asks_upgrade;
    }

    /// Follows the response body to its end.
    pub(super) fn on_frame(&mut self, frame: &Result<Frame<Bytes>, BodyError>) {
        match frame {
            Ok(frame) => self.bytes_out += frame.data_ref().map_or(0, |data| data.len() as u64),
            Err(error) => {
                let reason = match error {
                    BodyError::Closed { .. } | BodyError::GoneAway | BodyError::Unfinished => {
                        Reason::UpstreamClosed
                    }
                    BodyError::Stalled { .. } => Reason::UpstreamStalled,
                };
                self.set_failure(reason, error_chain(error));
            }
        }
    }

    /// There is no response: the client has gone away, or the proxy has cut the connection.
    #[cold]
    fn note_abandoned(&mut self) {
        if self.sink.is_cutting.load(Ordering::Relaxed) {
            let error = "the proxy stopped before the API had responded (drain)";
            self.set_failure(Reason::Draining, error.to_owned());
        }
    }

    fn gets_a_line(&self) -> bool {
        let has_failed = self.reason.is_some()
            || self
                .head
                .is_none_or(|(status, _)| status.is_client_error() || status.is_server_error());
        match self.lines {
            AccessLines::All => true,
            AccessLines::WritesAndFailures => has_failed || !self.method.is_safe(),
            AccessLines::None => self.error.is_some(), // cupbearer's own errors are logged in any case
        }
    }

    /// Takes one of the lines that rejected requests get, if this is one.
    fn is_within_limit(&self) -> bool {
        let reason = self.reason.filter(|_| self.fate == RecordFate::Rejection);
        reason.is_none_or(|reason| self.sink.rejections.admit(reason))
    }
}

impl Drop for AccessRecord {
    fn drop(&mut self) {
        if self.fate == RecordFate::Discarded {
            return;
        }
        if self.head.is_none() && self.reason.is_none() {
            self.note_abandoned();
        }
        let ended = Instant::now();
        self.count(ended);
        if self.gets_a_line() && self.is_within_limit() {
            self.log(ended);
        }
    }
}

impl AccessRecord {
    fn count(&self, ended: Instant) {
        let path = without_user_info(self.path.path());
        self.sink.metrics.request_finished(&FinishedRequest {
            method: &self.method,
            path: if self.is_unread { "" } else { &path },
            status: self.head.map(|(status, _)| status.as_u16()),
            reason: self.reason.map(Reason::name),
            caller: self.caller.as_ref().map(CallerName::as_str),
            request_id: self.request_id.as_str(),
            ended,
            total: ended.duration_since(self.start),
            upstream_head: self.attempt.zip(self.head).map(|(attempt, (_, head))| {
                let head = attempt.head.unwrap_or(head);
                head.duration_since(attempt.started)
            }),
            details: self.details(),
        });
    }

    fn details(&self) -> RequestDetails<'_> {
        let upload = || self.upload_counter.as_ref().map_or(0, UploadCounter::bytes);
        RequestDetails {
            user: self.uid,
            error: self.error.as_deref(),
            trace_id: self.traceparent.as_ref().and_then(trace::trace_id),
            token_generation: self.attempt.map(|attempt| attempt.generation),
            replayed: self.replayed(),
            version: self.version,
            is_api_http2: self.api_version == Version::HTTP_2,
            sent: self.attempt.map(|attempt| attempt.started),
            head: self.head.map(|(_, instant)| instant),
            asks_upgrade: self.asks_upgrade,
            bytes_in: (self.lines != AccessLines::None).then(upload),
            bytes_out: self.bytes_out,
        }
    }

    fn replayed(&self) -> Option<bool> {
        let replay = self.attempt?.replay?;
        Some(replay.is_ok())
    }

    fn log(&self, ended: Instant) {
        // Whole microseconds, because otherwise the log is full of numbers like 0.33537500000000003.
        let milliseconds = |instant: Instant| {
            (instant.duration_since(self.start).as_secs_f64() * 1e6).round() / 1e3
        };
        // The name of a caller cannot contain a colon.
        let uid = self.uid.map(|uid| format!("uid:{uid}"));
        let caller = self.caller.as_ref().map(CallerName::as_str);
        let path = without_user_info(self.path.path());
        let (method, path) = (loggable(self.method.as_str()), loggable(&path));
        let is_read = !self.is_unread;
        macro_rules! log {
            ($level:ident) => {
                tracing::$level!(
                    target: "cupbearer::access",
                    proxy = self.sink.metrics.proxy(),
                    caller = caller.or(uid.as_deref()),
                    method = is_read.then_some(&*method),
                    path = is_read.then_some(&*path),
                    protocol = is_read.then_some(protocol_name(self.version)),
                    api_protocol = self.api_protocol(),
                    status = self.head.map(|(status, _)| status.as_u16()),
                    reason = self.reason.map(Reason::name),
                    error = self.error.as_deref(),
                    request_id = self.request_id.as_str(),
                    trace_id = self.traceparent.as_ref().and_then(trace::trace_id),
                    token_generation = self.attempt.map(|attempt| attempt.generation),
                    replayed = self.replayed(),
                    head_ms = self.head.map(|(_, instant)| milliseconds(instant)),
                    total_ms = milliseconds(ended),
                    bytes_in = self.upload_counter.as_ref().map_or(0, UploadCounter::bytes),
                    bytes_out = self.bytes_out,
                    "request"
                );
            };
        }
        if self.error.is_some() {
            log!(warn);
        } else {
            log!(info);
        }
    }
}
