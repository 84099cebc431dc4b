//! One exchange over one connection: from the request to the head of the response.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response, header};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use pin_project_lite::pin_project;
use tokio::time::Instant;

use super::connection::Connection;
use super::errors::SendError;
use super::framing::{self, ResponseFraming};
use super::limits::{HeadDeadline, StallTimer};
use super::pool::{IdlePool, PooledConnection};
use super::response_body::ResponseBody;
use super::upload_progress::{OutgoingBody, TrackedBody, UploadProgress};

/// What all exchanges with the upstream share.
pub(super) struct ExchangeContext<B: OutgoingBody> {
    /// `upstream.head_timeout`.
    pub(super) head_timeout: Duration,
    /// `upstream.stall_timeout`.
    pub(super) stall_timeout: Duration,
    /// Where the connection goes after the exchange.
    pub(super) pool: Arc<IdlePool<B>>,
}

impl<B: OutgoingBody> Clone for ExchangeContext<B> {
    fn clone(&self) -> Self {
        Self {
            head_timeout: self.head_timeout,
            stall_timeout: self.stall_timeout,
            pool: Arc::clone(&self.pool),
        }
    }
}

impl<B: OutgoingBody> ExchangeContext<B> {
    /// Sends `request` over `connection`, beginning at `start`.
    ///
    /// The request is handed to hyper at once. Otherwise it would be moved along with the returned future.
    pub(super) fn begin(
        &self,
        mut connection: Connection<B>,
        request: Request<TrackedBody<B>>,
        start: Instant,
    ) -> Exchange<'_, B, impl Future<Output = HyperResult<B>> + use<B>> {
        let upload = request.body().progress();
        connection.waker.expect_response();
        let response = connection.sender.try_send_request(request);
        self.deadline(upload.as_deref(), start)
            .arm(&mut connection.head_timer);
        Exchange {
            response,
            connection: Some(connection),
            context: self,
            upload,
            start,
        }
    }

    /// `upstream.stall_timeout` for the body of this response. An event stream may be silent for any time.
    pub(super) fn stall_limit<T>(&self, response: &Response<T>) -> Option<Duration> {
        (!is_event_stream(response)).then_some(self.stall_timeout)
    }

    /// The connection of a response, which goes back to the pool after a response whose end was unambiguous.
    pub(super) fn pooled(
        &self,
        connection: Connection<B>,
        framing: ResponseFraming,
    ) -> PooledConnection<B> {
        let pool = match framing {
            ResponseFraming::Unambiguous => Some(Arc::clone(&self.pool)),
            ResponseFraming::LengthRemoved => {
                self.pool.note_removed_length();
                None
            }
        };
        PooledConnection::new(connection, pool)
    }

    pub(super) fn deadline<'a>(
        &self,
        upload: Option<&'a UploadProgress>,
        start: Instant,
    ) -> HeadDeadline<'a> {
        HeadDeadline {
            start,
            head_timeout: self.head_timeout,
            stall_timeout: self.stall_timeout,
            upload,
        }
    }
}

/// What hyper returns for a request.
pub(super) type HyperResult<B> = Result<Response<Incoming>, TrySendError<Request<TrackedBody<B>>>>;

pin_project! {
    /// Drives the connection until the head of the response has arrived.
    pub(super) struct Exchange<'a, B: OutgoingBody, F> {
        #[pin]
        response: F,
        connection: Option<Connection<B>>,
        context: &'a ExchangeContext<B>,
        upload: Option<Arc<UploadProgress>>,
        start: Instant,
    }
}

impl<B, F> Future for Exchange<'_, B, F>
where
    B: OutgoingBody,
    F: Future<Output = HyperResult<B>>,
{
    type Output = Result<Response<ResponseBody<B>>, ExchangeError<B>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let connection = this
            .connection
            .as_mut()
            .expect("a future is not polled after it was ready");
        let mut connection_cx = connection.waker.begin_poll();
        connection.driver.drive(&mut connection_cx);
        let mut response = match this.response.poll(&mut connection_cx) {
            Poll::Ready(Ok(response)) => response,
            Poll::Ready(Err(error)) => {
                return Poll::Ready(Err(ExchangeError::new(error, connection)));
            }
            Poll::Pending => {
                connection.waker.register(cx.waker());
                return this
                    .context
                    .deadline(this.upload.as_deref(), *this.start)
                    .poll(&mut connection.head_timer, cx)
                    .map(|error| Err(ExchangeError::MaybeSent(error)));
            }
        };
        let framing = match framing::check(&mut response, false) {
            Ok(framing) => framing,
            Err(error) => return Poll::Ready(Err(ExchangeError::MaybeSent(error))),
        };
        framing::set_version(&mut response);
        let stall = StallTimer::new(this.context.stall_limit(&response), this.upload.take());
        let connection = this.connection.take().expect("it was there a moment ago");
        Poll::Ready(Ok(response.map(|incoming| {
            let connection = this.context.pooled(connection, framing);
            ResponseBody::new(incoming, connection, stall)
        })))
    }
}

/// An exchange without a response.
pub(super) enum ExchangeError<B> {
    /// No byte of the request was sent.
    Unsent {
        request: Box<Request<TrackedBody<B>>>,
        error: SendError,
    },
    /// The request may have reached the upstream.
    MaybeSent(SendError),
}

impl<B: OutgoingBody> ExchangeError<B> {
    #[cold]
    fn new(
        mut error: TrySendError<Request<TrackedBody<B>>>,
        connection: &mut Connection<B>,
    ) -> Self {
        let request = error.take_message();
        let error = connection.explain(error.into_error());
        match request {
            Some(request) => Self::Unsent {
                request: Box::new(request),
                error,
            },
            None => Self::MaybeSent(error),
        }
    }
}

fn is_event_stream<B>(response: &Response<B>) -> bool {
    const EVENT_STREAM: &[u8] = b"text/event-stream";
    let mut fields = response.headers().iter();
    fields
        .find(|(name, _)| **name == header::CONTENT_TYPE)
        .is_some_and(|(_, value)| {
            let value = value.as_bytes();
            value.len() >= EVENT_STREAM.len()
                && value[..EVENT_STREAM.len()].eq_ignore_ascii_case(EVENT_STREAM)
        })
}
