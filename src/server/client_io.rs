//! The socket of a client connection. It passes what it reads through the head scanner, and reports what it reads and
//! writes to the connection's `TrackedConnection`.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
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
    /// What looks like hyper's response to a head that it cannot parse, and has not been written.
    held: Option<Vec<u8>>,
    /// What hyper had read but not parsed when it was created anew.
    unparsed: Bytes,
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
            held: None,
            unparsed: Bytes::new(),
        }
    }

    /// Ready when the client has sent something or closed its side, and rarely without either.
    pub(super) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.stream.poll_readable(cx)
    }

    /// Lets hyper read `bytes` again.
    pub(super) fn unread(&mut self, bytes: Bytes) {
        self.unparsed = bytes;
    }

    /// Releases the permission for a wide buffer, because the buffer no longer exists.
    pub(super) fn give_back_wide_buffer(&mut self) {
        self.wide_buffer = None;
    }

    /// The socket alone.
    pub(super) fn into_stream(self) -> ClientStream {
        self.stream
    }

    pub(super) const fn scanner(&self) -> &HeadScanner {
        &self.scanner
    }

    /// Discards what was held, because hyper has given up: it was hyper's own response.
    pub(super) fn discard_held(&mut self) {
        self.held = None;
    }

    /// Writes what was held, because it only looked like hyper's own response.
    pub(super) async fn write_held(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_release(cx)).await
    }

    /// Writes what was held, because hyper continues: it was the end of a response that only looked like hyper's own.
    #[cold]
    fn poll_release(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(held) = &mut self.held {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, held))?;
            self.metrics.bytes_out().inc_by(written as u64);
            held.drain(..written);
            if held.is_empty() || written == 0 {
                self.held = None;
                self.connection.set_held_response(false);
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Writes bytes that are in one piece, but holds back hyper's own response to a head that it cannot parse. That is
    /// counted once it is written.
    fn poll_write_piece(&mut self, cx: &mut Context<'_>, piece: &[u8]) -> Poll<io::Result<usize>> {
        let piece = match start_of_own_response(piece) {
            None => piece,
            Some(0) => {
                self.held = Some(piece.to_vec());
                self.connection.set_held_response(true);
                cx.waker().wake_by_ref(); // hyper reads on in the next poll, unless it has given up
                return Poll::Ready(Ok(piece.len()));
            }
            Some(start) => &piece[..start],
        };
        let polled = Pin::new(&mut self.stream).poll_write(cx, piece);
        self.count_written(&polled);
        polled
    }

    /// Whether a read may fill `room` bytes. hyper doubles a buffer that was filled.
    fn may_fill(&mut self, room: usize) -> bool {
        if room >= NARROW_BUFFER && self.wide_buffer.is_none() {
            self.wide_buffer = self.connection.acquire_wide_buffer();
        }
        room < NARROW_BUFFER || self.wide_buffer.is_some()
    }

    /// Returns how many of the bytes hyper may read.
    fn note_read(&mut self, bytes: &mut [u8]) -> usize {
        self.metrics.bytes_in().inc_by(bytes.len() as u64);
        if !self.scanner.scan(bytes) {
            self.connection.set_unread(true); // hyper rejects the request and closes; its response must arrive
        }
        if self.scanner.has_left_http() {
            self.connection.set_left_http();
        }
        self.connection.received(self.scanner.is_in_head());
        self.scanner.body_fault_at().unwrap_or(bytes.len())
    }

    /// The error that hyper gets instead of the rest of a body that the scanner has rejected.
    fn body_error(&self) -> Option<io::Error> {
        self.scanner.body_fault_at()?;
        let fault = self.scanner.fault()?;
        Some(io::Error::new(io::ErrorKind::InvalidData, fault))
    }

    /// Whether the last response has ended and nothing is left unread. A socket is then closed without a shutdown,
    /// which would have the same effect; a TLS session must say that it ends. A tunnel stays busy, because its two
    /// directions end one after the other.
    fn is_done(&self) -> bool {
        !self.connection.is_busy() && !self.must_linger() && !self.stream.is_tls()
    }

    /// Whether the client may still send something, so that closing now could cost it the response. After a head that
    /// may switch protocols, a response other than 101 is followed by bytes that nothing has read.
    fn must_linger(&self) -> bool {
        self.connection.is_unread()
            || (self.connection.has_left_http() && !self.connection.is_busy())
    }

    fn count_written(&self, polled: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(bytes)) = polled {
            self.metrics.bytes_out().inc_by(*bytes as u64);
        }
    }

    fn note_write(&self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
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
                    self.metrics.bytes_in().inc_by(buf.filled().len() as u64);
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
        if self.held.is_some() {
            ready!(self.poll_release(cx))?;
        }
        if let Some(error) = self.body_error() {
            return Poll::Ready(Err(error));
        }
        if !self.unparsed.is_empty() {
            let length = self.unparsed.len().min(buf.remaining());
            buf.put_slice(&self.unparsed.split_to(length));
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let polled = if self.may_fill(buf.remaining()) {
            Pin::new(&mut self.stream).poll_read(cx, buf)
        } else {
            pin!((&mut self.stream).take(NARROW_BUFFER as u64 - 1)).poll_read(cx, buf)
        };
        if buf.filled().len() > before {
            let readable = self.note_read(&mut buf.filled_mut()[before..]);
            buf.set_filled(before + readable);
            if readable == 0
                && let Some(error) = self.body_error()
            {
                return Poll::Ready(Err(error)); // no bytes would mean that the client has closed its side
            }
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
        if self.held.is_some() {
            ready!(self.poll_release(cx))?;
        }
        let polled = self.poll_write_piece(cx, buf);
        self.note_write(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.held.is_some() {
            ready!(self.poll_release(cx))?;
        }
        let polled = match bufs.iter().map(|buf| buf.len()).sum::<usize>() {
            0..=COALESCED_BYTES => {
                let mut space = [MaybeUninit::uninit(); COALESCED_BYTES];
                let mut whole = ReadBuf::uninit(&mut space);
                for buf in bufs {
                    whole.put_slice(buf);
                }
                self.poll_write_piece(cx, whole.filled())
            }
            // hyper's own response follows only what is in the same buffer.
            _ if bufs.len() == 1 => self.poll_write_piece(cx, &bufs[0]),
            _ => {
                let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
                self.count_written(&polled);
                polled
            }
        };
        self.note_write(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.held.is_some() && self.connection.is_busy() {
            ready!(self.poll_release(cx))?; // hyper has parsed another head
        }
        if !self.stream.is_tls() {
            return Poll::Ready(Ok(())); // a socket has nothing to flush
        }
        // The session may still hold the end of a response.
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        self.connection.set_write_blocked(polled.is_pending());
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_done() || self.held.is_some() {
            return Poll::Ready(Ok(())); // `connection` writes the last response itself
        }
        if self.linger.is_none() {
            let polled = Pin::new(&mut self.stream).poll_shutdown(cx);
            self.connection.set_write_blocked(polled.is_pending());
            ready!(polled)?;
        }
        if self.must_linger() {
            ready!(self.poll_linger(cx));
        }
        Poll::Ready(Ok(()))
    }
}

/// Where hyper's own response begins, if `bytes` end with it: a status, no body, and none of cupbearer's fields.
fn start_of_own_response(bytes: &[u8]) -> Option<usize> {
    /// With all fields that hyper adds.
    const LONGEST: usize = 160;
    if !bytes.ends_with(b"\r\n\r\n") {
        return None;
    }
    let tail = bytes.len().saturating_sub(LONGEST);
    let start = tail + memchr::memmem::rfind(&bytes[tail..], b"HTTP/1.")?;
    let (status_line, fields) = bytes[start..].split_at_checked("HTTP/1.1 400 ".len())?;
    let is_rejection = [&b" 400 "[..], b" 414 ", b" 431 "]
        .iter()
        .any(|status| status_line.ends_with(status));
    let is_hypers = |line: &[u8]| {
        line.is_empty()
            || line == b"content-length: 0"
            || line == b"connection: close"
            || line.starts_with(b"date: ")
    };
    let mut lines = fields.split(|byte| *byte == b'\n').skip(1);
    let only_hypers = lines.all(|line| is_hypers(line.strip_suffix(b"\r").unwrap_or(line)));
    (is_rejection && only_hypers).then_some(start)
}

#[cfg(test)]
mod tests;
