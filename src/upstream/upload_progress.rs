//! The progress of a request body, which the limits of an exchange depend on.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request, Version};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::{Duration, Instant};

use super::connection_tasks::{NewTasks, UploadSwitch};
use super::continue_gate::ContinueGate;
use super::stream_slots::StreamSlot;

/// A body that can be sent as a request body.
pub trait OutgoingBody:
    Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin + 'static
{
}

impl<B> OutgoingBody for B where
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin + 'static
{
}

/// The progress of one request body, shared by the connection that sends it and the task that waits for the response.
#[derive(Debug)]
pub(super) struct UploadProgress {
    start: Instant,
    /// When the last frame was handed over, in milliseconds after `start`.
    last_frame_ms: AtomicU64,
    stage: AtomicU8,
}

/// What the upload is waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum UploadStage {
    /// A frame was handed over: the upstream has to accept it.
    Sending,
    /// No frame is available: the client has to send more.
    WaitingForClient,
    /// The whole body was handed over: the upstream has to respond.
    Done,
}

impl UploadProgress {
    fn new() -> Self {
        Self {
            start: Instant::now(),
            last_frame_ms: AtomicU64::new(0),
            stage: AtomicU8::new(UploadStage::Sending as u8),
        }
    }

    /// An upload whose client has not sent any of the body.
    #[cfg(test)]
    pub(super) fn waiting_for_client() -> Self {
        let progress = Self::new();
        progress.record(UploadStage::WaitingForClient);
        progress
    }

    /// When the last frame was handed over.
    pub(super) fn last_frame(&self) -> Instant {
        self.start + Duration::from_millis(self.last_frame_ms.load(Ordering::Relaxed))
    }

    pub(super) fn stage(&self) -> UploadStage {
        match self.stage.load(Ordering::Relaxed) {
            0 => UploadStage::Sending,
            1 => UploadStage::WaitingForClient,
            _ => UploadStage::Done,
        }
    }

    fn record(&self, stage: UploadStage) {
        self.stage.store(stage as u8, Ordering::Relaxed);
        if stage != UploadStage::WaitingForClient {
            let passed = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.last_frame_ms.store(passed, Ordering::Relaxed);
        }
    }
}

/// What a request body needs on a stream of HTTP/2.
#[derive(Debug)]
struct StreamUpload {
    /// `None` once the body has been polled.
    announced_to: Option<NewTasks>,
    switch: Arc<UploadSwitch>,
    trailers: Box<[HeaderName]>,
    _slot: Arc<StreamSlot>,
}

impl StreamUpload {
    /// hyper is about to begin the task of this upload.
    fn announce(&mut self) {
        if let Some(tasks) = self.announced_to.take() {
            tasks.announce(Arc::clone(&self.switch));
        }
    }

    /// The frame, of which only the announced trailers are left. `None` if none is left.
    fn without_unannounced(&self, frame: Frame<Bytes>) -> Option<Frame<Bytes>> {
        let fields = match frame.into_trailers() {
            Ok(fields) => fields,
            Err(frame) => return Some(frame),
        };
        let mut kept = HeaderMap::new();
        for (name, value) in &fields {
            if self.trailers.contains(name) {
                kept.append(name.clone(), value.clone());
            }
        }
        (!kept.is_empty()).then(|| Frame::trailers(kept))
    }
}

pin_project! {
    /// A request body that records its progress, and that is held back if the request expects a 100. A body without
    /// frames is not tracked, and costs nothing.
    #[derive(Debug)]
    pub struct TrackedBody<B> {
        #[pin]
        body: B,
        progress: Option<Arc<UploadProgress>>,
        gate: Option<ContinueGate>,
        // For a stream of HTTP/2.
        stream: Option<Box<StreamUpload>>,
    }
}

impl<B: Body> TrackedBody<B> {
    /// The same request, in the form of HTTP/1.1, with its body tracked.
    pub(super) fn wrap(mut request: Request<B>) -> Request<Self> {
        *request.version_mut() = Version::HTTP_11;
        if request.body().is_end_stream() {
            return request.map(|body| Self {
                body,
                progress: None,
                gate: None,
                stream: None,
            });
        }
        let gate = ContinueGate::for_request(&mut request);
        request.map(|body| Self {
            body,
            progress: Some(Arc::new(UploadProgress::new())),
            gate,
            stream: None,
        })
    }

    /// The body goes out on a stream of HTTP/2: at once, since no 100 is reported there, and with no other trailers
    /// than these. Returns what ends the upload; `None` if there is nothing to upload.
    pub(super) fn begin_stream(
        &mut self,
        tasks: &NewTasks,
        slot: &Arc<StreamSlot>,
        trailers: Box<[HeaderName]>,
    ) -> Option<Arc<UploadSwitch>> {
        self.gate = None;
        self.progress.as_ref()?;
        let switch = Arc::<UploadSwitch>::default();
        self.stream = Some(Box::new(StreamUpload {
            announced_to: Some(tasks.clone()),
            switch: Arc::clone(&switch),
            trailers,
            _slot: Arc::clone(slot),
        }));
        Some(switch)
    }

    /// The body was not sent on that stream.
    pub(super) fn leave_stream(&mut self) {
        self.stream = None;
    }

    pub(super) fn progress(&self) -> Option<Arc<UploadProgress>> {
        self.progress.clone()
    }
}

impl<B: Body<Data = Bytes>> Body for TrackedBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.project();
        if let Some(stream) = this.stream {
            stream.announce();
        }
        if let Some(gate) = this.gate {
            ready!(gate.poll_open(cx));
            *this.gate = None;
        }
        let polled = this.body.as_mut().poll_frame(cx);
        if let Some(progress) = this.progress {
            progress.record(match &polled {
                Poll::Pending => UploadStage::WaitingForClient,
                Poll::Ready(None) => UploadStage::Done,
                Poll::Ready(Some(Ok(frame))) if frame.is_trailers() => UploadStage::Done,
                Poll::Ready(Some(_)) if this.body.is_end_stream() => UploadStage::Done,
                Poll::Ready(Some(_)) => UploadStage::Sending,
            });
        }
        match (&this.stream, polled) {
            (Some(stream), Poll::Ready(Some(Ok(frame)))) => {
                Poll::Ready(stream.without_unannounced(frame).map(Ok))
            }
            (_, polled) => polled,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
