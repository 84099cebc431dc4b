//! The body of a request, as the client sends it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::tracked_connection::TrackedConnection;

/// A request body. Until it has been read to its end, its connection counts as unread: a response then closes the
/// connection, but only after the client has had time to read it.
#[derive(Debug)]
pub struct RequestBody {
    incoming: Incoming,
    /// `None` once the body has been read to its end, and for a stream of HTTP/2, which ends alone.
    unread_on: Option<Arc<TrackedConnection>>,
    /// The length is not passed on, because trailers follow.
    hides_length: bool,
}

impl RequestBody {
    pub(super) fn new(incoming: Incoming, connection: &Arc<TrackedConnection>) -> Self {
        let unread_on = (!incoming.is_end_stream()).then(|| Arc::clone(connection));
        connection.set_unread(unread_on.is_some());
        Self {
            incoming,
            unread_on,
            hides_length: false,
        }
    }

    /// The body of one stream. If it `has_trailers`, its length is not passed on: in HTTP/1.1 only a chunked body has
    /// trailers.
    pub(super) fn of_stream(incoming: Incoming, has_trailers: bool) -> Self {
        Self {
            hides_length: has_trailers && !incoming.is_end_stream(),
            incoming,
            unread_on: None,
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.incoming).poll_frame(cx);
        let is_last = match &polled {
            Poll::Ready(Some(Ok(frame))) => frame.is_trailers(), // nothing polls for what follows trailers
            Poll::Ready(None) => true,
            Poll::Ready(Some(Err(_))) | Poll::Pending => false,
        };
        let has_ended = is_last || self.incoming.is_end_stream();
        if has_ended && let Some(connection) = self.unread_on.take() {
            connection.set_unread(false);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.hides_length {
            return SizeHint::default();
        }
        self.incoming.size_hint()
    }
}
