//! One client connection: hyper serves it, and the server's commands close it.

use std::cell::RefCell;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use pin_project_lite::pin_project;

use super::client_io::{ClientIo, WIDE_BUFFER};
use super::client_stream::ClientStream;
use super::registry::ConnectionSlot;
use super::request_body::RequestBody;
use super::service::HttpService;
use super::tracked_connection::{ConnectionCommand, ConnectionPhase, TrackedConnection};

/// Serves one connection until it ends.
pub(super) async fn serve<S: HttpService>(stream: ClientStream, slot: ConnectionSlot, service: S) {
    #[cfg(not(target_os = "linux"))] // on Linux a socket inherits this from its listener
    stream.set_nodelay();
    let header_bytes = slot.registry.limits().header_bytes;
    let tracked = Arc::clone(&slot.connection);
    let io = TokioIo::new(ClientIo::new(
        stream,
        Arc::clone(&tracked),
        Arc::clone(&slot.registry.metrics),
    ));
    let service = TrackedService {
        service: RefCell::new(service),
        tracked: Arc::clone(&tracked),
    };
    let connection = http1::Builder::new()
        .max_header_size(header_bytes)
        // This also bounds how much of a response may wait: a client that reads slowly costs 125 kB more than with
        // 64 KiB, in addition to the 2.4 MB that the system holds.
        .max_buf_size(header_bytes.max(WIDE_BUFFER))
        .serve_connection(io, service)
        .with_upgrades();
    let connection = std::pin::pin!(connection);
    let ended = ManagedConnection {
        connection,
        tracked,
        obeyed: ConnectionCommand::Continue,
        is_started: false,
    }
    .await;
    if let Err(error) = ended {
        // hyper's response to a malformed head has no body to explain it. A client that disconnects is normal.
        if error.is_parse() || error.is_parse_too_large() {
            tracing::warn!(reason = "bad_request", %error, "malformed request rejected");
        } else {
            tracing::debug!(%error, "connection closed with an error");
        }
    }
    drop(slot);
}

/// hyper's side of a connection.
type HttpConnection<S> = http1::UpgradeableConnection<TokioIo<ClientIo>, TrackedService<S>>;

/// A connection that obeys its [`ConnectionCommand`].
struct ManagedConnection<C> {
    connection: C,
    tracked: Arc<TrackedConnection>,
    obeyed: ConnectionCommand,
    is_started: bool,
}

impl<S: HttpService> Future for ManagedConnection<Pin<&mut HttpConnection<S>>> {
    type Output = hyper::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if !self.is_started {
            self.is_started = true;
            self.tracked.set_waker(cx.waker());
        }
        let command = self.tracked.command();
        if command == self.obeyed {
            return self.connection.as_mut().poll(cx);
        }
        if command == ConnectionCommand::Cut {
            return Poll::Ready(Ok(()));
        }
        // A connection that is accepted while the server drains may already have sent a request: read it first.
        if let Poll::Ready(ended) = self.connection.as_mut().poll(cx) {
            return Poll::Ready(ended);
        }
        self.obeyed = command;
        self.connection.as_mut().graceful_shutdown();
        self.connection.as_mut().poll(cx)
    }
}

/// The service of one connection. Records when a request begins and when its response ends.
struct TrackedService<S> {
    /// hyper calls it for one request after the other. A clone for each request would cost as much as the guard.
    service: RefCell<S>,
    tracked: Arc<TrackedConnection>,
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
    struct ResponseFuture<F> {
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
    struct ConnectionResponseBody<B: Body> {
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
