//! The service of one HTTP/2 connection as hyper calls it: for each stream, it brings the request into the form of
//! HTTP/1.1 and the response into that of HTTP/2, and records when they begin and end.

use std::cell::RefCell;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use pin_project_lite::pin_project;

use super::http2_crossing::{Following, ResponseForm, to_http1};
use super::open_streams::{OpenStream, OpenStreams};
use super::registry::ConnectionRegistry;
use super::request_body::RequestBody;
use super::service::HttpService;
use super::stream_tasks::NewStreams;
use super::unserved::{UnservedCause, UnservedRequest};
use crate::guard::Peer;

/// The largest piece of a response that is handed to hyper at once. What exceeds the window of its stream by more than
/// this stays with us, so that a client that opens no window cannot make us hold whole responses.
const PIECE: usize = 16 * 1024;

/// The service of one connection.
pub(super) struct StreamService<S> {
    service: RefCell<S>,
    peer: Peer,
    registry: Arc<ConnectionRegistry>,
    streams: Arc<OpenStreams>,
    new: NewStreams,
    /// `limits.header_bytes`.
    header_bytes: usize,
}

impl<S> StreamService<S> {
    pub(super) const fn new(
        service: S,
        peer: Peer,
        registry: Arc<ConnectionRegistry>,
        streams: Arc<OpenStreams>,
        new: NewStreams,
        header_bytes: usize,
    ) -> Self {
        Self {
            service: RefCell::new(service),
            peer,
            registry,
            streams,
            new,
            header_bytes,
        }
    }

    /// The response to a request that the service does not get to see.
    #[cold]
    fn unserved(&self, cause: UnservedCause, request: UnservedHead) -> Response<Bytes> {
        let unserved = UnservedRequest::of_head(cause, self.peer.clone(), request);
        let responses = self.registry.responses();
        let response = responses.and_then(|responses| responses.respond(&unserved));
        response.unwrap_or_else(|| {
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = StatusCode::BAD_REQUEST;
            response
        })
    }
}

/// The head of a request that no service gets to see.
type UnservedHead = http::request::Parts;

impl<S: HttpService> hyper::service::Service<Request<Incoming>> for StreamService<S> {
    type Response = Response<StreamBody<S::Body>>;
    type Error = Infallible;
    type Future = StreamResponse<S::Future>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let stream = self.streams.open();
        self.new.announce(stream.progress());
        let (mut head, incoming) = request.into_parts();
        let form = ResponseForm::of(&head);
        // Content with a length has no trailers in HTTP/1.1.
        let has_trailers = head.headers.contains_key(header::TRAILER);
        let body = RequestBody::of_stream(incoming, &self.new, has_trailers);
        let pending = match to_http1(&mut head, self.header_bytes) {
            Ok(()) => {
                let request = Request::from_parts(head, body);
                PendingResponse::Service {
                    response: self.service.borrow_mut().call(request),
                }
            }
            Err(fault) => PendingResponse::Own {
                response: Some(self.unserved(UnservedCause::Head(fault), head)),
            },
        };
        StreamResponse {
            pending,
            form,
            stream: Some(stream),
        }
    }
}

pin_project! {
    /// Waits for the response of one stream.
    pub(super) struct StreamResponse<F> {
        #[pin]
        pending: PendingResponse<F>,
        form: ResponseForm,
        stream: Option<OpenStream>,
    }
}

pin_project! {
    #[project = PendingResponseProjection]
    enum PendingResponse<F> {
        Service { #[pin] response: F },
        // For a request that no service gets to see.
        Own { response: Option<Response<Bytes>> },
    }
}

impl<F, B> Future for StreamResponse<F>
where
    F: Future<Output = Result<Response<B>, Infallible>>,
    B: Body<Data = Bytes>,
{
    type Output = Result<Response<StreamBody<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let (mut head, body) = match this.pending.project() {
            PendingResponseProjection::Service { response } => {
                let Ok(response) = ready!(response.poll(cx));
                let (head, body) = response.into_parts();
                (head, StreamContent::Service { body })
            }
            PendingResponseProjection::Own { response } => {
                let response = response
                    .take()
                    .expect("a future is not polled after it was ready");
                let (head, bytes) = response.into_parts();
                (head, StreamContent::Own { bytes })
            }
        };
        let stream = this
            .stream
            .take()
            .expect("a future is not polled after it was ready");
        let following = this.form.apply(&mut head, body.length());
        let body = match following {
            Following::Nothing => StreamContent::Nothing,
            Following::Data | Following::DataAndTrailers(_) | Following::DataAndAllTrailers => body,
        };
        let mut body = StreamBody {
            body,
            following,
            rest: Bytes::new(),
            deferred_error: None,
            stream,
        };
        if body.is_end_stream() {
            body.stream.set_answered();
        }
        Poll::Ready(Ok(Response::from_parts(head, body)))
    }
}

pin_project! {
    /// The body of one response, in pieces of a limited size.
    pub(super) struct StreamBody<B: Body> {
        #[pin]
        body: StreamContent<B>,
        following: Following,
        // What remains of a larger piece.
        rest: Bytes,
        // Why the body broke off, until hyper has written what came before.
        deferred_error: Option<B::Error>,
        // Dropped last.
        stream: OpenStream,
    }
}

pin_project! {
    #[project = StreamContentProjection]
    enum StreamContent<B> {
        Service { #[pin] body: B },
        Own { bytes: Bytes },
        Nothing,
    }
}

impl<B: Body> StreamContent<B> {
    fn is_end_stream(&self) -> bool {
        match self {
            Self::Service { body } => body.is_end_stream(),
            Self::Own { bytes } => bytes.is_empty(),
            Self::Nothing => true,
        }
    }

    fn length(&self) -> Option<u64> {
        match self {
            Self::Service { body } => body.size_hint().exact(),
            Self::Own { bytes } => Some(bytes.len() as u64),
            Self::Nothing => None,
        }
    }
}

impl<B: Body<Data = Bytes>> StreamContent<B> {
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project() {
            StreamContentProjection::Service { body } => body.poll_frame(cx),
            StreamContentProjection::Own { bytes } => {
                let bytes = std::mem::take(bytes);
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            StreamContentProjection::Nothing => Poll::Ready(None),
        }
    }
}

impl<B: Body<Data = Bytes>> Body for StreamBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.project();
        this.stream.set_waiting(false);
        if let Some(error) = this.deferred_error.take() {
            this.stream.set_answered(); // it is not the client that ends it
            return Poll::Ready(Some(Err(error)));
        }
        if this.rest.is_empty() {
            match ready!(this.body.as_mut().poll_frame(cx)) {
                None => {
                    this.stream.set_answered();
                    return Poll::Ready(None);
                }
                // A reset discards what has not been written. While the body is pending, the head is written.
                Some(Err(error)) => {
                    *this.deferred_error = Some(error);
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => *this.rest = data,
                    Err(frame) => {
                        this.stream.set_answered();
                        let trailers = frame.into_trailers().ok();
                        let allowed = trailers.and_then(|fields| this.following.allowed(&fields));
                        return Poll::Ready(allowed.map(|fields| Ok(Frame::trailers(fields))));
                    }
                },
            }
        }
        let piece = this.rest.split_to(this.rest.len().min(PIECE));
        if this.rest.is_empty() && this.body.is_end_stream() {
            this.stream.set_answered();
        }
        this.stream.set_waiting(true);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.deferred_error.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match self.body.length() {
            Some(length) => SizeHint::with_exact(length + self.rest.len() as u64),
            None => SizeHint::default(),
        }
    }
}
