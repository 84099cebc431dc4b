//! One client connection that speaks HTTP/2: hyper serves it, and the server's commands close it, as in `connection`.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::server::conn::http2;
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, Sleep, sleep_until};

use super::client_stream::ClientStream;
use super::http2_io::{Http2Io, RESETS};
use super::limits::ConnectionLimits;
use super::open_streams::OpenStreams;
use super::registry::ConnectionSlot;
use super::service::HttpService;
use super::stream_service::StreamService;
use super::stream_tasks::{NewStreams, StreamTasks};
use super::tracked_connection::{ConnectionCommand, ConnectionPhase, TrackedConnection};
use crate::guard::Peer;

/// What a client sends first if it speaks HTTP/2 (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The least of the preface by which hyper tells that it is not HTTP/1.1.
const SHORTEST_PREFACE: usize = b"PRI * HTTP/2".len();

/// How much of one request body may wait to be forwarded. More would be faster for a client that is far away, but each
/// connection may hold [`CONNECTION_WINDOW`] for an API that accepts nothing.
const STREAM_WINDOW: u32 = 256 * 1024;

/// The same for all streams of a connection. It is much larger than that of one stream, so that an upload that is not
/// being forwarded does not hold up the others.
const CONNECTION_WINDOW: u32 = 8 * STREAM_WINDOW;

/// How much of one response may wait for the socket.
const SEND_BUFFER: usize = 64 * 1024;

/// How many requests a client may cancel before we have seen them (CVE-2023-44487).
const UNSEEN_RESETS: usize = 20;

/// How many streams `h2` may reset on its own account before it ends the connection. Each takes memory until the client
/// reads that it was reset (RUSTSEC-2024-0003). It counts them over the life of the connection, including uploads that
/// were reset only because the client had not read yet that they were rejected; hence the connection closes gracefully
/// long before, after [`RESETS`].
const MOST_RESETS: usize = 4 * RESETS as usize;

/// How long a client may take to confirm that it has seen the announced end of the connection, if a response has just
/// ended, of which it may still read the last bytes.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(2);

/// The same if there was no response, or the connection has been idle for longer than that.
const IDLE_GOODBYE_TIMEOUT: Duration = Duration::from_millis(250);

/// Whether what a client has sent first may be the preface of HTTP/2. hyper gives up before all of it has arrived.
pub(super) fn may_be_preface(first: &[u8]) -> bool {
    first.starts_with(PREFACE) || (first.len() >= SHORTEST_PREFACE && PREFACE.starts_with(first))
}

/// hyper's side of a connection.
type Http2Connection<S> = http2::Connection<TokioIo<Http2Io>, StreamService<S>, NewStreams>;

/// Serves one connection until it ends. `first` has been read from it already.
pub(super) async fn serve_http2<S: HttpService>(
    stream: ClientStream,
    first: Bytes,
    slot: &ConnectionSlot,
    peer: Peer,
    service: S,
) {
    let limits = slot.registry.limits();
    let tracked = &slot.connection;
    tracked.begin_http2();
    let metrics = Arc::clone(&slot.registry.metrics);
    let io = TokioIo::new(Http2Io::new(stream, first, Arc::clone(tracked), metrics));
    let streams = StreamTasks::new(limits.stall_timeout);
    let service = StreamService::new(
        service,
        peer,
        Arc::clone(&slot.registry),
        OpenStreams::new(Arc::clone(tracked)),
        streams.executor(),
        limits.header_bytes,
    );
    let connection = builder(streams.executor(), &limits).serve_connection(io, service);
    let managed = ManagedHttp2 {
        connection,
        streams,
        slot,
        is_started: false,
        is_closing: false,
        refused_tunnels: 0,
        look: None,
        goodbye: None,
    };
    if let Err(error) = managed.await {
        tracing::debug!(%error, "connection closed with an error"); // a client that disconnects is normal
    }
}

/// What hyper reads of a head. It rejects a longer one without our knowledge, so that no response could say why and
/// nothing would be logged; hence this leaves room for most heads that are too long.
fn longest_head(header_bytes: usize) -> u32 {
    u32::try_from(header_bytes.saturating_mul(2)).unwrap_or(u32::MAX)
}

/// hyper's settings, which bound what one connection may cost.
pub(super) fn builder(
    streams: NewStreams,
    limits: &ConnectionLimits,
) -> http2::Builder<NewStreams> {
    let mut builder = http2::Builder::new(streams);
    builder
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(longest_head(limits.header_bytes))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_pending_accept_reset_streams(UNSEEN_RESETS)
        .max_local_error_reset_streams(MOST_RESETS);
    builder
}

/// A connection that obeys its [`ConnectionCommand`].
struct ManagedHttp2<'a, S: HttpService> {
    connection: Http2Connection<S>,
    streams: StreamTasks,
    slot: &'a ConnectionSlot,
    is_started: bool,
    /// The client has been asked to send no further request.
    is_closing: bool,
    /// How many CONNECT requests with content there were.
    refused_tunnels: usize,
    /// Ends when the runtime has looked for bytes that have arrived.
    look: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// Ends when a connection that closes no longer waits for its client.
    goodbye: Option<Pin<Box<Sleep>>>,
}

impl<S: HttpService> Future for ManagedHttp2<'_, S> {
    type Output = hyper::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let tracked = &self.slot.connection;
        if !self.is_started {
            tracked.set_waker(cx.waker());
            self.streams.set_waker(cx.waker());
            self.is_started = true;
        }
        match self.slot.connection.command() {
            // The buffers of HTTP/2 belong to the connection as long as it lives.
            ConnectionCommand::Continue | ConnectionCommand::Rest => self.poll_all(cx),
            ConnectionCommand::GiveWay => self.give_way(cx),
            ConnectionCommand::Close => self.close(cx),
            ConnectionCommand::EndHead => self.end_head(cx),
            ConnectionCommand::Cut => Poll::Ready(Ok(())),
        }
    }
}

impl<S: HttpService> ManagedHttp2<'_, S> {
    /// Reads, lets each stream proceed, and writes.
    fn poll_all(&mut self, cx: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        self.streams.poll(cx);
        loop {
            if let Poll::Ready(ended) = Pin::new(&mut self.connection).poll(cx) {
                if ended.is_err() || !self.goes_on() {
                    return Poll::Ready(ended);
                }
                continue;
            }
            if !self.streams.take_new() {
                return Poll::Pending;
            }
            if self.slot.connection.is_closing() {
                self.start_closing();
            }
            self.streams.poll(cx);
        }
    }

    /// Whether hyper has stopped although the connection has not ended. It does so when it resets the stream of a
    /// CONNECT with content, and goes on with the others when it is polled again.
    fn goes_on(&mut self) -> bool {
        if self.tracked().is_shut_down() {
            return false;
        }
        self.refused_tunnels += 1;
        self.refused_tunnels <= MOST_RESETS
    }

    fn tracked(&self) -> &TrackedConnection {
        &self.slot.connection
    }

    /// Asks the client to send no further request. hyper waits until it has seen that, and serves what was under way.
    fn start_closing(&mut self) {
        if !std::mem::replace(&mut self.is_closing, true) {
            Pin::new(&mut self.connection).graceful_shutdown();
        }
    }

    /// Tells the client that the connection ends, and ends it.
    fn end_now(&mut self, cx: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        self.start_closing();
        let _ = self.poll_all(cx);
        Poll::Ready(Ok(()))
    }

    /// Lets the runtime look for bytes that have arrived.
    fn poll_look(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let look = self
            .look
            .get_or_insert_with(|| Box::pin(tokio::task::yield_now()));
        ready!(look.as_mut().poll(cx));
        self.look = None;
        Poll::Ready(())
    }

    fn give_way(&mut self, cx: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        ready!(self.poll_look(cx));
        // A request may have arrived meanwhile: read it first.
        if let Poll::Ready(ended) = self.poll_all(cx) {
            return Poll::Ready(ended);
        }
        let limits = self.slot.registry.limits();
        if self.tracked().gives_way(limits.unread_gives_way) {
            return self.end_now(cx);
        }
        self.tracked()
            .withdraw(ConnectionCommand::GiveWay, ConnectionCommand::Continue);
        self.slot.registry.connection_ended.notify_one();
        Poll::Pending
    }

    fn close(&mut self, cx: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        self.start_closing();
        if let Poll::Ready(ended) = self.poll_all(cx) {
            return Poll::Ready(ended);
        }
        if self.tracked().is_busy() || self.tracked().is_write_blocked() {
            self.goodbye = None;
            return Poll::Pending;
        }
        let timeout = if self.tracked().has_answered_within(GOODBYE_TIMEOUT) {
            GOODBYE_TIMEOUT
        } else {
            IDLE_GOODBYE_TIMEOUT
        };
        let goodbye = self
            .goodbye
            .get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + timeout)));
        goodbye.as_mut().poll(cx).map(Ok)
    }

    fn end_head(&mut self, cx: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        // A request may have arrived meanwhile: read it first.
        if let Poll::Ready(ended) = self.poll_all(cx) {
            return Poll::Ready(ended);
        }
        if self.tracked().is_in_phase(ConnectionPhase::Head) {
            return self.end_now(cx);
        }
        let before = if self.is_closing {
            cx.waker().wake_by_ref();
            ConnectionCommand::Close
        } else {
            ConnectionCommand::Continue
        };
        self.tracked().withdraw(ConnectionCommand::EndHead, before);
        Poll::Pending
    }
}

#[cfg(test)]
mod tests;
