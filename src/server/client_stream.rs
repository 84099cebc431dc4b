//! A client's TCP or unix socket, or its TLS session, as one type. The choice costs a branch rather than an allocation.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio_rustls::server::TlsStream;

use super::tcp_keepalive::enable_keepalive;

/// A client's socket, on the runtime that serves it.
pub(super) enum ClientStream {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
    /// Boxed, since a session is a kilobyte that other connections do not need.
    Tls(Box<TlsStream<TcpStream>>),
}

/// A client's socket on its way to the runtime of another thread.
pub(super) enum DetachedStream {
    Tcp(std::net::TcpStream),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixStream),
}

impl ClientStream {
    /// Turns Nagle's algorithm off, so that small writes are sent at once.
    #[cfg(not(target_os = "linux"))] // on Linux a socket inherits this from its listener
    pub(super) fn set_nodelay(&self) {
        match self {
            Self::Tcp(stream) => drop(stream.set_nodelay(true)),
            Self::Tls(session) => drop(session.get_ref().0.set_nodelay(true)),
            #[cfg(unix)]
            Self::Unix(_) => {} // has no such algorithm
        }
    }

    /// Replaces the timeout that it has inherited from its listener.
    pub(super) fn set_user_timeout(&self, timeout: Duration) {
        match self {
            Self::Tcp(stream) => enable_keepalive(&stream.into(), timeout),
            Self::Tls(session) => enable_keepalive(&session.get_ref().0.into(), timeout),
            #[cfg(unix)]
            Self::Unix(_) => {} // both ends are on this machine, so the system knows
        }
    }

    /// Whether it must say that it closes (RFC 8446 section 6.1).
    pub(super) const fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// Whether the client has chosen HTTP/2 in the TLS handshake (RFC 7301).
    pub(super) fn has_chosen_http2(&self) -> bool {
        match self {
            Self::Tls(session) => session.get_ref().1.alpn_protocol() == Some(b"h2"),
            Self::Tcp(_) => false,
            #[cfg(unix)]
            Self::Unix(_) => false,
        }
    }

    /// Ready when the client has sent something or closed its side, and rarely without either. It must have been read
    /// until nothing was left, because a TLS session may hold what its socket does not.
    pub(super) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        let polled = match self {
            Self::Tcp(stream) => stream.poll_read_ready(cx),
            #[cfg(unix)]
            Self::Unix(stream) => stream.poll_read_ready(cx),
            Self::Tls(session) => session.get_ref().0.poll_read_ready(cx),
        };
        polled.map(drop) // the next read gets the error
    }

    /// Removes it from the current runtime. A TLS session never moves to another one.
    pub(super) fn detach(self) -> io::Result<DetachedStream> {
        match self {
            Self::Tcp(stream) => stream.into_std().map(DetachedStream::Tcp),
            #[cfg(unix)]
            Self::Unix(stream) => stream.into_std().map(DetachedStream::Unix),
            Self::Tls(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

impl DetachedStream {
    /// Adds it to the current runtime.
    pub(super) fn attach(self) -> io::Result<ClientStream> {
        match self {
            Self::Tcp(stream) => TcpStream::from_std(stream).map(ClientStream::Tcp),
            #[cfg(unix)]
            Self::Unix(stream) => UnixStream::from_std(stream).map(ClientStream::Unix),
        }
    }
}

/// Calls the same method on each kind of stream.
macro_rules! each {
    ($stream:expr, $method:ident $(, $argument:expr)*) => {
        match $stream {
            ClientStream::Tcp(stream) => Pin::new(stream).$method($($argument),*),
            #[cfg(unix)]
            ClientStream::Unix(stream) => Pin::new(stream).$method($($argument),*),
            ClientStream::Tls(session) => {
                out_of_line(|| Pin::new(&mut **session).$method($($argument),*))
            }
        }
    };
}

/// Keeps the code of TLS sessions out of that of sockets, which is then small enough to be inlined.
#[inline(never)]
fn out_of_line<T>(call: impl FnOnce() -> T) -> T {
    call()
}

impl AsyncRead for ClientStream {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(self.get_mut(), poll_read, cx, buf)
    }
}

impl AsyncWrite for ClientStream {
    #[inline]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        each!(self.get_mut(), poll_write, cx, buf)
    }

    #[inline]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self.get_mut(), poll_write_vectored, cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream.is_write_vectored(),
            #[cfg(unix)]
            Self::Unix(stream) => stream.is_write_vectored(),
            Self::Tls(session) => session.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self.get_mut(), poll_flush, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self.get_mut(), poll_shutdown, cx)
    }
}
