//! The service of one connection as hyper calls it: records when a request begins and when its response ends.

use std::cell::RefCell;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use pin_project_lite::pin_project;

use super::request_body::RequestBody;
use super::service::HttpService;
use super::tracked_connection::{ConnectionPhase, TrackedConnection};

/// The service of one connection. Records when a request begins and when its response ends.
pub(super) struct TrackedService<S> {
    /// hyper calls it for one request after the other. A clone for each request would cost as much as the guard.
    service: RefCell<S>,
    tracked: Arc<TrackedConnection>,
}

impl<S> TrackedService<S> {
    pub(super) const fn new(service: S, tracked: Arc<TrackedConnection>) -> Self {
        Self {
            service: RefCell::new(service),
            tracked,
        }
    }

    /// The service alone.
    pub(super) fn into_inner(self) -> S {
        self.service.into_inner()
    }
}

impl<S: HttpService> hyper::service::Service<Request<Incoming>> for TrackedService<S> {
    type Response = Response<ConnectionResponseBody<S::Body>>;
    type Error = Infallible;
    type Future = ResponseFuture<S::Future>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.tracked.enter(ConnectionPhase::Busy);
        let request = request.map(|incoming| RequestBody::new(incoming, &self.tracked));
        ResponseFuture {
            response: self.service.borrow_mut().call(request),
            tracked: Some(Arc::clone(&self.tracked)),
        }
    }
}

pin_project! {
    /// Waits for the service's response.
    pub(super) struct ResponseFuture<F> {
        #[pin]
        response: F,
        tracked: Option<Arc<TrackedConnection>>,
    }
}

impl<F, B> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, Infallible>>,
    B: Body,
{
    type Output = Result<Response<ConnectionResponseBody<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.response.poll(cx).map_ok(|mut response| {
            let tracked = this
                .tracked
                .take()
                .expect("a future is not polled after it was ready");
            // A 101 has a Connection field of its own, which must stay.
            let is_upgrade = response.status() == StatusCode::SWITCHING_PROTOCOLS;
            if !is_upgrade && tracked.has_left_http() {
                tracked.set_unread(true); // the client may have sent more after its head
            }
            if !is_upgrade && (tracked.is_unread() || tracked.is_closing()) {
                response
                    .headers_mut()
                    .insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            response.map(|body| ConnectionResponseBody {
                body,
                deferred_error: None,
                _busy: (!is_upgrade).then(|| BusyGuard(tracked)),
            })
        })
    }
}

pin_project! {
    /// The body of a response. When it ends, the connection is idle again, unless the response was a 101: the
    /// connection then carries another protocol and never becomes idle.
    pub(super) struct ConnectionResponseBody<B: Body> {
        #[pin]
        body: B,
        // Why the body broke off, until hyper has written what came before.
        deferred_error: Option<B::Error>,
        _busy: Option<BusyGuard>,
    }
}

/// Records on drop that the response has ended.
struct BusyGuard(Arc<TrackedConnection>);

impl Drop for BusyGuard {
    fn drop(&mut self) {
        self.0.response_ended();
    }
}

impl<B: Body> Body for ConnectionResponseBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        if let Some(error) = this.deferred_error.take() {
            return Poll::Ready(Some(Err(error)));
        }
        match this.body.poll_frame(cx) {
            // On an error hyper closes the connection at once, even if the response head is still in its buffer.
            // While the body is pending it writes that buffer first.
            Poll::Ready(Some(Err(error))) => {
                *this.deferred_error = Some(error);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            polled => polled,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.deferred_error.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
