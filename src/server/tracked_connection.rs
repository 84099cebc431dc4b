//! The state of one client connection, as far as its limits are concerned.
//!
//! The connection's own task writes it and the sweep in `registry` reads it, both without a lock: `Relaxed` suffices,
//! because each field is read on its own.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::limits::ConnectionLimits;

/// How many connections may have the largest read buffer at the same time. While the upstream accepts nothing, such
/// an upload holds 1.1 MB instead of 0.6 MB (measured), together 8 MB more, unless `limits.header_bytes` is larger
/// than that buffer. A buffer never shrinks, so this bounds the cost of many uploads at once, and of many clients that
/// have uploaded once.
const WIDE_CONNECTIONS: usize = 16;

/// How long a connection is idle before it gives hyper's buffers back. Without this delay, they would be allocated anew
/// for each request of a client that sends one after the other.
const REST_AFTER: Duration = Duration::from_millis(500);

/// How long a response may take that began before the client's certificate ended.
const CERTIFICATE_GRACE: Duration = Duration::from_secs(30);

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum ConnectionPhase {
    /// Receiving a request head, or waiting for the first one.
    Head,
    /// Responding to a request.
    Busy,
    /// Kept alive, waiting for the next request.
    Idle,
}

/// The pending command for a connection. A later variant overrides an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
#[repr(u8)]
pub(super) enum ConnectionCommand {
    /// Keep going.
    Continue,
    /// Give hyper's buffers back until the client sends something.
    Rest,
    /// Close unless a request has arrived, to make room for a new connection.
    GiveWay,
    /// Finish the current request, then close.
    Close,
    /// The time for the head is over: close unless it has arrived.
    EndHead,
    /// Close at once.
    Cut,
}

/// One client connection, shared by its task and the sweep.
#[derive(Debug)]
pub(super) struct TrackedConnection {
    phase: AtomicU8,
    /// When the phase began.
    since_ms: AtomicU64,
    /// When a write began to wait for the client; 0 if none waits.
    blocked_ms: AtomicU64,
    command: AtomicU8,
    /// The beginning of a head has arrived, but not its end.
    in_head: AtomicBool,
    /// A request body has not been read to its end: closing the socket now could reset the connection before the
    /// client has read the response.
    unread: AtomicBool,
    /// What follows may be another protocol: no further head is expected.
    left_http: AtomicBool,
    /// Its socket has been shut down.
    shut_down: AtomicBool,
    /// A response has been held back because it looks like hyper's own.
    held_response: AtomicBool,
    /// When the client's certificate ends, in seconds since 1970; the largest number if it has none.
    ends_s: AtomicU64,
    waker: Mutex<Option<Waker>>,
    server: Arc<ServerState>,
}

/// State shared by all connections of a server. A connection reads each part with one load.
#[derive(Debug)]
pub(super) struct ServerState {
    start: Instant,
    /// Milliseconds from `start` to the last sweep.
    now_ms: AtomicU64,
    /// Every response says `Connection: close`.
    closing: AtomicBool,
    wide_connections: Arc<Semaphore>,
}

impl ServerState {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            start: Instant::now(),
            now_ms: AtomicU64::new(1),
            closing: AtomicBool::new(false),
            wide_connections: Arc::new(Semaphore::new(WIDE_CONNECTIONS)),
        })
    }

    fn now(&self) -> u64 {
        self.now_ms.load(Ordering::Relaxed)
    }

    /// Updates the clock that connections read, and returns it.
    pub(super) fn advance_clock(&self) -> u64 {
        let now = u64::try_from(self.start.elapsed().as_millis())
            .unwrap_or(u64::MAX)
            .max(1);
        self.now_ms.store(now, Ordering::Relaxed);
        now
    }

    /// From now on every response closes its connection.
    pub(super) fn start_closing(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }
}

impl TrackedConnection {
    pub(super) fn new(server: Arc<ServerState>) -> Self {
        Self {
            phase: AtomicU8::new(ConnectionPhase::Head as u8),
            since_ms: AtomicU64::new(server.now()),
            blocked_ms: AtomicU64::new(0),
            command: AtomicU8::new(ConnectionCommand::Continue as u8),
            in_head: AtomicBool::new(false),
            unread: AtomicBool::new(false),
            left_http: AtomicBool::new(false),
            shut_down: AtomicBool::new(false),
            held_response: AtomicBool::new(false),
            ends_s: AtomicU64::new(u64::MAX),
            waker: Mutex::new(None),
            server,
        }
    }

    /// From now on it speaks HTTP/2: nothing that was read as HTTP/1.1 counts.
    pub(super) fn begin_http2(&self) {
        self.in_head.store(false, Ordering::Relaxed);
        self.left_http.store(false, Ordering::Relaxed);
        self.set_unread(false);
        self.set_held_response(false);
    }

    /// Now, in milliseconds of the server's clock.
    pub(super) fn now(&self) -> u64 {
        self.server.now()
    }

    pub(super) fn enter(&self, phase: ConnectionPhase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
        self.since_ms.store(self.server.now(), Ordering::Relaxed);
    }

    /// Records that bytes have arrived. If they begin a new request on an idle connection, the time limit for its head
    /// starts now. If the previous request is still being answered, that limit starts when its response ends.
    pub(super) fn received(&self, in_head: bool) {
        self.in_head.store(in_head, Ordering::Relaxed);
        if self.is_idle() {
            self.enter(ConnectionPhase::Head);
        }
    }

    /// Records that a response has ended.
    pub(super) fn response_ended(&self) {
        self.enter(if self.is_in_head() {
            ConnectionPhase::Head
        } else {
            ConnectionPhase::Idle
        });
    }

    /// Whether the last response ended at most `time` ago.
    pub(super) fn has_answered_within(&self, time: Duration) -> bool {
        let idle = self.now().saturating_sub(self.since());
        self.is_idle() && u128::from(idle) <= time.as_millis()
    }

    fn is_idle(&self) -> bool {
        self.phase() == ConnectionPhase::Idle
    }

    /// Whether the connection has no request and no response, so that it may close for a new one: it is idle, or no
    /// complete head has arrived. `unread_gives_way` is that of the limits.
    pub(super) fn gives_way(&self, unread_gives_way: Option<Duration>) -> bool {
        let blocked = self.blocked_ms.load(Ordering::Relaxed);
        let waited = self.server.now().saturating_sub(blocked);
        let is_read = blocked == 0
            || unread_gives_way.is_some_and(|limit| u128::from(waited) > limit.as_millis());
        !self.is_busy() && is_read
    }

    /// Whether hyper holds nothing for this connection: no request, no response, and no part of either.
    pub(super) fn may_rest(&self) -> bool {
        self.is_idle()
            && !self.is_write_blocked()
            && !self.is_unread()
            && !self.has_left_http()
            && !self.has_held_response()
    }

    /// Whether the connection has waited for a head for less than `grace`.
    pub(super) fn is_new(&self, grace: Duration, now: u64) -> bool {
        let waited = now.saturating_sub(self.since());
        self.phase() == ConnectionPhase::Head && u128::from(waited) < grace.as_millis()
    }

    pub(super) fn is_in_phase(&self, phase: ConnectionPhase) -> bool {
        self.phase() == phase
    }

    /// Whether the beginning of a head has arrived but not its end, and every earlier response has been written: the
    /// next bytes on the wire may be a response to that head.
    pub(super) fn can_end_head(&self) -> bool {
        self.is_in_head() && self.phase() == ConnectionPhase::Head && !self.is_write_blocked()
    }

    /// Whether the beginning of a head has arrived but not its end.
    pub(super) fn is_in_head(&self) -> bool {
        self.in_head.load(Ordering::Relaxed)
    }

    pub(super) fn is_busy(&self) -> bool {
        self.phase() == ConnectionPhase::Busy
    }

    /// When the phase began, in milliseconds of the server's clock.
    pub(super) fn since(&self) -> u64 {
        self.since_ms.load(Ordering::Relaxed)
    }

    /// Records whether a write waits for the client.
    pub(super) fn set_write_blocked(&self, is_blocked: bool) {
        let was_blocked = self.blocked_ms.load(Ordering::Relaxed) != 0;
        if is_blocked != was_blocked {
            self.blocked_ms.store(
                if is_blocked {
                    self.server.now().max(1)
                } else {
                    0
                },
                Ordering::Relaxed,
            );
        }
    }

    /// Whether a write waits for the client.
    pub(super) fn is_write_blocked(&self) -> bool {
        self.blocked_ms.load(Ordering::Relaxed) != 0
    }

    pub(super) fn set_unread(&self, unread: bool) {
        self.unread.store(unread, Ordering::Relaxed);
    }

    pub(super) fn is_unread(&self) -> bool {
        self.unread.load(Ordering::Relaxed)
    }

    pub(super) fn set_left_http(&self) {
        self.left_http.store(true, Ordering::Relaxed);
    }

    pub(super) fn has_left_http(&self) -> bool {
        self.left_http.load(Ordering::Relaxed)
    }

    pub(super) fn set_shut_down(&self) {
        self.shut_down.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_shut_down(&self) -> bool {
        self.shut_down.load(Ordering::Relaxed)
    }

    pub(super) fn set_held_response(&self, is_held: bool) {
        self.held_response.store(is_held, Ordering::Relaxed);
    }

    pub(super) fn has_held_response(&self) -> bool {
        self.held_response.load(Ordering::Relaxed)
    }

    /// Permission to fill the largest read buffer, for the rest of the connection's life.
    pub(super) fn acquire_wide_buffer(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.server.wide_connections)
            .try_acquire_owned()
            .ok()
    }

    /// Whether every response closes its connection.
    pub(super) fn is_closing(&self) -> bool {
        self.server.is_closing()
    }

    pub(super) fn command(&self) -> ConnectionCommand {
        match self.command.load(Ordering::Relaxed) {
            0 => ConnectionCommand::Continue,
            1 => ConnectionCommand::Rest,
            2 => ConnectionCommand::GiveWay,
            3 => ConnectionCommand::Close,
            4 => ConnectionCommand::EndHead,
            _ => ConnectionCommand::Cut,
        }
    }

    /// Replaces a command that no longer applies, unless a stronger one has arrived.
    pub(super) fn withdraw(&self, command: ConnectionCommand, before: ConnectionCommand) {
        let (from, to) = (command as u8, before as u8);
        let order = Ordering::Relaxed;
        let _ = self.command.compare_exchange(from, to, order, order);
    }

    /// Sets the task to wake when a command arrives. Once is enough, because a task keeps its waker.
    pub(super) fn set_waker(&self, waker: &Waker) {
        *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(waker.clone());
    }

    /// Gives the connection a command, unless it already has the same or a stronger one.
    pub(super) fn send_command(&self, command: ConnectionCommand) {
        if self.command() < command {
            self.command.store(command as u8, Ordering::Relaxed);
            if let Some(waker) = &*self.waker.lock().unwrap_or_else(PoisonError::into_inner) {
                waker.wake_by_ref();
            }
        }
    }

    /// Sets when the connection must end, because the client's certificate does.
    pub(super) fn set_end(&self, end: SystemTime) {
        let since = end.duration_since(UNIX_EPOCH).unwrap_or_default();
        self.ends_s.store(since.as_secs(), Ordering::Relaxed);
    }

    /// The command that the end of the client's certificate requires at `now`: no further request, and soon after
    /// that no further byte.
    pub(super) fn command_at_end(&self, now: SystemTime) -> ConnectionCommand {
        let ends = self.ends_s.load(Ordering::Relaxed);
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        match now.checked_sub(ends) {
            None => ConnectionCommand::Continue,
            Some(over) if over < CERTIFICATE_GRACE.as_secs() => ConnectionCommand::Close,
            Some(_) => ConnectionCommand::Cut,
        }
    }

    /// The command that the limits require at `now`.
    pub(super) fn due_command(&self, limits: &ConnectionLimits, now: u64) -> ConnectionCommand {
        let exceeds =
            |since: u64, limit: Duration| u128::from(now.saturating_sub(since)) > limit.as_millis();
        let since = self.since();
        let blocked = self.blocked_ms.load(Ordering::Relaxed);
        if blocked != 0 && exceeds(blocked, limits.stall_timeout) {
            return ConnectionCommand::Cut;
        }
        match self.phase() {
            ConnectionPhase::Head if exceeds(since, limits.header_timeout) => {
                ConnectionCommand::EndHead
            }
            // An idle connection closes at once; one that cannot flush its last bytes is cut later.
            ConnectionPhase::Idle if exceeds(since, limits.keep_alive) => ConnectionCommand::Close,
            ConnectionPhase::Idle if exceeds(since, REST_AFTER) && self.may_rest() => {
                ConnectionCommand::Rest
            }
            ConnectionPhase::Head | ConnectionPhase::Busy | ConnectionPhase::Idle => {
                ConnectionCommand::Continue
            }
        }
    }

    fn phase(&self) -> ConnectionPhase {
        match self.phase.load(Ordering::Relaxed) {
            0 => ConnectionPhase::Head,
            1 => ConnectionPhase::Busy,
            _ => ConnectionPhase::Idle,
        }
    }
}
