//! The response body, which holds the connection that it is read from.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::task::{AbortHandle, coop};

use super::connection::Connection;
use super::errors::BodyError;
use super::limits::StallTimer;
use super::pool::PooledConnection;
use super::shared_connection::ApiStream;
use super::upload_progress::OutgoingBody;

/// A response body. It drives its connection, and releases it to the pool with the last frame.
pub struct ResponseBody<B: OutgoingBody>(
    // A response is moved about a dozen times on its way to the client. Unboxed, all of this would be copied each time.
    Box<StreamingBody<B>>,
);

struct StreamingBody<B: OutgoingBody> {
    incoming: Incoming,
    connection: Option<PooledConnection<B>>,
    /// What else ends with the body.
    held: Option<Held>,
    stall: StallTimer,
    /// A frame was returned, and it was not the last.
    has_more: bool,
}

impl<B: OutgoingBody> ResponseBody<B> {
    pub(super) fn new(
        incoming: Incoming,
        connection: PooledConnection<B>,
        stall: StallTimer,
    ) -> Self {
        let mut body = Box::new(StreamingBody {
            incoming,
            connection: Some(connection),
            held: None,
            stall,
            has_more: false,
        });
        if !body.stall.is_request_sent() {
            let pooled = body.connection.take();
            let upload = pooled.and_then(|pooled| DetachedUpload::spawn(pooled.connection));
            body.held = upload.map(|upload| Held::Upload { _upload: upload });
        }
        if body.incoming.is_end_stream() {
            body.release();
        }
        Self(body)
    }

    /// The body of a response that came over HTTP/2.
    pub(super) fn of_stream(incoming: Incoming, mut stream: ApiStream, stall: StallTimer) -> Self {
        let has_ended = incoming.is_end_stream();
        stream.is_complete = has_ended;
        Self(Box::new(StreamingBody {
            incoming,
            connection: None,
            held: (!has_ended).then_some(Held::Stream(stream)),
            stall,
            has_more: false,
        }))
    }
}

impl<B: OutgoingBody> StreamingBody<B> {
    fn poll_incoming(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let mut incoming = Pin::new(&mut self.incoming);
        let Some(PooledConnection { connection, .. }) = &mut self.connection else {
            return incoming.poll_frame(cx);
        };
        let mut polled = incoming
            .as_mut()
            .poll_frame(&mut connection.waker.begin_poll());
        if polled.is_pending() {
            let mut connection_cx = connection.waker.begin_poll();
            connection.driver.drive(&mut connection_cx);
            polled = incoming.poll_frame(&mut connection_cx);
        }
        if polled.is_pending() {
            connection.waker.register(cx.waker());
        }
        polled
    }

    /// Returns the connection to the pool when the exchange is over. If the response came before the request was sent
    /// completely, no other request can follow on that connection, and it is closed.
    fn release(&mut self) {
        if let Some(connection) = self.connection.take()
            && self.stall.is_request_sent()
        {
            connection.release();
        }
        if let Some(Held::Stream(stream)) = &mut self.held {
            stream.is_complete = true;
            self.held = None;
        }
    }

    /// Whether a stream without further frames has not reached the end of its response: hyper takes a reset with
    /// `NO_ERROR` for the end. After a complete response that is usual, since the API does not want the rest of an
    /// upload.
    fn is_unfinished(&self) -> bool {
        matches!(self.held, Some(Held::Stream(_)))
            && !self.incoming.is_end_stream()
            && self.incoming.size_hint().exact() != Some(0)
    }

    /// No byte has moved for too long.
    #[cold]
    fn give_up(&mut self) {
        if let Some(Held::Stream(stream)) = &self.held {
            stream.retire_connection();
        }
        self.connection = None;
        self.held = None;
    }

    /// The response ends with this error.
    #[cold]
    fn fail(&mut self, error: hyper::Error) -> BodyError {
        self.connection = None;
        match self.held.take() {
            Some(Held::Stream(_)) => BodyError::of_stream(error),
            held => {
                self.held = held;
                error.into()
            }
        }
    }
}

/// What ends with the body of a response.
enum Held {
    /// The connection, if the response began before the request body ended.
    Upload { _upload: DetachedUpload },
    /// The stream of an HTTP/2 connection.
    Stream(ApiStream),
}

/// A connection that is driven by its own task until the response has ended, and is not used again.
///
/// A client may send its whole body before it reads any of the response. Nothing polls the response body then, and
/// the upload must continue.
struct DetachedUpload(AbortHandle);

impl DetachedUpload {
    fn spawn<B: OutgoingBody>(connection: Connection<B>) -> Option<Self> {
        let driver = connection.driver.into_running()?;
        let sender = connection.sender;
        let task = tokio::spawn(async move {
            // An error reaches the reader of the response body.
            let _ = driver.await;
            drop(sender); // dropped earlier, it would end the connection
        });
        Some(Self(task.abort_handle()))
    }
}

impl Drop for DetachedUpload {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Counts a frame against the task's budget. One read from the socket may hold thousands of short chunks, so that the
/// socket alone would limit the task too late.
fn spend_budget(cx: &mut Context<'_>) {
    if let Poll::Ready(budget) = coop::poll_proceed(cx) {
        budget.made_progress();
    }
}

impl<B: OutgoingBody> Body for ResponseBody<B> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self.get_mut().0;
        if this.has_more && !coop::has_budget_remaining() && coop::poll_proceed(cx).is_pending() {
            return Poll::Pending;
        }
        match this.poll_incoming(cx) {
            Poll::Pending => this.stall.poll(cx).map(|error| {
                this.give_up();
                Some(Err(error))
            }),
            Poll::Ready(Some(Ok(frame))) => {
                this.stall.restart();
                // Nothing follows trailers, and a reader that has them does not poll again.
                if frame.is_trailers() || this.incoming.is_end_stream() {
                    this.release();
                } else {
                    this.has_more = true;
                    spend_budget(cx);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(None) => {
                let is_unfinished = this.is_unfinished();
                this.release();
                Poll::Ready(is_unfinished.then_some(Err(BodyError::Unfinished)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(this.fail(error)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.incoming.size_hint()
    }
}
