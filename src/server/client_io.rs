//! The socket of a client connection. It passes what it reads through the head scanner, and reports what it reads and
//! writes to the connection's `TrackedConnection`.

use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Sleep, sleep};

use super::client_stream::ClientStream;
use super::head_scanner::HeadScanner;
use super::tracked_connection::TrackedConnection;
use crate::metrics::Metrics;

/// How long the socket still reads from a client after a response that was sent before the request body had been
/// read. A client that sends everything before it reads would otherwise see a reset instead of the response.
const LINGER_TIMEOUT: Duration = Duration::from_secs(2);

/// How much is read in that time. After that the connection is reset, because a client that keeps sending does not
/// want the response. Measured with a rejected upload of 30 MB: at 1 MiB neither Node nor Python sees the status, at
/// 16 MiB only Node does, and here both do, 100 times out of 100 (`tests/e2e/refusal`).
const LINGER_BYTES: usize = 64 << 20;

/// The largest read buffer of a connection, used for uploads: reads and writes of this size cost a quarter less per
/// byte than those of 64 KiB (`benches/NOTES.md`).
pub(super) const WIDE_BUFFER: usize = 256 * 1024;

/// hyper's buffer grows beyond this size only with permission: `WIDE_CONNECTIONS` says for how many connections.
const NARROW_BUFFER: usize = 64 * 1024;

/// Pieces of a response up to this many bytes together are copied into one buffer before they are sent: `send` costs
/// the system 100 ns less than `writev` (Linux, 200 and 910 bytes), including the copy. At this size the copy begins
/// to cost as much.
const COALESCED_BYTES: usize = 4 * 1024;

/// The socket of a client connection.
pub(super) struct ClientIo {
    stream: ClientStream,
    connection: Arc<TrackedConnection>,
    metrics: Arc<Metrics>,
    scanner: HeadScanner,
    linger: Option<Linger>,
    wide_buffer: Option<OwnedSemaphorePermit>,
}

struct Linger {
    until: Pin<Box<Sleep>>,
    left: usize,
}

impl ClientIo {
    pub(super) fn new(
        stream: ClientStream,
        connection: Arc<TrackedConnection>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            stream,
            connection,
            metrics,
            scanner: HeadScanner::default(),
            linger: None,
            wide_buffer: None,
        }
    }

    /// Whether a read may fill `room` bytes. hyper doubles a buffer that was filled.
    fn may_fill(&mut self, room: usize) -> bool {
        if room >= NARROW_BUFFER && self.wide_buffer.is_none() {
            self.wide_buffer = self.connection.acquire_wide_buffer();
        }
        room < NARROW_BUFFER || self.wide_buffer.is_some()
    }

    fn note_read(&mut self, bytes: &mut [u8]) {
        self.metrics.bytes_in().inc_by(bytes.len() as u64);
        if !self.scanner.scan(bytes) {
            self.connection.set_unread(true); // hyper rejects the head and closes; its response must arrive
        }
        if self.scanner.has_left_http() {
            self.connection.set_left_http();
        }
        self.connection.received(self.scanner.is_in_head());
    }

    /// Whether the last response has ended and nothing is left unread. The socket is then closed without a shutdown,
    /// which would have the same effect. A tunnel stays busy, because its two directions end one after the other.
    fn is_done(&self) -> bool {
        !self.connection.is_busy() && !self.connection.is_unread()
    }

    fn note_write(&self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = polled {
            self.metrics.bytes_out().inc_by(bytes as u64);
        }
        self.connection.set_write_blocked(polled.is_pending());
        polled
    }

    /// Reads and discards what the client still sends, so that it can read the response.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let linger = self.linger.get_or_insert_with(|| Linger {
            until: Box::pin(sleep(LINGER_TIMEOUT)),
            left: LINGER_BYTES,
        });
        let mut discarded = [MaybeUninit::uninit(); 16 * 1024];
        while linger.left > 0 && linger.until.as_mut().poll(cx).is_pending() {
            let mut buf = ReadBuf::uninit(&mut discarded);
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
            pin!((&mut self.stream).take(NARROW_BUFFER as u64 - 1)).poll_read(cx, buf)
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
            0..=COALESCED_BYTES => {
                let mut space = [MaybeUninit::uninit(); COALESCED_BYTES];
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
        if self.connection.is_unread() {
            ready!(self.poll_linger(cx));
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests;
