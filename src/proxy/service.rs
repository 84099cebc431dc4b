//! What surrounds the forwarding of a request: its id, the response to a panic, the responses that we generate, and the
//! access record.

use std::any::Any;
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body::{Body, Frame};

use super::access_logger::AccessLogger;
use super::access_record::AccessRecord;
use super::attempt::LastAttempt;
use super::errors::ForwardFailure;
use super::in_flight_limit::Permit;
use super::response_body::{ClientResponseBody, EndOfResponse};
use crate::guard::CallerName;
use crate::problem::{ProblemFormat, ProblemResponse, Reason, RequestId, X_REQUEST_ID};
use crate::text::error_chain;
use crate::upstream::BodyError;

/// A request, with its id as the upstream, the client and the log get it. In the head there may be another one, of the
/// client.
pub(super) struct IdentifiedRequest<B> {
    pub(super) request: Request<B>,
    pub(super) id: HeaderValue,
}

/// A response, with what is recorded about it and what it holds until its end.
pub(super) struct Forwarded {
    pub(super) response: Response<ClientResponseBody>,
    /// `None` if the response does not come from the upstream.
    pub(super) attempt: Option<LastAttempt>,
    pub(super) caller: Option<CallerName>,
    /// Whether the request asked for an upgrade.
    pub(super) asks_upgrade: bool,
    /// `None` for a response that cupbearer generates, which needs none, and after an upgrade, whose tunnel holds it.
    pub(super) permit: Option<Permit>,
}

impl Forwarded {
    /// A response that takes nothing from the upstream.
    pub(super) fn generated(response: Response<Bytes>, caller: Option<CallerName>) -> Self {
        Self {
            response: response.map(ClientResponseBody::generated),
            attempt: None,
            caller,
            asks_upgrade: false,
            permit: None,
        }
    }
}

/// The outermost service: whatever happens inside, the client gets a response with the request's id.
#[derive(Clone)]
pub(super) struct RequestService<S> {
    forward: S,
    access_logger: Arc<AccessLogger>,
    uid: Option<u32>,
}

impl<S> RequestService<S> {
    /// `uid` is the user at the other end of the connection, if the system knows.
    pub(super) const fn new(
        forward: S,
        access_logger: Arc<AccessLogger>,
        uid: Option<u32>,
    ) -> Self {
        Self {
            forward,
            access_logger,
            uid,
        }
    }
}

impl<S, B> tower::Service<Request<B>> for RequestService<S>
where
    S: tower::Service<IdentifiedRequest<B>, Response = Forwarded, Error = ForwardFailure>,
    B: Body,
{
    type Response = Response<ClientResponseBody>;
    type Error = Infallible;
    type Future = RequestFuture<S::Future>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let request_id = RequestId::of(request.headers());
        let id = request_id.header().clone();
        let mut end = Box::new(RecordedEnd {
            permit: None,
            record: self.access_logger.begin(self.uid, request_id, &request),
        });
        if !request.body().is_end_stream()
            && let Some(counter) = end.record.count_upload()
        {
            request.extensions_mut().insert(counter);
        }
        RequestFuture {
            format: ProblemFormat::without_page(request.method(), request.headers()),
            forwarding: Box::pin(self.forward.call(IdentifiedRequest { request, id })),
            end: Some(end),
        }
    }
}

/// What a response holds until its end. The permit is released before the record is written.
struct RecordedEnd {
    permit: Option<Permit>,
    record: AccessRecord,
}

impl EndOfResponse for RecordedEnd {
    fn on_frame(&mut self, frame: &Result<Frame<Bytes>, BodyError>) {
        self.record.on_frame(frame);
    }
}

pub(super) struct RequestFuture<F> {
    /// Boxed, since it is some kilobytes that would otherwise be copied from layer to layer for each request, and
    /// reserved by each connection that has none.
    forwarding: Pin<Box<F>>,
    /// The format of the response to a panic.
    format: ProblemFormat,
    end: Option<Box<RecordedEnd>>,
}

impl<F> Future for RequestFuture<F>
where
    F: Future<Output = Result<Forwarded, ForwardFailure>>,
{
    type Output = Result<Response<ClientResponseBody>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let forwarding = this.forwarding.as_mut();
        let mut end;
        // The future is never polled again after a panic, so its inconsistent state is never observed.
        let mut response = match catch_unwind(AssertUnwindSafe(|| forwarding.poll(cx))) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(Ok(forwarded))) => {
                end = this.take_end();
                end.permit = forwarded.permit;
                end.record
                    .set_attempt(forwarded.attempt, forwarded.response.version());
                end.record.set_caller(forwarded.caller);
                end.record.set_asks_upgrade(forwarded.asks_upgrade);
                let mut response = forwarded.response;
                end.record.restore_version(&mut response);
                // If the upstream has an id of its own, that is the one that its operators know.
                response
                    .headers_mut()
                    .entry(X_REQUEST_ID)
                    .or_insert_with(|| end.record.request_id().header().clone());
                response
            }
            Ok(Poll::Ready(Err(failed))) => {
                end = this.take_end();
                failure_response(failed, &mut end.record)
            }
            Err(panic) => {
                end = this.take_end();
                panic_response(panic.as_ref(), &this.format, &mut end.record)
            }
        };
        end.record.set_status(response.status());
        response.body_mut().set_end(end);
        Poll::Ready(Ok(response))
    }
}

impl<F> RequestFuture<F> {
    fn take_end(&mut self) -> Box<RecordedEnd> {
        self.end
            .take()
            .expect("a future is not polled after it was ready")
    }
}

#[cold]
fn failure_response(
    failed: ForwardFailure,
    record: &mut AccessRecord,
) -> Response<ClientResponseBody> {
    let (reason, error) = (failed.error.reason(), error_chain(&failed.error));
    if failed.is_rejection() {
        record.set_rejection(reason, error);
    } else {
        record.set_failure(reason, error);
    }
    if !failed.is_recorded() {
        record.discard();
    }
    let response = failed.response(record.request_id());
    record.set_caller(failed.caller);
    record.set_asks_upgrade(failed.asks_upgrade);
    response.map(ClientResponseBody::generated)
}

#[cold]
fn panic_response(
    panic: &(dyn Any + Send),
    format: &ProblemFormat,
    record: &mut AccessRecord,
) -> Response<ClientResponseBody> {
    // The panic hook has logged where it happened. The message may contain values of the request, so it is not shown.
    let _ = panic;
    record.set_failure(Reason::Internal, "panicked".to_owned());
    let detail =
        "cupbearer failed to handle this request. This is a bug in cupbearer: please report it.";
    let problem = ProblemResponse {
        format,
        close: true,
        ..ProblemResponse::new(Reason::Internal, detail, record.request_id())
    };
    problem.response().map(ClientResponseBody::generated)
}

#[cfg(test)]
mod tests;
