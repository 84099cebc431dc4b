//! One HTTP/2 connection to the upstream, which many requests share. It has a task of its own, which ends when the
//! connection is closed: when the API ends it, when it has been idle for too long, and when the pool no longer has it
//! and its last request has ended.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::{Instant, Sleep, sleep_until};

use super::connection_tasks::{ConnectionTasks, NewTasks, UploadSwitch};
use super::errors::ConnectError;
use super::io::{Io, SharedIo};
use super::stream_slots::{IdleCheck, MOST_STREAMS, StreamSlot, StreamSlots};
use super::upload_progress::{OutgoingBody, TrackedBody};

/// How much of one response may wait for its client.
const STREAM_WINDOW: u32 = 256 * 1024;

/// The same for all streams of a connection: room for each of them, so that no response waits for another one's client.
const CONNECTION_WINDOW: u32 = MOST_STREAMS * STREAM_WINDOW;

/// How much of one upload may wait for the socket.
const SEND_BUFFER: usize = 64 * 1024;

/// The longest head of a response, as over HTTP/1.1.
const MAX_HEAD_BYTES: u32 = 408 * 1024;

/// After this time without a byte from the API, while it owes a response, it is asked whether it is still there (PING).
/// gRPC's servers end a connection on which they are asked more often than every five minutes.
const PING_INTERVAL: Duration = Duration::from_secs(310);

/// How long the API may take to say so.
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a connection that we close may take for that.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// A connection that requests can be sent over.
pub(super) struct SharedConnection<B: OutgoingBody> {
    sender: SendRequest<TrackedBody<B>>,
    pub(super) slots: Arc<StreamSlots>,
    tasks: NewTasks,
    io: SharedIo,
}

/// hyper's half that hands requests to the connection.
type Http2Dispatcher<B> = http2::Connection<TokioIo<Io>, TrackedBody<B>, NewTasks>;

impl<B: OutgoingBody> SharedConnection<B> {
    /// A connection over a new socket, as soon as the API has sent its SETTINGS. Nothing but our own has been sent to
    /// it by then: no request reaches a server that does not speak HTTP/2.
    ///
    /// The API may end it, or stop reading, at once: then it has no stream for a request.
    pub(super) async fn open(io: Io, max_idle: Duration) -> Result<Arc<Self>, ConnectError> {
        let tasks = ConnectionTasks::new();
        let new = tasks.executor();
        let shared_io = io.shared();
        let (sender, dispatcher) = builder(new.clone())
            .handshake(TokioIo::new(io))
            .await
            .map_err(|source| ConnectError::Http { source })?;
        let slots = StreamSlots::new();
        tokio::spawn(ConnectionDriver {
            dispatcher: Some(Box::pin(dispatcher)),
            tasks,
            slots: Arc::clone(&slots),
            io: shared_io.clone(),
            max_idle,
            timer: Box::pin(sleep_until(Instant::now() + max_idle)),
            is_closing: false,
        });
        let connection = Arc::new(Self {
            sender,
            slots,
            tasks: new,
            io: shared_io,
        });
        if connection.slots.is_decided().await {
            Ok(connection)
        } else {
            Err(ConnectError::NotHttp2)
        }
    }

    /// A stream for one request, if the connection takes one now.
    pub(super) fn reserve(self: &Arc<Self>) -> Option<ReservedStream<B>> {
        if self.io.is_write_blocked() {
            return None;
        }
        let slot = self.slots.reserve()?;
        if !self.sender.is_ready() {
            self.slots.retire();
            return None;
        }
        Some(ReservedStream {
            sender: self.sender.clone(),
            tasks: self.tasks.clone(),
            slot: Arc::new(slot),
            io: self.io.clone(),
        })
    }
}

/// A stream on which no request has been sent.
pub(super) struct ReservedStream<B: OutgoingBody> {
    pub(super) sender: SendRequest<TrackedBody<B>>,
    pub(super) tasks: NewTasks,
    pub(super) slot: Arc<StreamSlot>,
    io: SharedIo,
}

impl<B: OutgoingBody> ReservedStream<B> {
    /// Whether a request begins its stream as soon as it is handed over. The API may have lowered its limit meanwhile,
    /// or have stopped reading.
    pub(super) fn begins_at_once(&self) -> bool {
        self.slot.is_within_limit() && !self.io.is_write_blocked()
    }
}

/// A stream in use. Dropping it ends the upload too, if that has not ended.
pub(super) struct ApiStream {
    pub(super) slot: Arc<StreamSlot>,
    pub(super) upload: Option<Arc<UploadSwitch>>,
    /// The response has ended.
    pub(super) is_complete: bool,
}

impl ApiStream {
    /// The connection of this stream gets no further request: it may be dead.
    pub(super) fn retire_connection(&self) {
        self.slot.retire_connection();
    }
}

impl Drop for ApiStream {
    fn drop(&mut self) {
        if let Some(upload) = &self.upload {
            upload.turn_off();
        }
        if !self.is_complete {
            self.slot.note_cancelled();
        }
    }
}

/// hyper's settings. Without a first limit of its own, hyper reports when the API's has arrived.
fn builder(tasks: NewTasks) -> http2::Builder<NewTasks> {
    let mut builder = http2::Builder::new(tasks);
    builder
        .timer(TokioTimer::new())
        .initial_max_send_streams(0)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_header_list_size(MAX_HEAD_BYTES)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}

/// The task of one connection.
struct ConnectionDriver<B: OutgoingBody> {
    /// `None` once no further request can be sent.
    dispatcher: Option<Pin<Box<Http2Dispatcher<B>>>>,
    tasks: ConnectionTasks,
    slots: Arc<StreamSlots>,
    io: SharedIo,
    /// `upstream.pool_idle`.
    max_idle: Duration,
    timer: Pin<Box<Sleep>>,
    /// The timer ends the connection.
    is_closing: bool,
}

impl<B: OutgoingBody> ConnectionDriver<B> {
    fn poll_dispatcher(&mut self, cx: &mut Context<'_>) {
        let Some(dispatcher) = &mut self.dispatcher else {
            return;
        };
        let has_ended = dispatcher.as_mut().poll(cx).is_ready();
        self.slots.set_limit(dispatcher.current_max_send_streams());
        if has_ended {
            self.stop_requests();
        }
    }

    /// Begins the streams of requests that have been handed over, before anything else is read: see
    /// [`SharedIo::hold_reads`].
    fn begin_streams(&mut self, cx: &mut Context<'_>) {
        if !self.tasks.take_handed_over() {
            return;
        }
        self.io.hold_reads();
        loop {
            // hyper takes one request at a time: the next one once the connection has begun the stream of the last.
            self.poll_dispatcher(cx);
            self.tasks.take_new();
            self.tasks.poll(cx);
            self.poll_dispatcher(cx);
            if !self.tasks.take_new() {
                break;
            }
        }
        self.io.resume_reads();
    }

    /// hyper closes the connection when the last response has ended.
    fn stop_requests(&mut self) {
        self.dispatcher = None;
        self.slots.retire();
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if !self.is_closing && self.dispatcher.is_none() && self.slots.is_unused() {
                self.is_closing = true;
                self.timer.as_mut().reset(Instant::now() + CLOSE_TIMEOUT);
            }
            ready!(self.timer.as_mut().poll(cx));
            if self.is_closing {
                return Poll::Ready(());
            }
            let next = match self.slots.retire_idle(self.max_idle) {
                IdleCheck::Until(next) => next,
                IdleCheck::Retired => {
                    self.stop_requests();
                    Instant::now()
                }
            };
            self.timer.as_mut().reset(next);
        }
    }
}

impl<B: OutgoingBody> Future for ConnectionDriver<B> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        this.begin_streams(cx);
        this.tasks.poll(cx);
        loop {
            this.poll_dispatcher(cx);
            if !this.tasks.take_new() {
                break;
            }
            this.tasks.poll(cx);
        }
        if this.dispatcher.is_none() && this.tasks.is_empty() {
            return Poll::Ready(());
        }
        this.poll_timer(cx)
    }
}

impl<B: OutgoingBody> Drop for ConnectionDriver<B> {
    fn drop(&mut self) {
        self.slots.retire();
    }
}
