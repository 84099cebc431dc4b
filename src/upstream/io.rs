//! The socket to the upstream, plain or TLS, as one type without a pointer to follow.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::relay::Bell;
use crate::metrics::ActiveGuard;
use crate::net::{USER_TIMEOUT, set_user_timeout};

/// So much goes out without a byte in return only in an upload; what is less fits into the buffers of a peer
/// that reads nothing.
const UPLOAD: usize = 64 << 10;

/// What rustls takes at once by default, and what a frame is at most unless the client's connection has leave to
/// read more.
const NARROW: usize = 64 << 10;

/// What it takes of a longer frame: the largest that the server reads, so that it goes out by one call.
const WIDE: usize = 256 << 10;

/// One connection's bytes.
///
/// An upstream that refuses an upload answers, hangs up and resets: the write fails while the answer waits
/// to be read. So a hang-up noticed by writing is kept back; reading tells it, after what came before it.
///
/// An upstream may stop reading an upload for as long as our own limits allow, so that the system's has to wait.
#[derive(Debug)]
pub(super) struct Io {
    stream: Stream,
    hung_up: bool,
    /// Its place among the open connections, given up with it.
    open: Option<ActiveGuard>,
    /// Bytes written since the last were read.
    unanswered: usize,
    /// How long an upload may stay unacknowledged: the longer of the limits of an exchange.
    upload_user_timeout: Duration,
    bell: Arc<Bell>,
    /// What rings it.
    waker: Waker,
    /// The last read found nothing, and the bell will ring when something comes.
    dry: bool,
    /// TLS takes longer frames at once.
    wide: bool,
}

#[derive(Debug)]
enum Stream {
    /// http to loopback, or allowed by `upstream.allow_plaintext`.
    Plain(TcpStream),
    /// https.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Io {
    pub(super) fn plain(stream: TcpStream, upload_user_timeout: Duration) -> Self {
        Self::over(Stream::Plain(stream), upload_user_timeout)
    }

    pub(super) fn tls(stream: TlsStream<TcpStream>, upload_user_timeout: Duration) -> Self {
        Self::over(Stream::Tls(Box::new(stream)), upload_user_timeout)
    }

    fn over(stream: Stream, upload_user_timeout: Duration) -> Self {
        let bell = Bell::new();
        Self {
            stream,
            hung_up: false,
            unanswered: 0,
            upload_user_timeout,
            open: None,
            waker: Waker::from(Arc::clone(&bell)),
            bell,
            dry: false,
            wide: false,
        }
    }

    /// To be rung by the waker that it is driven with.
    pub(super) fn bell(&self) -> Arc<Bell> {
        Arc::clone(&self.bell)
    }

    /// Whether a read would find nothing again. hyper asks several times for each request, and to ask the runtime
    /// costs more.
    fn is_dry(&self, cx: &Context<'_>) -> bool {
        self.dry && !self.bell.has_rung() && self.is_ours(cx)
    }

    fn is_ours(&self, cx: &Context<'_>) -> bool {
        self.waker.will_wake(cx.waker())
    }

    /// The same, counted until it is dropped.
    pub(super) fn counted(mut self, open: ActiveGuard) -> Self {
        self.open = Some(open);
        self
    }

    fn socket(&self) -> &TcpStream {
        match &self.stream {
            Stream::Plain(stream) => stream,
            Stream::Tls(stream) => stream.get_ref().0,
        }
    }

    /// So that a frame of so many bytes goes out at once, and so that many short ones are not hoarded.
    fn fit(&mut self, frame: usize) {
        let wide = frame > NARROW;
        if wide != self.wide
            && let Stream::Tls(stream) = &mut self.stream
        {
            self.wide = wide;
            let limit = if wide { WIDE } else { NARROW };
            stream.get_mut().1.set_buffer_limit(Some(limit));
        }
    }

    fn sent(&mut self, count: usize) {
        let before = self.unanswered;
        self.unanswered = before.saturating_add(count);
        if before < UPLOAD && self.unanswered >= UPLOAD {
            set_user_timeout(self.socket(), self.upload_user_timeout);
        }
    }

    fn answered(&mut self) {
        if self.unanswered >= UPLOAD {
            set_user_timeout(self.socket(), USER_TIMEOUT);
        }
        self.unanswered = 0;
    }

    /// What a write is said to have done: a peer that has hung up takes everything, to no effect.
    fn written(&mut self, polled: Poll<io::Result<usize>>, all: usize) -> Poll<io::Result<usize>> {
        match polled {
            Poll::Ready(Err(error)) if is_hang_up(&error) => {
                self.hung_up = true;
                Poll::Ready(Ok(all))
            }
            Poll::Ready(Ok(count)) => {
                self.sent(count);
                Poll::Ready(Ok(count))
            }
            other => other,
        }
    }
}

fn is_hang_up(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
    )
}

/// The same call on whichever stream it is.
macro_rules! each {
    ($io:expr, $stream:ident => $call:expr) => {
        match &mut $io.stream {
            Stream::Plain($stream) => $call,
            Stream::Tls($stream) => $call,
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
        if this.is_dry(cx) {
            return Poll::Pending;
        }
        this.bell.quiet();
        let before = buf.filled().len();
        let polled = each!(this, stream => Pin::new(stream).poll_read(cx, buf));
        if buf.filled().len() > before {
            this.answered();
        }
        this.dry = polled.is_pending() && this.is_ours(cx);
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
        if this.hung_up {
            return Poll::Ready(Ok(buf.len()));
        }
        this.fit(buf.len());
        let polled = each!(this, stream => Pin::new(stream).poll_write(cx, buf));
        this.written(polled, buf.len())
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let all = || bufs.iter().map(|buf| buf.len()).sum();
        if this.hung_up {
            return Poll::Ready(Ok(all()));
        }
        this.fit(bufs.iter().map(|buf| buf.len()).max().unwrap_or(0));
        let polled = match bufs {
            // What most requests are; the call for several costs the system more.
            [one] => each!(this, stream => Pin::new(stream).poll_write(cx, one)),
            several => each!(this, stream => Pin::new(stream).poll_write_vectored(cx, several)),
        };
        this.written(polled, all())
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.hung_up {
            return Poll::Ready(Ok(()));
        }
        match each!(this, stream => Pin::new(stream).poll_flush(cx)) {
            Poll::Ready(Err(error)) if is_hang_up(&error) => {
                this.hung_up = true;
                Poll::Ready(Ok(()))
            }
            other => other,
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self.get_mut(), stream => Pin::new(stream).poll_shutdown(cx))
    }
}

#[cfg(test)]
mod tests;
