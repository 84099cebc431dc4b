//! What stands around `forward`: the request id, the net under a panic, our own answers, the account.

use std::any::Any;
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response};

use super::access::{AccessLines, Line};
use super::body::{Body, Inbound};
use super::current::Current;
use super::errors::{self, Failure};
use crate::answer::{Answer, Form, Reason, RequestId, X_REQUEST_ID};
use crate::guard::Peer;
use crate::metrics::Metrics;

/// What answers one connection's requests; each takes the data path that is current when it comes.
pub fn service<I: Inbound>(
    current: &Arc<Current<I>>,
    peer: Peer,
    lines: AccessLines,
    metrics: Arc<Metrics>,
) -> impl tower::Service<Request<I>, Response = Response<Body<I>>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ use<I> {
    let current = Arc::clone(current);
    let forward = tower::service_fn(move |request| {
        let proxy = current.get();
        async move { proxy.forward(request, &peer).await }
    });
    Edge {
        inner: forward,
        uid: peer.uid,
        lines,
        metrics,
    }
}

/// The outermost service: whatever happens inside, the client gets an answer that names the request.
#[derive(Clone)]
struct Edge<S> {
    inner: S,
    uid: Option<u32>,
    lines: AccessLines,
    metrics: Arc<Metrics>,
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
        let line = Line::begin(
            (self.lines, &self.metrics),
            request.method(),
            request.uri().path_and_query(),
            &id,
        )
        .of_user(self.uid);
        Answering {
            forwarding: Box::pin(self.inner.call(request)),
            id,
            line: Some(Box::new(line)),
        }
    }
}

struct Answering<F> {
    /// Some kilobytes, which would otherwise be copied from layer to layer at each request, and be held by each
    /// connection that has none.
    forwarding: Pin<Box<F>>,
    id: RequestId,
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
        let (response, reason) = match catch_unwind(AssertUnwindSafe(|| forwarding.poll(cx))) {
            Ok(polled) => match ready!(polled) {
                Ok(mut response) => {
                    // The upstream's own id, if it has one, is the one that its operators know.
                    response
                        .headers_mut()
                        .entry(X_REQUEST_ID)
                        .or_insert_with(|| this.id.header().clone());
                    (response, None)
                }
                Err(failure) => failed(&failure, &this.id),
            },
            Err(panic) => panicked(panic.as_ref(), &this.id),
        };
        let mut line = this
            .line
            .take()
            .expect("a future is not polled after it was ready");
        line.answered(response.status(), reason);
        Poll::Ready(Ok(response.map(|body| body.with_line(line))))
    }
}

#[cold]
fn failed<I: Inbound>(failure: &Failure, id: &RequestId) -> (Response<Body<I>>, Option<Reason>) {
    let reason = failure.error.reason();
    tracing::warn!(
        reason = reason.name(),
        request_id = id.as_str(),
        error = errors::chain(&failure.error),
        "request not forwarded"
    );
    let body = |bytes| Body::ours(bytes).with_caller(failure.caller.clone());
    (failure.answer(id).map(body), Some(reason))
}

#[cold]
fn panicked<I: Inbound>(
    panic: &(dyn Any + Send),
    id: &RequestId,
) -> (Response<Body<I>>, Option<Reason>) {
    // The panic hook has written where; what was said may hold a request's values and stays inside.
    let _ = panic;
    tracing::error!(
        reason = Reason::Internal.name(),
        request_id = id.as_str(),
        "request panicked"
    );
    let detail =
        "The proxy failed on this request. This is a defect of cupbearer: please report it.";
    let answer = Answer {
        form: &Form::Problem,
        close: true,
        ..Answer::new(Reason::Internal, detail, id)
    };
    (answer.response().map(Body::ours), Some(Reason::Internal))
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use http_body_util::combinators::BoxBody;
    use http_body_util::{BodyExt as _, Empty};
    use tower::ServiceExt as _;

    use super::*;

    type Nothing = BoxBody<bytes::Bytes, hyper::Error>;

    fn request(path: &str) -> Request<Nothing> {
        let body = Empty::new().map_err(|never| match never {}).boxed();
        let request = Request::get(path).header(X_REQUEST_ID, "this-one");
        request.body(body).unwrap()
    }

    /// Panics at `/now` when it is first polled, at `/later` when it is polled again.
    async fn fragile(request: Request<Nothing>) -> Result<Response<Body<Nothing>>, Failure> {
        assert_ne!(request.uri().path(), "/now", "a value of the request");
        tokio::task::yield_now().await;
        assert_ne!(request.uri().path(), "/later", "a value of the request");
        Ok(Response::new(Body::ours(bytes::Bytes::new())))
    }

    #[tokio::test]
    async fn a_panic_is_a_500_for_one_client_and_the_next_is_served() {
        let edge = Edge {
            inner: tower::service_fn(fragile),
            uid: None,
            lines: AccessLines::None,
            metrics: Metrics::new(None),
        };
        for path in ["/now", "/later"] {
            let answer = edge.clone().oneshot(request(path)).await.unwrap();
            assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR, "{path}");
            assert_eq!(answer.headers()[X_REQUEST_ID], "this-one");
            assert_eq!(answer.headers()[http::header::CONNECTION], "close");
        }
        let answer = edge.oneshot(request("/fine")).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
    }
}
