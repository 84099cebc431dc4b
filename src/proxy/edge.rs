//! What stands around `forward`: the request id, the net under a panic, our own answers, the account.

use std::any::Any;
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};

use super::access::Line;
use super::account::Account;
use super::body::{Body, Inbound};
use super::current::Current;
use super::errors::Failure;
use crate::guard::Peer;
use crate::problem::{ProblemFormat, ProblemResponse, Reason, RequestId, X_REQUEST_ID};
use crate::text::error_chain;

/// What answers one connection's requests; each takes the data path that is current when it comes.
pub fn service<I: Inbound>(
    current: &Arc<Current<I>>,
    peer: Peer,
    account: &Arc<Account>,
) -> impl tower::Service<Request<I>, Response = Response<Body<I>>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ use<I> {
    let current = Arc::clone(current);
    let forward = tower::service_fn(move |request| current.get().forward(request, peer));
    Edge {
        inner: forward,
        account: Arc::clone(account),
        uid: peer.uid,
    }
}

/// The outermost service: whatever happens inside, the client gets an answer that names the request.
#[derive(Clone)]
struct Edge<S> {
    inner: S,
    account: Arc<Account>,
    uid: Option<u32>,
}

impl<S, I> tower::Service<Request<I>> for Edge<S>
where
    S: tower::Service<Request<I>, Response = Response<Body<I>>, Error = Failure>,
    I: Inbound,
{
    type Response = Response<Body<I>>;
    type Error = Infallible;
    type Future = Answering<S::Future>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<I>) -> Self::Future {
        let id = RequestId::of(request.headers());
        request
            .headers_mut()
            .insert(X_REQUEST_ID, id.header().clone());
        let mut line = Box::new(Line::begin(
            (self.account.lines(), self.account.metrics()),
            self.uid,
            request.method(),
            request.uri().path_and_query(),
            (id, request.headers()),
        ));
        if !request.body().is_end_stream()
            && let Some(uploaded) = line.count_upload()
        {
            request.extensions_mut().insert(uploaded);
        }
        Answering {
            forwarding: Box::pin(self.inner.call(request)),
            line: Some(line),
        }
    }
}

struct Answering<F> {
    /// Some kilobytes, which would otherwise be copied from layer to layer at each request, and be held by each
    /// connection that has none.
    forwarding: Pin<Box<F>>,
    line: Option<Box<Line>>,
}

impl<F, I> Future for Answering<F>
where
    F: Future<Output = Result<Response<Body<I>>, Failure>>,
    I: Inbound,
{
    type Output = Result<Response<Body<I>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let forwarding = this.forwarding.as_mut();
        // The future is never polled again after a panic, so nothing half-done is seen.
        let mut line;
        let mut response = match catch_unwind(AssertUnwindSafe(|| forwarding.poll(cx))) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(Ok(mut response))) => {
                line = this.take_line();
                // The upstream's own id, if it has one, is the one that its operators know.
                response
                    .headers_mut()
                    .entry(X_REQUEST_ID)
                    .or_insert_with(|| line.id().header().clone());
                response
            }
            Ok(Poll::Ready(Err(failure))) => {
                line = this.take_line();
                failed(&failure, &mut line)
            }
            Err(panic) => {
                line = this.take_line();
                panicked(panic.as_ref(), &mut line)
            }
        };
        line.answered(response.status());
        response.body_mut().set_line(line);
        Poll::Ready(Ok(response))
    }
}

impl<F> Answering<F> {
    fn take_line(&mut self) -> Box<Line> {
        self.line
            .take()
            .expect("a future is not polled after it was ready")
    }
}

#[cold]
fn failed<I: Inbound>(failure: &Failure, line: &mut Line) -> Response<Body<I>> {
    line.failed(failure.error.reason(), error_chain(&failure.error));
    let mut response = failure.answer(line.id()).map(Body::ours);
    response.body_mut().set_caller(failure.caller.clone());
    response
}

#[cold]
fn panicked<I: Inbound>(panic: &(dyn Any + Send), line: &mut Line) -> Response<Body<I>> {
    // The panic hook has written where; what was said may hold a request's values and stays inside.
    let _ = panic;
    line.failed(Reason::Internal, "panicked".to_owned());
    let detail =
        "The proxy failed on this request. This is a defect of cupbearer: please report it.";
    let answer = ProblemResponse {
        format: &ProblemFormat::Json,
        close: true,
        ..ProblemResponse::new(Reason::Internal, detail, line.id())
    };
    answer.response().map(Body::ours)
}

#[cfg(test)]
mod tests;
