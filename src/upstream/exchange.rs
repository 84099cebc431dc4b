//! One exchange over one connection: from the request that it was given to the head of the answer.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response, header};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use pin_project_lite::pin_project;
use tokio::time::Instant;

use super::body::ResponseBody;
use super::errors::SendError;
use super::framing;
use super::limits::{HeadLimit, Stall};
use super::pace::{Outgoing, Pace, Paced};
use super::pool::{Shared, Wire, drive};

/// What a connection says of a request that it was given.
pub(super) type Given<B> = Result<Response<Incoming>, TrySendError<Request<Paced<B>>>>;

pin_project! {
    /// Drives the connection and waits for the answer.
    pub(super) struct Exchange<'a, B: Outgoing, F> {
        #[pin]
        answer: F,
        wire: Option<Wire<B>>,
        shared: &'a Arc<Shared<B>>,
        pace: Option<Arc<Pace>>,
        start: Instant,
    }
}

impl<'a, B: Outgoing, F> Exchange<'a, B, F> {
    /// `answer` is what `wire` will say of the request that it has been given at `start`.
    pub(super) fn new(
        shared: &'a Arc<Shared<B>>,
        mut wire: Wire<B>,
        answer: F,
        pace: Option<Arc<Pace>>,
        start: Instant,
    ) -> Self {
        limit(shared, pace.as_deref(), start).arm(&mut wire.alarm);
        Self {
            answer,
            wire: Some(wire),
            shared,
            pace,
            start,
        }
    }

    /// Where its connection came from, and when.
    pub(super) fn began(&self) -> (&'a Arc<Shared<B>>, Instant) {
        (self.shared, self.start)
    }
}

impl<B, F> Future for Exchange<'_, B, F>
where
    B: Outgoing,
    F: Future<Output = Given<B>>,
{
    type Output = Result<Response<ResponseBody<B>>, Failed<B>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let wire = this
            .wire
            .as_mut()
            .expect("a future is not polled after it was ready");
        let mut own = wire.relay.attend();
        drive(&mut wire.connection, &mut own);
        let mut response = match this.answer.poll(&mut own) {
            Poll::Ready(Ok(response)) => response,
            Poll::Ready(Err(failed)) => return Poll::Ready(Err(failed.into())),
            Poll::Pending => {
                wire.relay.wait(cx.waker());
                return limit(this.shared, this.pace.as_deref(), *this.start)
                    .poll(&mut wire.alarm, cx)
                    .map(|error| Err(Failed::Sent(error)));
            }
        };
        if let Err(error) = framing::check(&response, false) {
            return Poll::Ready(Err(Failed::Sent(error)));
        }
        framing::speak_for_us(&mut response);
        let stall = (!is_event_stream(&response)).then_some(this.shared.stall_timeout);
        let stall = Stall::new(stall, this.pace.take());
        let wire = this.wire.take().expect("it was there a moment ago");
        Poll::Ready(Ok(response.map(|incoming| {
            ResponseBody::new(incoming, wire, Arc::clone(this.shared), stall)
        })))
    }
}

fn limit<'a, B: Outgoing>(
    shared: &Shared<B>,
    pace: Option<&'a Pace>,
    start: Instant,
) -> HeadLimit<'a> {
    HeadLimit {
        start,
        head: shared.head_timeout,
        stall: shared.stall_timeout,
        pace,
    }
}

/// An attempt that gave no answer.
pub(super) enum Failed<B> {
    /// Nothing of it has left this machine.
    Unsent {
        request: Box<Request<Paced<B>>>,
        error: SendError,
    },
    /// It may have reached the upstream.
    Sent(SendError),
}

impl<B> From<TrySendError<Request<Paced<B>>>> for Failed<B> {
    fn from(mut failed: TrySendError<Request<Paced<B>>>) -> Self {
        let request = failed.take_message();
        let error = SendError::from_exchange(failed.into_error());
        match request {
            Some(request) => Self::Unsent {
                request: Box::new(request),
                error,
            },
            None => Self::Sent(error),
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
