//! The body of an answer, which carries its connection.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::task::AbortHandle;

use super::errors::BodyError;
use super::limits::Stall;
use super::pace::Outgoing;
use super::pool::{Shared, Wire, drive};

/// The body of an answer. Carries its connection, and gives it back with the last frame.
pub struct ResponseBody<B: Outgoing>(
    // An answer is moved a dozen times on its way to the client: as a whole this would be copied each time.
    Box<Streaming<B>>,
);

struct Streaming<B: Outgoing> {
    incoming: Incoming,
    wire: Option<Wire<B>>,
    /// The connection, where the answer has begun before the request has ended.
    upload: Option<Upload>,
    shared: Arc<Shared<B>>,
    stall: Stall,
}

impl<B: Outgoing> ResponseBody<B> {
    pub(super) fn new(
        incoming: Incoming,
        wire: Wire<B>,
        shared: Arc<Shared<B>>,
        stall: Stall,
    ) -> Self {
        let mut body = Box::new(Streaming {
            incoming,
            wire: Some(wire),
            shared,
            stall,
            upload: None,
        });
        if !body.stall.is_request_sent() {
            body.upload = body.wire.take().and_then(Upload::beside);
        }
        if body.incoming.is_end_stream() {
            body.release();
        }
        Self(body)
    }
}

impl<B: Outgoing> Streaming<B> {
    fn poll_incoming(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let mut incoming = Pin::new(&mut self.incoming);
        let Some(wire) = &mut self.wire else {
            return incoming.poll_frame(cx);
        };
        let mut polled = incoming.as_mut().poll_frame(&mut wire.relay.attend());
        if polled.is_pending() {
            let mut own = wire.relay.attend();
            drive(&mut wire.connection, &mut own);
            polled = incoming.poll_frame(&mut own);
        }
        if polled.is_pending() {
            wire.relay.wait(cx.waker());
        }
        polled
    }

    /// The exchange is over: the next request may have the connection, if it is still good then. An
    /// answer that came before its request was sent leaves a connection on which nothing else can follow.
    fn release(&mut self) {
        if let Some(wire) = self.wire.take()
            && wire.connection.is_some()
            && self.stall.is_request_sent()
        {
            self.shared.put(wire);
        }
    }
}

/// A connection that is driven by a task of its own: a client may send all of its body before it reads any
/// of the answer, and then nobody asks for the answer's next frame while the upload must go on. It is not
/// used again, and ends with the answer.
struct Upload(AbortHandle);

impl Upload {
    fn beside<B: Outgoing>(wire: Wire<B>) -> Option<Self> {
        let connection = wire.connection?;
        let sender = wire.sender;
        let task = tokio::spawn(async move {
            // What went wrong reaches whoever reads the answer.
            let _ = connection.await;
            drop(sender); // without it the connection would end
        });
        Some(Self(task.abort_handle()))
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<B: Outgoing> Body for ResponseBody<B> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self.get_mut().0;
        match this.poll_incoming(cx) {
            Poll::Pending => this.stall.poll(cx).map(|error| {
                this.wire = None;
                this.upload = None;
                Some(Err(error))
            }),
            Poll::Ready(Some(Ok(frame))) => {
                this.stall.moved();
                // Nothing follows trailers, and whoever has them asks for no further frame.
                if frame.is_trailers() || this.incoming.is_end_stream() {
                    this.release();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(None) => {
                this.release();
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => {
                this.wire = None;
                Poll::Ready(Some(Err(error.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.incoming.size_hint()
    }
}
