//! Removes interim responses (1xx, RFC 9110 section 15.2) from what a server sends, before hyper sees them.
//!
//! hyper skips interim responses in a loop that ends only when the socket has nothing left. A server that never stops
//! sending them would occupy the thread of everyone's requests, and no timer would fire. The filter counts them, and
//! each read takes at most one buffer of them.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use memchr::memchr;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The most interim responses to one request. Servers send one or two.
const MAX_RESPONSES: u32 = 100;

/// The most bytes of interim responses to one request, including empty lines before a status line.
const MAX_BYTES: usize = 256 * 1024;

/// `HTTP/1.1 103`: as much of a head as is needed to know whether it is an interim response.
const DECISIVE_BYTES: usize = 12;

/// A server sent interim responses without a final one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InterimFlood {
    /// There were too many of them.
    #[error("the server sent more than {MAX_RESPONSES} interim responses (1xx) to one request")]
    TooMany,
    /// They were too long.
    #[error("the server sent more than {} KiB of interim responses (1xx) to one request", MAX_BYTES / 1024)]
    TooLong,
}

/// The filter of one connection. Everything passes until [`Self::expect_response`].
///
/// The first 100 of an exchange passes, because hyper's callback reports it to the request body that waits for it.
#[derive(Debug, Default)]
pub struct InterimFilter {
    position: ResponsePosition,
    responses: u32,
    bytes: usize,
    has_passed_continue: bool,
    /// The start of a head that is too short to decide about.
    held: [u8; DECISIVE_BYTES],
    held_length: usize,
}

/// What the next byte belongs to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum ResponsePosition {
    /// A final response, or nothing that was asked for.
    #[default]
    Final,
    /// A status line, or an empty line before it.
    Start,
    /// An interim response.
    Interim { passes: bool, line: InterimLine },
}

/// How much of a line has been read. An empty line ends a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InterimLine {
    Empty,
    CarriageReturn,
    Text,
}

/// What the first bytes of a response are.
enum ResponseStart {
    /// This many bytes of an empty line, which hyper skips as well.
    EmptyLine(usize),
    Incomplete,
    Interim {
        is_continue: bool,
    },
    /// Also whatever is not HTTP.
    Final,
}

impl InterimFilter {
    /// A request is about to be sent: a response head follows.
    pub fn expect_response(&mut self) {
        *self = Self {
            position: ResponsePosition::Start,
            ..Self::default()
        };
    }

    /// Whether no interim response can follow, so that everything passes.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.position == ResponsePosition::Final
    }

    /// Begins a read: puts the bytes into `buf` that the last read could not decide about.
    ///
    /// # Errors
    /// They do not fit, which does not occur with hyper's buffers.
    pub fn begin_read(&self, buf: &mut ReadBuf<'_>) -> io::Result<()> {
        if self.held_length >= buf.remaining().max(1) {
            return Err(io::Error::other(
                "the buffer for a response head is too small",
            ));
        }
        if self.held_length > 0 {
            buf.put_slice(self.held());
        }
        Ok(())
    }

    /// Ends a read that returned `polled`, and that began when `buf` was filled up to `before`. If nothing passes, the
    /// task is woken and polled again instead of reading on, so that others get their turn and timers are checked.
    pub fn end_read(
        &mut self,
        cx: &Context<'_>,
        buf: &mut ReadBuf<'_>,
        before: usize,
        polled: Poll<io::Result<()>>,
    ) -> Poll<io::Result<()>> {
        match polled {
            Poll::Ready(Ok(())) if buf.filled().len() > before + self.held_length => {
                if self.position == ResponsePosition::Start && is_final(&buf.filled()[before..]) {
                    self.position = ResponsePosition::Final;
                    self.held_length = 0;
                    return polled;
                }
                let passed = match self.filter(&mut buf.filled_mut()[before..]) {
                    Ok(passed) => passed,
                    Err(flood) => return Poll::Ready(Err(io::Error::other(flood))),
                };
                buf.set_filled(before + passed);
                if passed == 0 {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
            // The end of the stream: nothing follows what was held.
            Poll::Ready(Ok(())) => *self = Self::default(),
            Poll::Ready(Err(_)) | Poll::Pending => buf.set_filled(before),
        }
        polled
    }

    pub(super) fn held(&self) -> &[u8] {
        &self.held[..self.held_length]
    }

    /// Moves the bytes that pass to the front of `bytes`, and returns how many they are. `bytes` begin with those that
    /// were held.
    pub(super) fn filter(&mut self, bytes: &mut [u8]) -> Result<usize, InterimFlood> {
        self.held_length = 0;
        let (mut read, mut passed) = (0, 0);
        while read < bytes.len() {
            match self.position {
                ResponsePosition::Final => {
                    if read > passed {
                        bytes.copy_within(read.., passed);
                    }
                    return Ok(passed + bytes.len() - read);
                }
                ResponsePosition::Start => match response_start(&bytes[read..]) {
                    ResponseStart::EmptyLine(length) => {
                        self.count_bytes(length)?;
                        read += length;
                    }
                    ResponseStart::Incomplete => {
                        let rest = &bytes[read..];
                        self.held[..rest.len()].copy_from_slice(rest);
                        self.held_length = rest.len();
                        return Ok(passed);
                    }
                    ResponseStart::Interim { is_continue } => self.begin_interim(is_continue)?,
                    ResponseStart::Final => self.position = ResponsePosition::Final,
                },
                ResponsePosition::Interim { passes, line } => {
                    let (length, next) = rest_of_interim(&bytes[read..], line);
                    self.count_bytes(length)?;
                    if passes {
                        bytes.copy_within(read..read + length, passed);
                        passed += length;
                    }
                    read += length;
                    self.position = next.map_or(ResponsePosition::Start, |line| {
                        ResponsePosition::Interim { passes, line }
                    });
                }
            }
        }
        Ok(passed)
    }

    fn begin_interim(&mut self, is_continue: bool) -> Result<(), InterimFlood> {
        self.responses += 1;
        if self.responses > MAX_RESPONSES {
            return Err(InterimFlood::TooMany);
        }
        let passes = is_continue && !std::mem::replace(&mut self.has_passed_continue, is_continue);
        self.position = ResponsePosition::Interim {
            passes,
            line: InterimLine::Text,
        };
        Ok(())
    }

    fn count_bytes(&mut self, count: usize) -> Result<(), InterimFlood> {
        self.bytes += count;
        if self.bytes > MAX_BYTES {
            return Err(InterimFlood::TooLong);
        }
        Ok(())
    }
}

/// Whether `bytes` begin a final response, as nearly every response does. False if that is in doubt.
fn is_final(bytes: &[u8]) -> bool {
    matches!(bytes, [b'H', _, _, _, _, _, _, _, _, class, _, _, ..] if *class != b'1')
}

/// `bytes` must not be empty.
fn response_start(bytes: &[u8]) -> ResponseStart {
    match bytes {
        [
            b'H',
            b'T',
            b'T',
            b'P',
            b'/',
            b'1',
            b'.',
            _,
            b' ',
            b'1',
            tens,
            units,
            ..,
        ] => {
            match (tens, units) {
                (b'0', b'1') => ResponseStart::Final, // 101 ends the exchange
                (b'0', b'0') => ResponseStart::Interim { is_continue: true },
                (b'0'..=b'9', b'0'..=b'9') => ResponseStart::Interim { is_continue: false },
                _ => ResponseStart::Final,
            }
        }
        [b'\n', ..] => ResponseStart::EmptyLine(1),
        [b'\r', b'\n', ..] => ResponseStart::EmptyLine(2),
        [b'\r'] => ResponseStart::Incomplete,
        _ if bytes.len() < DECISIVE_BYTES && is_http_so_far(bytes) => ResponseStart::Incomplete,
        _ => ResponseStart::Final,
    }
}

fn is_http_so_far(bytes: &[u8]) -> bool {
    bytes
        .iter()
        .zip(b"HTTP/1.")
        .all(|(have, want)| have == want)
}

/// How many of `bytes` belong to an interim response whose current line has been read this far, and how far its last
/// line has been read then: `None` at the end of the head.
fn rest_of_interim(bytes: &[u8], mut line: InterimLine) -> (usize, Option<InterimLine>) {
    let mut read = 0;
    while let Some(&byte) = bytes.get(read) {
        line = match (line, byte) {
            (InterimLine::Empty | InterimLine::CarriageReturn, b'\n') => return (read + 1, None),
            (InterimLine::Empty, b'\r') => InterimLine::CarriageReturn,
            _ => match memchr(b'\n', &bytes[read..]) {
                Some(end) => {
                    read += end;
                    InterimLine::Empty
                }
                None => return (bytes.len(), Some(InterimLine::Text)),
            },
        };
        read += 1;
    }
    (read, Some(line))
}

/// A connection for one request, without the interim responses to it.
#[derive(Debug)]
pub struct WithoutInterim<S> {
    stream: S,
    filter: InterimFilter,
}

impl<S> WithoutInterim<S> {
    /// `stream` is about to send its only request.
    pub fn new(stream: S) -> Self {
        let mut filter = InterimFilter::default();
        filter.expect_response();
        Self { stream, filter }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WithoutInterim<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        self.filter.begin_read(buf)?;
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.filter.end_read(cx, buf, before, polled)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WithoutInterim<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
