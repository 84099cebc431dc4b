//! The socket to the upstream, plain or TLS, as one type without dynamic dispatch.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use atomic_waker::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::waker::WakerState;
use crate::metrics::ActiveGuard;
use crate::net::{InterimFilter, USER_TIMEOUT, set_user_timeout};

/// Only an upload sends this many bytes without receiving one. Fewer fit into the buffers of a peer that does not read.
const UPLOAD_BYTES: usize = 64 << 10;

/// rustls's default limit for plaintext that waits to be sent, and usually the largest frame.
const TLS_BUFFER_BYTES: usize = 64 << 10;

/// The limit while longer frames are sent: the largest frame that the server reads, so that it is written in one call.
const LARGE_TLS_BUFFER_BYTES: usize = 256 << 10;

/// The byte stream of one connection.
///
/// An upstream that rejects an upload responds, closes the connection and resets it: the next write fails while the
/// response still waits to be read. A write therefore does not report that the peer has closed the connection. The
/// read that follows the response does.
///
/// During an upload over HTTP/1.1, an upstream may stop reading for as long as our own limits allow, so the system's
/// user timeout is raised to match them.
#[derive(Debug)]
pub(super) struct Io {
    stream: PlainOrTls,
    /// A write has found that the peer closed the connection.
    peer_closed: bool,
    /// Counts this connection among the open ones until it is dropped.
    open: Option<ActiveGuard>,
    /// Bytes written since the last byte was read.
    unanswered: usize,
    /// How long an upload may stay unacknowledged: the longer of the limits of an exchange.
    upload_user_timeout: Duration,
    waker_state: Arc<WakerState>,
    /// The waker of that state.
    waker: Waker,
    /// The last read found nothing, and the waker is registered for the next byte.
    drained: bool,
    /// The TLS buffer has its larger limit.
    has_large_buffer: bool,
    interim: InterimFilter,
    /// `None` unless the connection is for many requests.
    shared: Option<SharedIo>,
}

/// What the task of a connection for many requests does with its socket, so that no head waits with its token.
#[derive(Debug, Clone, Default)]
pub(super) struct SharedIo(Arc<SharedIoState>);

#[derive(Debug, Default)]
struct SharedIoState {
    is_read_held: AtomicBool,
    reader: AtomicWaker,
    is_write_blocked: AtomicBool,
}

impl SharedIo {
    /// Keeps the connection from reading while its task writes the heads of new requests. What it would read could be
    /// a lower limit of streams, under which `h2` keeps a head back until another stream ends.
    pub(super) fn hold_reads(&self) {
        self.0.is_read_held.store(true, Ordering::Relaxed);
    }

    /// Lets the connection read what it could not.
    pub(super) fn resume_reads(&self) {
        self.0.is_read_held.store(false, Ordering::Relaxed);
        self.0.reader.wake();
    }

    /// Whether what has been written before waits for the API to read: a head would wait behind it.
    pub(super) fn is_write_blocked(&self) -> bool {
        self.0.is_write_blocked.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
enum PlainOrTls {
    /// http to loopback, or allowed by `upstream.allow_plaintext`.
    Plain(TcpStream),
    /// https.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Io {
    pub(super) fn plain(stream: TcpStream, upload_user_timeout: Duration) -> Self {
        Self::over(PlainOrTls::Plain(stream), upload_user_timeout)
    }

    pub(super) fn tls(stream: TlsStream<TcpStream>, upload_user_timeout: Duration) -> Self {
        Self::over(PlainOrTls::Tls(Box::new(stream)), upload_user_timeout)
    }

    fn over(stream: PlainOrTls, upload_user_timeout: Duration) -> Self {
        let waker_state = WakerState::new();
        Self {
            stream,
            peer_closed: false,
            unanswered: 0,
            upload_user_timeout,
            open: None,
            waker: Waker::from(Arc::clone(&waker_state)),
            waker_state,
            drained: false,
            has_large_buffer: false,
            interim: InterimFilter::default(),
            shared: None,
        }
    }

    /// The state of the waker that this connection is to be polled with.
    pub(super) fn waker_state(&self) -> Arc<WakerState> {
        Arc::clone(&self.waker_state)
    }

    /// Whether a read would find nothing. hyper reads several times for each request, and asking the runtime would
    /// cost more than this check.
    fn would_block(&self, cx: &Context<'_>) -> bool {
        self.drained && !self.waker_state.is_readable() && self.is_own_waker(cx)
    }

    fn is_own_waker(&self, cx: &Context<'_>) -> bool {
        self.waker.will_wake(cx.waker())
    }

    /// Whether the upstream chose HTTP/2 in the TLS handshake. `None` without TLS.
    pub(super) fn chose_http2(&self) -> Option<bool> {
        match &self.stream {
            PlainOrTls::Plain(_) => None,
            PlainOrTls::Tls(stream) => Some(stream.get_ref().1.alpn_protocol() == Some(b"h2")),
        }
    }

    /// The same connection, counted as open until it is dropped.
    pub(super) fn counted(mut self, open: ActiveGuard) -> Self {
        self.open = Some(open);
        self
    }

    /// The same connection for many requests at a time. A dead path must not go unnoticed for longer because one of
    /// them uploads, and an API that keeps an upload waiting does that by the window of its stream.
    pub(super) fn for_many_requests(self) -> Self {
        Self {
            upload_user_timeout: USER_TIMEOUT,
            shared: Some(SharedIo::default()),
            ..self
        }
    }

    /// What this connection shares with its task, if it is for many requests.
    pub(super) fn shared(&self) -> SharedIo {
        self.shared.clone().unwrap_or_default()
    }

    fn note_write(&self, is_blocked: bool) {
        if let Some(SharedIo(shared)) = &self.shared {
            shared.is_write_blocked.store(is_blocked, Ordering::Relaxed);
        }
    }

    /// Whether there is something to read that must wait.
    fn is_held(&self, cx: &mut Context<'_>) -> bool {
        let Some(SharedIo(shared)) = &self.shared else {
            return false;
        };
        let is_held = shared.is_read_held.load(Ordering::Relaxed)
            && self.socket().poll_read_ready(cx).is_ready();
        if is_held {
            shared.reader.register(cx.waker());
        }
        is_held
    }

    fn socket(&self) -> &TcpStream {
        match &self.stream {
            PlainOrTls::Plain(stream) => stream,
            PlainOrTls::Tls(stream) => stream.get_ref().0,
        }
    }

    /// Sets the TLS buffer's limit so that a frame of this length is written in one call, while short frames are not
    /// hoarded.
    fn fit_buffer(&mut self, frame: usize) {
        let large = frame > TLS_BUFFER_BYTES;
        if large != self.has_large_buffer
            && let PlainOrTls::Tls(stream) = &mut self.stream
        {
            self.has_large_buffer = large;
            let limit = if large {
                LARGE_TLS_BUFFER_BYTES
            } else {
                TLS_BUFFER_BYTES
            };
            stream.get_mut().1.set_buffer_limit(Some(limit));
        }
    }

    /// The first write of a request: interim responses may follow from here on. What arrives earlier belongs to no
    /// request, and hyper closes the connection when it sees it.
    fn begin_write(&mut self) {
        if self.waker_state.take_expects_response() {
            self.interim.expect_response();
        }
    }

    fn record_sent(&mut self, count: usize) {
        let before = self.unanswered;
        self.unanswered = before.saturating_add(count);
        if before < UPLOAD_BYTES && self.unanswered >= UPLOAD_BYTES {
            set_user_timeout(self.socket(), self.upload_user_timeout);
        }
    }

    fn record_received(&mut self) {
        if self.unanswered >= UPLOAD_BYTES {
            set_user_timeout(self.socket(), USER_TIMEOUT);
        }
        self.unanswered = 0;
    }

    /// The result of a write as the caller sees it: if the peer has closed the connection, all bytes are discarded.
    fn write_result(
        &mut self,
        polled: Poll<io::Result<usize>>,
        all: usize,
    ) -> Poll<io::Result<usize>> {
        self.note_write(polled.is_pending());
        match polled {
            Poll::Ready(Err(error)) if is_closed_by_peer(&error) => {
                self.peer_closed = true;
                Poll::Ready(Ok(all))
            }
            Poll::Ready(Ok(count)) => {
                self.record_sent(count);
                Poll::Ready(Ok(count))
            }
            other => other,
        }
    }
}

fn is_closed_by_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
    )
}

/// Makes the same call on either kind of stream.
macro_rules! dispatch {
    ($io:expr, $stream:ident => $call:expr) => {
        match &mut $io.stream {
            PlainOrTls::Plain($stream) => $call,
            PlainOrTls::Tls($stream) => $call,
        }
    };
}

impl AsyncRead for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.would_block(cx) || this.is_held(cx) {
            return Poll::Pending;
        }
        if this.interim.is_done() {
            return this.poll_read_stream(cx, buf);
        }
        let before = buf.filled().len();
        this.interim.begin_read(buf)?;
        let polled = this.poll_read_stream(cx, buf);
        this.interim.end_read(cx, buf, before, polled)
    }
}

impl Io {
    fn poll_read_stream(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.waker_state.clear_readable();
        let before = buf.filled().len();
        let polled = dispatch!(self, stream => Pin::new(stream).poll_read(cx, buf));
        if buf.filled().len() > before {
            self.record_received();
        }
        self.drained = polled.is_pending() && self.is_own_waker(cx);
        polled
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.begin_write();
        if this.peer_closed {
            return Poll::Ready(Ok(buf.len()));
        }
        this.fit_buffer(buf.len());
        let polled = dispatch!(this, stream => Pin::new(stream).poll_write(cx, buf));
        this.write_result(polled, buf.len())
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.begin_write();
        let all = || bufs.iter().map(|buf| buf.len()).sum();
        if this.peer_closed {
            return Poll::Ready(Ok(all()));
        }
        this.fit_buffer(bufs.iter().map(|buf| buf.len()).max().unwrap_or(0));
        let polled = match bufs {
            // Most requests are one buffer; a vectored call costs the system more.
            [one] => dispatch!(this, stream => Pin::new(stream).poll_write(cx, one)),
            several => dispatch!(this, stream => Pin::new(stream).poll_write_vectored(cx, several)),
        };
        this.write_result(polled, all())
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            PlainOrTls::Plain(stream) => stream.is_write_vectored(),
            PlainOrTls::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.peer_closed {
            return Poll::Ready(Ok(()));
        }
        let polled = dispatch!(this, stream => Pin::new(stream).poll_flush(cx));
        this.note_write(polled.is_pending());
        match polled {
            Poll::Ready(Err(error)) if is_closed_by_peer(&error) => {
                this.peer_closed = true;
                Poll::Ready(Ok(()))
            }
            other => other,
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        dispatch!(self.get_mut(), stream => Pin::new(stream).poll_shutdown(cx))
    }
}

#[cfg(test)]
mod tests;
