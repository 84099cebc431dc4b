//! How a request body is getting on: what the limits of an exchange are measured from.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Request;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::{Duration, Instant};

use super::gate::Gate;

/// Any error of a request body, as hyper takes it.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What can be sent as a request body.
pub trait Outgoing: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static {}

impl<B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static> Outgoing for B {}

/// The state of one request body, shared between the connection that sends it and whoever waits for the answer.
#[derive(Debug)]
pub(super) struct Pace {
    start: Instant,
    last_ms: AtomicU64,
    stage: AtomicU8,
}

/// Who is to move next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Stage {
    /// The upstream: bytes are there and it does not take them.
    Sending,
    /// The caller: we have nothing to send.
    Starved,
    /// The upstream: all has been handed over.
    Done,
}

impl Pace {
    fn new() -> Self {
        Self {
            start: Instant::now(),
            last_ms: AtomicU64::new(0),
            stage: AtomicU8::new(Stage::Sending as u8),
        }
    }

    /// A body whose caller has sent nothing yet.
    #[cfg(test)]
    pub(super) fn starved() -> Self {
        let pace = Self::new();
        pace.note(Stage::Starved);
        pace
    }

    /// When the last frame was handed over.
    pub(super) fn last(&self) -> Instant {
        self.start + Duration::from_millis(self.last_ms.load(Ordering::Relaxed))
    }

    pub(super) fn stage(&self) -> Stage {
        match self.stage.load(Ordering::Relaxed) {
            0 => Stage::Sending,
            1 => Stage::Starved,
            _ => Stage::Done,
        }
    }

    fn note(&self, stage: Stage) {
        self.stage.store(stage as u8, Ordering::Relaxed);
        if stage != Stage::Starved {
            let passed = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.last_ms.store(passed, Ordering::Relaxed);
        }
    }
}

pin_project! {
    /// A request body that notes each frame it hands over. One without a frame notes, and costs, nothing.
    #[derive(Debug)]
    pub struct Paced<B> {
        #[pin]
        body: B,
        pace: Option<Arc<Pace>>,
        gate: Option<Gate>,
    }
}

impl<B: Body> Paced<B> {
    /// The request with its body paced, and held back if it expects a 100.
    pub(super) fn request(mut request: Request<B>) -> Request<Self> {
        if request.body().is_end_stream() {
            return request.map(|body| Self {
                body,
                pace: None,
                gate: None,
            });
        }
        let gate = Gate::of(&mut request);
        request.map(|body| Self {
            body,
            pace: Some(Arc::new(Pace::new())),
            gate,
        })
    }

    pub(super) fn pace(&self) -> Option<Arc<Pace>> {
        self.pace.clone()
    }
}

impl<B: Body<Data = Bytes>> Body for Paced<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.project();
        if let Some(gate) = this.gate {
            ready!(gate.poll_open(cx));
            *this.gate = None;
        }
        let polled = this.body.as_mut().poll_frame(cx);
        if let Some(pace) = this.pace {
            pace.note(match &polled {
                Poll::Pending => Stage::Starved,
                Poll::Ready(None) => Stage::Done,
                Poll::Ready(Some(Ok(frame))) if frame.is_trailers() => Stage::Done,
                Poll::Ready(Some(_)) if this.body.is_end_stream() => Stage::Done,
                Poll::Ready(Some(_)) => Stage::Sending,
            });
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
