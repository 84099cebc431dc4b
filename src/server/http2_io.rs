//! The socket of a client connection that speaks HTTP/2. It reports what it reads and writes, as `client_io` does for
//! HTTP/1.1.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::client_stream::ClientStream;
use super::tracked_connection::{ConnectionCommand, TrackedConnection};
use super::written_frames::WrittenFrames;
use crate::metrics::Metrics;

/// How much one connection reads before the others of its worker get a turn. Frames are small, so this may be
/// thousands of them.
const BYTES_PER_TURN: usize = 32 * 1024;

/// Once we have reset this many streams, the connection accepts no further requests. `h2` ends it at once, with all its
/// requests, after `MOST_RESETS` of `http2_connection`.
pub(super) const RESETS: u32 = 1000;

/// The socket of a connection that speaks HTTP/2.
pub(super) struct Http2Io {
    stream: ClientStream,
    /// What has been read already, to find out that it is HTTP/2.
    first: Bytes,
    read_in_turn: usize,
    written: WrittenFrames,
    connection: Arc<TrackedConnection>,
    metrics: Arc<Metrics>,
}

impl Http2Io {
    pub(super) const fn new(
        stream: ClientStream,
        first: Bytes,
        connection: Arc<TrackedConnection>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            stream,
            first,
            read_in_turn: 0,
            written: WrittenFrames::new(),
            connection,
            metrics,
        }
    }

    /// Records what has been written of these bytes.
    fn note_write<'a>(
        &mut self,
        bytes: impl IntoIterator<Item = &'a [u8]>,
        polled: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(length)) = polled {
            self.metrics.bytes_out().inc_by(length as u64);
            let mut left = length;
            for piece in bytes {
                let (written, _) = piece.split_at(left.min(piece.len()));
                self.written.add(written);
                left -= written.len();
            }
            if self.written.resets() >= RESETS {
                self.connection.send_command(ConnectionCommand::Close);
            }
        }
        self.connection.set_write_blocked(polled.is_pending());
        polled
    }
}

impl AsyncRead for Http2Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.first.is_empty() {
            let length = self.first.len().min(buf.remaining());
            buf.put_slice(&self.first[..length]);
            self.first.advance(length);
            return Poll::Ready(Ok(()));
        }
        if self.read_in_turn >= BYTES_PER_TURN {
            self.read_in_turn = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        let length = buf.filled().len() - before;
        self.read_in_turn = if polled.is_pending() {
            0
        } else {
            self.read_in_turn + length
        };
        self.metrics.bytes_in().inc_by(length as u64);
        polled
    }
}

impl AsyncWrite for Http2Io {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.note_write([buf], polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.note_write(bufs.iter().map(|piece| &**piece), polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.stream.is_tls() {
            return Poll::Ready(Ok(())); // a socket has nothing to flush
        }
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        self.connection.set_write_blocked(polled.is_pending());
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        self.connection.set_shut_down();
        self.discard_arrived(cx);
        Poll::Ready(Ok(()))
    }
}

impl Http2Io {
    /// Reads what has arrived already: a socket that is closed with unread bytes is reset, and the client may lose the
    /// last frames.
    fn discard_arrived(&mut self, cx: &mut Context<'_>) {
        const MOST: usize = 256 * 1024;
        let mut space = [0; 4096];
        let mut left = MOST;
        while left > 0 {
            let mut buf = ReadBuf::new(&mut space);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => {
                    self.metrics.bytes_in().inc_by(buf.filled().len() as u64);
                    left = left.saturating_sub(buf.filled().len());
                }
                Poll::Ready(_) | Poll::Pending => return,
            }
        }
    }
}
