//! What a request needs to be sent once more after a 401 (RFC 9110 15.5.2): a copy of the body's start.
//!
//! A body is split into a kept prefix (copied, at most `upstream.retry_body`) and the rest, which
//! streams. It can be sent once more exactly while all that was taken from the client is in the
//! prefix. Nothing here waits, sends, or knows why an attempt was refused.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};

use super::body::{Inbound, Outbound};

/// The proxy's end of a request body. A request without a body has none, and pays nothing.
pub(super) struct Upload<I>(Option<Shared<I>>);

/// Between the proxy, which may want the body back, and the connection that sends it. They take turns
/// on one task, so the lock is never waited for. `None` once the proxy has taken it back.
struct Shared<I>(Arc<Mutex<Option<Recording<I>>>>);

impl<I: Inbound> Upload<I> {
    /// Begins to keep what will be taken of `body`, up to `most` bytes.
    pub(super) fn of(body: I, most: usize, uploaded: Option<Uploaded>) -> Self {
        let counted = |inbound| Counted { inbound, uploaded };
        let recording = (!body.is_end_stream()).then(|| Recording::new(counted(body), most));
        Self(recording.map(|recording| Shared(Arc::new(Mutex::new(Some(recording))))))
    }

    /// What the first attempt sends.
    pub(super) fn first(&self) -> Outbound<I> {
        match &self.0 {
            None => Outbound::Empty,
            Some(shared) => Outbound::First(First(Shared(Arc::clone(&shared.0)))),
        }
    }

    /// An answer other than 401 has begun: there will be no replay, so the memory goes.
    pub(super) fn let_go(self) {
        if let Some(shared) = self.0
            && let Some(recording) = shared.lock().as_mut()
        {
            recording.kept = None;
        }
    }

    /// Takes the body back: the first attempt is handed no more frames.
    pub(super) fn freeze(self) -> Frozen<I> {
        self.0.map_or(Frozen::Empty, |shared| {
            let recording = shared.lock().take();
            Frozen::Body(recording.expect("only the proxy takes it, and only once"))
        })
    }
}

impl<I> Shared<I> {
    /// After a panic in the middle of a frame the recording is as whole as before it.
    fn lock(&self) -> MutexGuard<'_, Option<Recording<I>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A body taken back. Dropping it lets go of what the client has not sent yet.
pub(super) enum Frozen<I> {
    /// There is none.
    Empty,
    /// What is kept, and the rest.
    Body(Recording<I>),
}

impl<I: Inbound> Frozen<I> {
    /// The whole body once more: the prefix, then the rest as it comes. `None` once it has outgrown
    /// its limit.
    pub(super) fn again(self) -> Option<Outbound<I>> {
        match self {
            Self::Empty => Some(Outbound::Empty),
            Self::Body(recording) => recording
                .again()
                .map(|again| Outbound::Again(Box::new(again))),
        }
    }
}

/// A client's body and the copy of what was taken of it.
pub(super) struct Recording<I> {
    inbound: Counted<I>,
    /// `None` once it has outgrown `most`, or is not wanted any more.
    kept: Option<Vec<u8>>,
    most: usize,
    trailers: Option<HeaderMap>,
    /// `None` where the length is not known beforehand (`chunked`).
    length: Option<u64>,
    ended: bool,
}

impl<I: Inbound> Recording<I> {
    fn new(inbound: Counted<I>, most: usize) -> Self {
        Self {
            kept: Some(Vec::new()),
            most,
            trailers: None,
            length: inbound.inbound.size_hint().exact(),
            ended: false,
            inbound,
        }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let polled = ready!(self.inbound.poll_frame(cx));
        match &polled {
            Some(Ok(frame)) => self.keep(frame),
            Some(Err(_)) => self.kept = None,
            None => self.ended = true,
        }
        Poll::Ready(polled)
    }

    fn keep(&mut self, frame: &Frame<Bytes>) {
        let Some(kept) = &mut self.kept else {
            return;
        };
        match (frame.data_ref(), frame.trailers_ref()) {
            (Some(data), _) if data.len() > self.most - kept.len() => self.kept = None,
            (Some(data), _) => {
                grow(kept, data.len(), self.length, self.most);
                kept.extend_from_slice(data);
            }
            (None, trailers) => self.trailers = trailers.cloned(),
        }
    }

    fn again(self) -> Option<Again<I>> {
        let prefix = self.kept?;
        Some(Again {
            prefix: prefix.into(),
            ended: self.ended || self.inbound.inbound.is_end_stream(),
            inbound: self.inbound,
            trailers: self.trailers,
            left: self.length,
        })
    }
}

/// How many bytes of a request's body have been taken from its client, for the access line.
#[derive(Debug, Clone, Default)]
pub(super) struct Uploaded(Arc<AtomicU64>);

impl Uploaded {
    /// So far.
    pub(super) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What the client sends, with an account of it if there is to be one.
struct Counted<I> {
    inbound: I,
    uploaded: Option<Uploaded>,
}

impl<I: Inbound> Counted<I> {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let polled = Pin::new(&mut self.inbound).poll_frame(cx);
        if let (Poll::Ready(Some(Ok(frame))), Some(uploaded)) = (&polled, &self.uploaded) {
            let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
            uploaded.0.fetch_add(bytes, Ordering::Relaxed);
        }
        polled
    }
}

/// Makes room for `more` bytes: all that the body can need at once where its length is known, else
/// twice as much as before; never beyond `most`.
fn grow(kept: &mut Vec<u8>, more: usize, length: Option<u64>, most: usize) {
    let needed = kept.len() + more;
    if needed > kept.capacity() {
        let wanted = length.map_or(2 * kept.capacity(), |length| {
            usize::try_from(length).unwrap_or(most)
        });
        kept.reserve_exact(wanted.clamp(needed, most) - kept.len());
    }
}

/// The first attempt's body: what the client sends, as it comes.
pub(super) struct First<I>(Shared<I>);

impl<I: Inbound> First<I> {
    /// Never ready again once the body was taken back: an error instead would break off the answer
    /// that is still to be read from this connection.
    pub(super) fn poll_frame(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        match self.0.lock().as_mut() {
            Some(recording) => recording.poll_frame(cx),
            None => Poll::Pending,
        }
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.0
            .lock()
            .as_ref()
            .is_some_and(|recording| recording.inbound.inbound.is_end_stream())
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        self.0
            .lock()
            .as_ref()
            .map_or_else(SizeHint::default, |recording| {
                recording.inbound.inbound.size_hint()
            })
    }
}

/// The second attempt's body: the prefix, the rest, and trailers that had already come.
pub(super) struct Again<I> {
    prefix: Bytes,
    inbound: Counted<I>,
    ended: bool,
    trailers: Option<HeaderMap>,
    /// Bytes still to come, as the client announced them: the second attempt is framed like the first.
    left: Option<u64>,
}

impl<I: Inbound> Again<I> {
    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let frame = if !self.prefix.is_empty() {
            Frame::data(std::mem::take(&mut self.prefix))
        } else if let Some(trailers) = self.trailers.take() {
            Frame::trailers(trailers) // all data came before them
        } else if self.ended {
            return Poll::Ready(None);
        } else {
            match ready!(self.inbound.poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                other => return Poll::Ready(other),
            }
        };
        if let (Some(left), Some(data)) = (&mut self.left, frame.data_ref()) {
            *left = left.saturating_sub(data.len() as u64);
        }
        Poll::Ready(Some(Ok(frame)))
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.prefix.is_empty()
            && self.trailers.is_none()
            && (self.ended || self.inbound.inbound.is_end_stream())
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        self.left
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

#[cfg(test)]
mod tests;
