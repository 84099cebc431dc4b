//! The body of a request, as the client sends it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::timeout;

use super::stream_tasks::NewStreams;
use super::tracked_connection::TrackedConnection;

/// How much of a request body that is not needed is read, so that its stream ends with the client's last byte instead
/// of a reset: a client may send that much before it learns that its window is used up.
const MOST_DISCARDED: usize = 256 * 1024;

/// How long the rest of such a body may take to arrive.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(2);

/// A request body. Until it has been read to its end, its connection counts as unread: a response then closes the
/// connection, but only after the client has had time to read it.
#[derive(Debug)]
pub struct RequestBody {
    /// `None` only while this is dropped.
    incoming: Option<Incoming>,
    /// `None` once the body has been read to its end, and for a stream of HTTP/2, which ends alone.
    unread_on: Option<Arc<TrackedConnection>>,
    /// The streams of its connection, if it is the body of one.
    streams: Option<NewStreams>,
    /// The length is not passed on, because trailers follow.
    hides_length: bool,
}

impl RequestBody {
    pub(super) fn new(incoming: Incoming, connection: &Arc<TrackedConnection>) -> Self {
        let unread_on = (!incoming.is_end_stream()).then(|| Arc::clone(connection));
        connection.set_unread(unread_on.is_some());
        Self {
            incoming: Some(incoming),
            unread_on,
            streams: None,
            hides_length: false,
        }
    }

    /// The body of one of these streams. If it `has_trailers`, its length is not passed on: in HTTP/1.1 only a chunked
    /// body has trailers.
    pub(super) fn of_stream(incoming: Incoming, streams: &NewStreams, has_trailers: bool) -> Self {
        let is_empty = incoming.is_end_stream();
        Self {
            incoming: Some(incoming),
            unread_on: None,
            streams: (!is_empty).then(|| streams.clone()),
            hides_length: has_trailers && !is_empty,
        }
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if let (Some(streams), Some(incoming)) = (self.streams.take(), self.incoming.take())
            && !incoming.is_end_stream()
        {
            streams.begin(async {
                let _ = timeout(DISCARD_TIMEOUT, discard(incoming)).await;
            });
        }
    }
}

/// Reads the rest of a body, within bounds. If that is not all of it, dropping `incoming` resets the stream with
/// `NO_ERROR` once the response has been sent.
async fn discard(mut incoming: Incoming) {
    let mut left = MOST_DISCARDED;
    while let Some(Ok(frame)) = incoming.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        let Some(rest) = left.checked_sub(length) else {
            return;
        };
        left = rest;
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = &mut *self;
        let Some(incoming) = &mut this.incoming else {
            return Poll::Ready(None);
        };
        let polled = Pin::new(&mut *incoming).poll_frame(cx);
        let has_ended = incoming.is_end_stream();
        if this.streams.is_some() && matches!(polled, Poll::Ready(None)) && !has_ended {
            // The client has reset the stream with NO_ERROR, as Node and Envoy do when they abort an upload. hyper
            // reports that as an end, but what the API got must not look complete. hyper is about to drop the request.
            return Poll::Pending;
        }
        let is_last = match &polled {
            Poll::Ready(Some(Ok(frame))) => frame.is_trailers(), // nothing polls for what follows trailers
            Poll::Ready(None) => true,
            Poll::Ready(Some(Err(_))) | Poll::Pending => false,
        };
        if (is_last || has_ended)
            && let Some(connection) = this.unread_on.take()
        {
            connection.set_unread(false);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.incoming {
            Some(incoming) if !self.hides_length => incoming.size_hint(),
            Some(_) | None => SizeHint::default(),
        }
    }
}
