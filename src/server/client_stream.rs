//! A client's TCP or unix socket as one type. The choice costs a branch rather than an allocation.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use super::tcp_keepalive::enable_keepalive;

/// A client's socket, on the runtime that serves it.
pub(super) enum ClientStream {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
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
            #[cfg(unix)]
            Self::Unix(_) => {} // has no such algorithm
        }
    }

    /// Replaces the timeout that it has inherited from its listener.
    pub(super) fn set_user_timeout(&self, timeout: Duration) {
        match self {
            Self::Tcp(stream) => enable_keepalive(&stream.into(), timeout),
            #[cfg(unix)]
            Self::Unix(_) => {} // both ends are on this machine, so the system knows
        }
    }

    /// Removes it from the current runtime.
    pub(super) fn detach(self) -> io::Result<DetachedStream> {
        match self {
            Self::Tcp(stream) => stream.into_std().map(DetachedStream::Tcp),
            #[cfg(unix)]
            Self::Unix(stream) => stream.into_std().map(DetachedStream::Unix),
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

/// Calls the same method on either kind of socket.
macro_rules! either {
    ($stream:expr, $method:ident $(, $argument:expr)*) => {
        match $stream {
            ClientStream::Tcp(stream) => Pin::new(stream).$method($($argument),*),
            #[cfg(unix)]
            ClientStream::Unix(stream) => Pin::new(stream).$method($($argument),*),
        }
    };
}

impl AsyncRead for ClientStream {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        either!(self.get_mut(), poll_read, cx, buf)
    }
}

impl AsyncWrite for ClientStream {
    #[inline]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        either!(self.get_mut(), poll_write, cx, buf)
    }

    #[inline]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self.get_mut(), poll_write_vectored, cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream.is_write_vectored(),
            #[cfg(unix)]
            Self::Unix(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), poll_flush, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), poll_shutdown, cx)
    }
}
