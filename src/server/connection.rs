//! One client connection: hyper on the inside, the sweep's orders on the outside.

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

use super::Serve;
use super::io::{ClientIo, RequestBody, WIDEST};
use super::stream::Stream;
use super::watch::{Order, Phase, Place, Watched};

/// Serves one connection to its end.
pub(super) async fn serve<S: Serve>(stream: Stream, place: Place, service: S) {
    #[cfg(not(target_os = "linux"))] // there its listener has said so
    stream.set_nodelay();
    let header_bytes = place.registry.limits().header_bytes;
    let watched = Arc::clone(&place.watched);
    let io = TokioIo::new(ClientIo::new(
        stream,
        Arc::clone(&watched),
        Arc::clone(&place.registry.metrics),
    ));
    let tracked = Tracked {
        service: RefCell::new(service),
        watched: Arc::clone(&watched),
    };
    let connection = http1::Builder::new()
        .max_header_size(header_bytes)
        // Of what waits of an answer too: a client that reads slowly costs 125 kB more than with 64 KiB, beside the 2.4 MB
        // that the system holds.
        .max_buf_size(header_bytes.max(WIDEST))
        .serve_connection(io, tracked)
        .with_upgrades();
    let connection = std::pin::pin!(connection);
    let ended = Obedient {
        connection,
        watched,
        obeyed: Order::None,
        started: false,
    }
    .await;
    if let Err(error) = ended {
        // What hyper refuses has no body to explain it; a client that hung up is everyday.
        if error.is_parse() || error.is_parse_too_large() {
            tracing::warn!(reason = "bad_request", %error, "connection refused");
        } else {
            tracing::debug!(%error, "connection ended");
        }
    }
    drop(place);
}

/// hyper's end of it.
type Http<S> = http1::UpgradeableConnection<TokioIo<ClientIo>, Tracked<S>>;

/// A connection that does what the sweep says.
struct Obedient<C> {
    connection: C,
    watched: Arc<Watched>,
    obeyed: Order,
    started: bool,
}

impl<S: Serve> Future for Obedient<Pin<&mut Http<S>>> {
    type Output = hyper::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if !self.started {
            self.started = true;
            self.watched.set_waker(cx.waker());
        }
        let order = self.watched.order();
        if order == self.obeyed {
            return self.connection.as_mut().poll(cx);
        }
        if order == Order::Cut {
            return Poll::Ready(Ok(()));
        }
        // First look for a request that has already come: a connection accepted while draining has one.
        if let Poll::Ready(ended) = self.connection.as_mut().poll(cx) {
            return Poll::Ready(ended);
        }
        self.obeyed = order;
        self.connection.as_mut().graceful_shutdown();
        self.connection.as_mut().poll(cx)
    }
}

/// The service, with the connection told when a request begins and when its answer has ended.
struct Tracked<S> {
    /// Called for one request after the other; a clone for each would cost as much as the guard.
    service: RefCell<S>,
    watched: Arc<Watched>,
}

impl<S: Serve> hyper::service::Service<Request<Incoming>> for Tracked<S> {
    type Response = Response<TrackedBody<S::Body>>;
    type Error = Infallible;
    type Future = Answering<S::Future>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.watched.enter(Phase::Busy);
        let request = request.map(|incoming| RequestBody::new(incoming, &self.watched));
        Answering {
            answer: self.service.borrow_mut().call(request),
            watched: Some(Arc::clone(&self.watched)),
        }
    }
}

pin_project! {
    /// The answer under way.
    struct Answering<F> {
        #[pin]
        answer: F,
        watched: Option<Arc<Watched>>,
    }
}

impl<F, B> Future for Answering<F>
where
    F: Future<Output = Result<Response<B>, Infallible>>,
    B: Body,
{
    type Output = Result<Response<TrackedBody<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.answer.poll(cx).map_ok(|mut response| {
            let watched = this
                .watched
                .take()
                .expect("a future is not polled after it was ready");
            // A 101 has a Connection field of its own, without which it is none.
            let switched = response.status() == StatusCode::SWITCHING_PROTOCOLS;
            if !switched && watched.has_left() {
                watched.set_unread(true); // whatever was sent behind it
            }
            if !switched && (watched.is_unread() || watched.is_closing()) {
                response
                    .headers_mut()
                    .insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            response.map(|body| TrackedBody {
                body,
                broken: None,
                _busy: (!switched).then(|| Busy(watched)),
            })
        })
    }
}

pin_project! {
    /// An answer's body; with its end the connection is idle again, unless it has left HTTP: then no
    /// byte of it is a head any more, and nothing may be looked for in it.
    struct TrackedBody<B: Body> {
        #[pin]
        body: B,
        // Why it broke off, until hyper has written what came before.
        broken: Option<B::Error>,
        _busy: Option<Busy>,
    }
}

struct Busy(Arc<Watched>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.answered();
    }
}

impl<B: Body> Body for TrackedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        if let Some(error) = this.broken.take() {
            return Poll::Ready(Some(Err(error)));
        }
        match this.body.poll_frame(cx) {
            // hyper hangs up at once, on the head too if that has not left yet: it writes while it waits.
            Poll::Ready(Some(Err(error))) => {
                *this.broken = Some(error);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            polled => polled,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.broken.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
