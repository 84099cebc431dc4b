//! The socket to the upstream, plain or TLS, as one type without a pointer to follow.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::metrics::Held;

/// One connection's bytes.
///
/// An upstream that refuses an upload answers, hangs up and resets: the write fails while the answer waits
/// to be read. So a hang-up noticed by writing is kept back; reading tells it, after what came before it.
#[derive(Debug)]
pub(super) struct Io {
    stream: Stream,
    hung_up: bool,
    /// Its place among the open connections, given up with it.
    open: Option<Held>,
}

#[derive(Debug)]
enum Stream {
    /// http to loopback, or allowed by `upstream.allow_plaintext`.
    Plain(TcpStream),
    /// https.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Io {
    pub(super) fn plain(stream: TcpStream) -> Self {
        Self {
            stream: Stream::Plain(stream),
            hung_up: false,
            open: None,
        }
    }

    pub(super) fn tls(stream: TlsStream<TcpStream>) -> Self {
        Self {
            stream: Stream::Tls(Box::new(stream)),
            hung_up: false,
            open: None,
        }
    }

    /// The same, counted until it is dropped.
    pub(super) fn counted(mut self, open: Held) -> Self {
        self.open = Some(open);
        self
    }

    /// What a write is said to have done: a peer that has hung up takes everything, to no effect.
    fn written(&mut self, polled: Poll<io::Result<usize>>, all: usize) -> Poll<io::Result<usize>> {
        match polled {
            Poll::Ready(Err(error)) if is_hang_up(&error) => {
                self.hung_up = true;
                Poll::Ready(Ok(all))
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
        each!(self.get_mut(), stream => Pin::new(stream).poll_read(cx, buf))
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
        let polled = each!(this, stream => Pin::new(stream).poll_write_vectored(cx, bufs));
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
