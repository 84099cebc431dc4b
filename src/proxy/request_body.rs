//! A request body on its way from the client to the upstream, with a copy of its start so that it can be replayed
//! after a 401 (RFC 9110 section 15.5.2).
//!
//! The copy is a prefix of at most `upstream.retry_body` bytes; the rest streams. The body can be replayed exactly
//! while everything that was read from the client is in the prefix. Nothing here waits, sends, or knows why an attempt
//! was rejected.
//!
//! The types are generic over the client's body for the tests, which script one.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use super::hop_by_hop::is_removed_from_request;
use super::trailers;
use crate::server::RequestBody;

/// The body of a request to the upstream.
pub(super) enum UpstreamRequestBody<B = RequestBody> {
    Empty,
    /// The client's body as it arrives.
    First(FirstAttemptBody<B>),
    /// The same body once more, after a 401.
    Replay(Box<ReplayBody<B>>),
}

impl<B: Body<Data = Bytes, Error = hyper::Error> + Unpin> Body for UpstreamRequestBody<B> {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = match self.get_mut() {
            Self::Empty => return Poll::Ready(None),
            Self::First(body) => body.poll_frame(cx),
            Self::Replay(body) => body.poll_frame(cx),
        };
        polled.map_ok(|frame| trailers::filtered(frame, is_removed_from_request))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::First(body) => body.is_end_stream(),
            Self::Replay(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::First(body) => body.size_hint(),
            Self::Replay(body) => body.size_hint(),
        }
    }
}

/// The proxy's handle on a request body, through which it can take the body back to replay it. A request without a
/// body has `None` and costs nothing.
pub(super) struct ReplayableBody<B = RequestBody>(Option<SharedBody<B>>);

/// Shared by the proxy, which may want the body back, and the connection that sends it. They run in turn on one thread,
/// so the lock is never contended. `None` once the proxy has taken the recording back.
struct SharedBody<B>(Arc<Mutex<Option<RecordedBody<B>>>>);

impl<B: Body<Data = Bytes, Error = hyper::Error> + Unpin> ReplayableBody<B> {
    /// Copies up to `limit` bytes of `body` while it is read.
    pub(super) fn new(body: B, limit: usize, upload_counter: Option<UploadCounter>) -> Self {
        let counted = |body| CountedBody {
            body,
            upload_counter,
        };
        let recording = (!body.is_end_stream()).then(|| RecordedBody::new(counted(body), limit));
        Self(recording.map(|recording| SharedBody(Arc::new(Mutex::new(Some(recording))))))
    }

    /// The body that the first attempt sends.
    pub(super) fn first_attempt(&self) -> UpstreamRequestBody<B> {
        match &self.0 {
            None => UpstreamRequestBody::Empty,
            Some(shared) => {
                let shared = SharedBody(Arc::clone(&shared.0));
                UpstreamRequestBody::First(FirstAttemptBody(shared))
            }
        }
    }

    /// The body once more from its start, because nothing of the first attempt was processed, which gets no more
    /// frames. `None` if more was read than the copy could hold.
    #[cold]
    pub(super) fn restart(&mut self) -> Option<UpstreamRequestBody<B>> {
        let Some(shared) = &self.0 else {
            return Some(UpstreamRequestBody::Empty);
        };
        let mut recording = shared.lock().take()?;
        let is_whole = recording.rewind();
        self.0 = Some(SharedBody(Arc::new(Mutex::new(Some(recording)))));
        is_whole.then(|| self.first_attempt())
    }

    /// Frees the copy, because a response other than a 401 has begun and there will be no replay.
    pub(super) fn discard_copy(self) {
        if let Some(shared) = self.0
            && let Some(recording) = shared.lock().as_mut()
        {
            recording.prefix = None;
        }
    }

    /// Takes the body back. The first attempt gets no more frames.
    pub(super) fn reclaim(self) -> ReclaimedBody<B> {
        self.0.map_or(ReclaimedBody::Empty, |shared| {
            let recording = shared.lock().take();
            ReclaimedBody::Recorded(
                recording.expect("only the proxy takes the recording, and only once"),
            )
        })
    }
}

impl<B> SharedBody<B> {
    /// A panic in the middle of a frame leaves the recording as it was before that frame.
    fn lock(&self) -> MutexGuard<'_, Option<RecordedBody<B>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A body that was taken back from the first attempt. Dropping it also drops what the client has not sent yet.
pub(super) enum ReclaimedBody<B = RequestBody> {
    Empty,
    /// The prefix, and the rest of the client's body.
    Recorded(RecordedBody<B>),
}

impl<B: Body<Data = Bytes, Error = hyper::Error> + Unpin> ReclaimedBody<B> {
    /// The whole body once more: the prefix, then the rest as it arrives. `None` if more was read than the prefix
    /// could hold.
    pub(super) fn replay(self) -> Option<UpstreamRequestBody<B>> {
        match self {
            Self::Empty => Some(UpstreamRequestBody::Empty),
            Self::Recorded(recording) => recording
                .replay()
                .map(|body| UpstreamRequestBody::Replay(Box::new(body))),
        }
    }
}

/// A client's body, and the copy of what was read of it.
pub(super) struct RecordedBody<B> {
    body: CountedBody<B>,
    /// `None` once more than `limit` bytes were read, or the copy is no longer needed.
    prefix: Option<Vec<u8>>,
    limit: usize,
    trailers: Option<HeaderMap>,
    /// `None` if the length is not known in advance (`chunked`).
    length: Option<u64>,
    ended: bool,
    /// What has been read and is to be sent again.
    rewound: Option<Box<RewoundStart>>,
}

/// The start of a body that is sent again.
struct RewoundStart {
    data: Bytes,
    trailers: Option<HeaderMap>,
}

impl<B: Body<Data = Bytes, Error = hyper::Error> + Unpin> RecordedBody<B> {
    fn new(body: CountedBody<B>, limit: usize) -> Self {
        Self {
            prefix: Some(Vec::new()),
            limit,
            trailers: None,
            length: body.body.size_hint().exact(),
            ended: false,
            rewound: None,
            body,
        }
    }

    /// Begins again with the prefix. Returns whether that is all that was read.
    fn rewind(&mut self) -> bool {
        let Some(prefix) = &self.prefix else {
            return false;
        };
        let start = RewoundStart {
            data: Bytes::copy_from_slice(prefix),
            trailers: self.trailers.clone(),
        };
        let has_any = !start.data.is_empty() || start.trailers.is_some();
        self.rewound = has_any.then(|| Box::new(start));
        true
    }

    /// The next frame of what is sent again.
    #[cold]
    fn next_rewound(&mut self) -> Option<Frame<Bytes>> {
        let start = self.rewound.as_mut()?;
        let frame = if start.data.is_empty() {
            start.trailers.take().map(Frame::trailers)
        } else {
            Some(Frame::data(std::mem::take(&mut start.data)))
        };
        if start.data.is_empty() && start.trailers.is_none() {
            self.rewound = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.rewound.is_none() && self.body.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.rewound, self.length) {
            (None, _) => self.body.body.size_hint(),
            (Some(_), Some(length)) => SizeHint::with_exact(length),
            (Some(_), None) => SizeHint::default(),
        }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        if self.rewound.is_some() {
            return Poll::Ready(self.next_rewound().map(Ok));
        }
        if self.ended {
            return Poll::Ready(None);
        }
        let polled = ready!(self.body.poll_frame(cx));
        match &polled {
            Some(Ok(frame)) => self.record(frame),
            Some(Err(_)) => self.prefix = None,
            None => self.ended = true,
        }
        Poll::Ready(polled)
    }

    fn record(&mut self, frame: &Frame<Bytes>) {
        let Some(prefix) = &mut self.prefix else {
            return;
        };
        match (frame.data_ref(), frame.trailers_ref()) {
            (Some(data), _) if data.len() > self.limit - prefix.len() => self.prefix = None,
            (Some(data), _) => {
                reserve(prefix, data.len(), self.length, self.limit);
                prefix.extend_from_slice(data);
            }
            (None, trailers) => self.trailers = trailers.cloned(),
        }
    }

    fn replay(self) -> Option<ReplayBody<B>> {
        let prefix = self.prefix?;
        Some(ReplayBody {
            prefix: prefix.into(),
            ended: self.ended || self.body.body.is_end_stream(),
            rest: self.body,
            trailers: self.trailers,
            remaining: self.length,
        })
    }
}

/// How many bytes of a request body have been read from its client, for the access log.
#[derive(Debug, Clone, Default)]
pub(super) struct UploadCounter(Arc<AtomicU64>);

impl UploadCounter {
    pub(super) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The client's body. Its bytes are counted if the access log needs them.
struct CountedBody<B> {
    body: B,
    upload_counter: Option<UploadCounter>,
}

impl<B: Body<Data = Bytes, Error = hyper::Error> + Unpin> CountedBody<B> {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let (Poll::Ready(Some(Ok(frame))), Some(counter)) = (&polled, &self.upload_counter) {
            let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
            counter.0.fetch_add(bytes, Ordering::Relaxed);
        }
        polled
    }
}

/// Makes room for `additional` bytes. If the length of the body is known, all the room that it can need is reserved at
/// once; otherwise the capacity doubles. It never exceeds `limit`.
fn reserve(prefix: &mut Vec<u8>, additional: usize, length: Option<u64>, limit: usize) {
    let needed = prefix.len() + additional;
    if needed > prefix.capacity() {
        let wanted = length.map_or(2 * prefix.capacity(), |length| {
            usize::try_from(length).unwrap_or(limit)
        });
        prefix.reserve_exact(wanted.clamp(needed, limit) - prefix.len());
    }
}

/// The body of the first attempt: the client's, as it arrives.
pub(super) struct FirstAttemptBody<B>(SharedBody<B>);

impl<B: Body<Data = Bytes, Error = hyper::Error> + Unpin> FirstAttemptBody<B> {
    /// Stays pending forever once the body was taken back. An error instead would abort the response that is still to
    /// be read from this connection.
    fn poll_frame(&self, cx: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        match self.0.lock().as_mut() {
            Some(recording) => recording.poll_frame(cx),
            None => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0
            .lock()
            .as_ref()
            .is_some_and(RecordedBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.0
            .lock()
            .as_ref()
            .map_or_else(SizeHint::default, RecordedBody::size_hint)
    }
}

/// The body of the replay: the prefix, the rest, and trailers that had already arrived.
pub(super) struct ReplayBody<B> {
    prefix: Bytes,
    rest: CountedBody<B>,
    ended: bool,
    trailers: Option<HeaderMap>,
    /// Bytes still to be sent, according to the client's `Content-Length`: the replay is framed like the first attempt.
    remaining: Option<u64>,
}

impl<B: Body<Data = Bytes, Error = hyper::Error> + Unpin> ReplayBody<B> {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let frame = if !self.prefix.is_empty() {
            Frame::data(std::mem::take(&mut self.prefix))
        } else if let Some(trailers) = self.trailers.take() {
            Frame::trailers(trailers) // all data came before them
        } else if self.ended {
            return Poll::Ready(None);
        } else {
            match ready!(self.rest.poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                other => return Poll::Ready(other),
            }
        };
        if let (Some(remaining), Some(data)) = (&mut self.remaining, frame.data_ref()) {
            *remaining = remaining.saturating_sub(data.len() as u64);
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.prefix.is_empty()
            && self.trailers.is_none()
            && (self.ended || self.rest.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.remaining
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

#[cfg(test)]
mod tests;
