//! The client's socket and the client's body, each telling the sweep how they get on.

use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Sleep, sleep};

use super::head_scanner::HeadScanner;
use super::stream::Stream;
use super::watch::Watched;
use crate::metrics::Metrics;

/// How long bytes are still taken from a client whose request was answered before it was read. A
/// client that sends first and reads afterwards would otherwise see a reset instead of the answer.
const LINGER: Duration = Duration::from_secs(2);

/// How much of it. Beyond, the connection is reset: whoever goes on sending does not want the answer.
/// Measured with a refusal of 30 MB: at 1 MiB neither Node nor Python sees the status, at 16 MiB only
/// Node does, here both do, 100 of 100 (`tests/e2e/refusal`).
const LINGER_BYTES: usize = 64 << 20;

/// The largest read buffer of a connection, for uploads: reads and writes of this size cost a quarter less for each
/// byte than those of 64 KiB (`benches/NOTES.md`).
pub(super) const WIDEST: usize = 256 * 1024;

/// hyper's buffer grows beyond this only with leave.
const NARROW: usize = 64 * 1024;

/// So many bytes of an answer are put together before they are sent: `send` costs the system 100 ns less than
/// `writev` (Linux, 200 and 910 bytes), the copy included; at this size the copy begins to cost as much.
const SMALL: usize = 4 * 1024;

/// A client's socket.
pub(super) struct ClientIo {
    stream: Stream,
    watched: Arc<Watched>,
    metrics: Arc<Metrics>,
    scanner: HeadScanner,
    linger: Option<Linger>,
    wide: Option<OwnedSemaphorePermit>,
}

struct Linger {
    until: Pin<Box<Sleep>>,
    left: usize,
}

impl ClientIo {
    pub(super) fn new(stream: Stream, watched: Arc<Watched>, metrics: Arc<Metrics>) -> Self {
        Self {
            stream,
            watched,
            metrics,
            scanner: HeadScanner::default(),
            linger: None,
            wide: None,
        }
    }

    /// Whether a read may fill `room` bytes: hyper doubles a buffer that was filled.
    fn may_fill(&mut self, room: usize) -> bool {
        if room >= NARROW && self.wide.is_none() {
            self.wide = self.watched.widen();
        }
        room < NARROW || self.wide.is_some()
    }

    fn note_read(&mut self, bytes: &mut [u8]) {
        self.metrics.bytes_in().inc_by(bytes.len() as u64);
        if !self.scanner.scan(bytes) {
            self.watched.set_unread(true); // hyper refuses it and closes: its answer must arrive
        }
        if self.scanner.has_left_http() {
            self.watched.set_left();
        }
        self.watched.bytes_came(self.scanner.is_in_head());
    }

    /// Whether the last answer has ended and nothing is left unread: then the socket is let go at once, and
    /// closing it says what a shutdown would have said. A tunnel stays busy: its ends come one by one.
    fn is_done(&self) -> bool {
        !self.watched.is_busy() && !self.watched.is_unread()
    }

    fn note_write(&self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = polled {
            self.metrics.bytes_out().inc_by(bytes as u64);
        }
        self.watched.write_waits(polled.is_pending());
        polled
    }

    /// Takes and forgets what the client still sends, until it has seen the end.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let linger = self.linger.get_or_insert_with(|| Linger {
            until: Box::pin(sleep(LINGER)),
            left: LINGER_BYTES,
        });
        let mut space = [MaybeUninit::uninit(); 16 * 1024];
        while linger.left > 0 && linger.until.as_mut().poll(cx).is_pending() {
            let mut buf = ReadBuf::uninit(&mut space);
            match ready!(pin!(&mut self.stream).poll_read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => {
                    linger.left = linger.left.saturating_sub(buf.filled().len());
                }
                Ok(()) | Err(_) => break,
            }
        }
        Poll::Ready(())
    }
}

impl AsyncRead for ClientIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = if self.may_fill(buf.remaining()) {
            Pin::new(&mut self.stream).poll_read(cx, buf)
        } else {
            pin!((&mut self.stream).take(NARROW as u64 - 1)).poll_read(cx, buf)
        };
        if buf.filled().len() > before {
            self.note_read(&mut buf.filled_mut()[before..]);
        }
        polled
    }
}

impl AsyncWrite for ClientIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.note_write(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = match bufs.iter().map(|buf| buf.len()).sum::<usize>() {
            0..=SMALL => {
                let mut space = [MaybeUninit::uninit(); SMALL];
                let mut whole = ReadBuf::uninit(&mut space);
                for buf in bufs {
                    whole.put_slice(buf);
                }
                Pin::new(&mut self.stream).poll_write(cx, whole.filled())
            }
            _ => Pin::new(&mut self.stream).poll_write_vectored(cx, bufs),
        };
        self.note_write(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_done() {
            return Poll::Ready(Ok(()));
        }
        if self.linger.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        }
        if self.watched.is_unread() {
            ready!(self.poll_linger(cx));
        }
        Poll::Ready(Ok(()))
    }
}

/// A request's body as the client sends it. Until its end has been seen, the connection counts as unread:
/// an answer then closes it, and closing must not throw the answer away.
#[derive(Debug)]
pub struct RequestBody {
    incoming: Incoming,
    /// `None` once the end has been seen.
    open: Option<Arc<Watched>>,
}

impl RequestBody {
    pub(super) fn new(incoming: Incoming, watched: &Arc<Watched>) -> Self {
        let open = (!incoming.is_end_stream()).then(|| Arc::clone(watched));
        watched.set_unread(open.is_some());
        Self { incoming, open }
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
            Poll::Ready(Some(Ok(frame))) => frame.is_trailers(), // nobody asks for what follows them
            Poll::Ready(None) => true,
            Poll::Ready(Some(Err(_))) | Poll::Pending => false,
        };
        let ended = is_last || self.incoming.is_end_stream();
        if ended && let Some(watched) = self.open.take() {
            watched.set_unread(false);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

#[cfg(test)]
mod tests;
