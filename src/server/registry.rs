//! All open connections of a server, and the sweep that enforces their limits.
//!
//! A timer for each request would cost about as much as the rest of the bookkeeping together. A periodic look at all
//! connections costs nothing per request, and is late by at most one interval.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::limits::ConnectionLimits;
use super::tracked_connection::{
    ConnectionCommand, ConnectionPhase, ServerState, TrackedConnection,
};
use crate::metrics::{ActiveGuard, Metrics};

/// All connections of a server, on all its workers.
pub(super) struct ConnectionRegistry {
    /// Replaced by a reload.
    limits: ArcSwap<ConnectionLimits>,
    pub(super) metrics: Arc<Metrics>,
    state: Arc<ServerState>,
    open: Mutex<OpenConnections>,
    /// Notified when a connection has ended.
    pub(super) connection_ended: Notify,
}

#[derive(Debug, Default)]
struct OpenConnections {
    next_id: u64,
    by_id: HashMap<u64, Arc<TrackedConnection>>,
}

/// One of the connections that a server may have open, released on drop.
pub(super) struct ConnectionSlot {
    id: u64,
    pub(super) connection: Arc<TrackedConnection>,
    pub(super) registry: Arc<ConnectionRegistry>,
    _counted: ActiveGuard,
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.registry.lock().by_id.remove(&self.id);
        self.registry.connection_ended.notify_one();
    }
}

impl ConnectionRegistry {
    pub(super) fn new(limits: ConnectionLimits, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            limits: ArcSwap::from_pointee(limits),
            metrics,
            state: ServerState::new(),
            open: Mutex::default(),
            connection_ended: Notify::new(),
        })
    }

    pub(super) fn limits(&self) -> ConnectionLimits {
        **self.limits.load()
    }

    /// Changes the limits from the next sweep on, also for connections that are already open.
    pub(super) fn set_limits(&self, limits: ConnectionLimits) {
        self.limits.store(Arc::new(limits));
    }

    pub(super) fn register(self: &Arc<Self>) -> ConnectionSlot {
        self.state.advance_clock();
        let connection = Arc::new(TrackedConnection::new(Arc::clone(&self.state)));
        let mut open = self.lock();
        let id = open.next_id;
        open.next_id += 1;
        open.by_id.insert(id, Arc::clone(&connection));
        ConnectionSlot {
            id,
            connection,
            registry: Arc::clone(self),
            _counted: self.metrics.client_connections().enter(),
        }
    }

    /// Runs a tunnel as one of the connections: a drain waits for it, and [`ConnectionCommand::Cut`] ends it.
    pub(super) async fn run_tunnel(self: Arc<Self>, tunnel: impl Future<Output = ()>) {
        let slot = self.register();
        slot.connection.enter(ConnectionPhase::Busy);
        let mut tunnel = std::pin::pin!(tunnel);
        std::future::poll_fn(|cx| {
            slot.connection.set_waker(cx.waker());
            match slot.connection.command() {
                ConnectionCommand::Continue | ConnectionCommand::Close => tunnel.as_mut().poll(cx),
                ConnectionCommand::Cut => Poll::Ready(()),
            }
        })
        .await;
    }

    pub(super) fn count(&self) -> usize {
        self.lock().by_id.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.count() >= self.limits().connections
    }

    /// Closes the connection that has been idle longest, to make room for a new one. Returns false if no connection is
    /// idle, apart from those that are already closing.
    pub(super) fn close_longest_idle(&self) -> bool {
        let open = self.lock();
        let longest = open
            .by_id
            .values()
            .filter(|connection| {
                connection.is_idle() && connection.command() == ConnectionCommand::Continue
            })
            .min_by_key(|connection| connection.since());
        if let Some(connection) = longest {
            connection.send_command(ConnectionCommand::Close);
        }
        longest.is_some()
    }

    pub(super) fn send_command_to_all(&self, command: ConnectionCommand) {
        for connection in self.lock().by_id.values() {
            connection.send_command(command);
        }
    }

    /// From now on every response closes its connection.
    pub(super) fn start_closing(&self) {
        self.state.start_closing();
    }

    pub(super) fn is_closing(&self) -> bool {
        self.state.is_closing()
    }

    /// Periodically closes the connections that exceed a limit. Never returns.
    ///
    /// A sweep that comes very late means that the whole process was late: it was stopped, or the machine was
    /// suspended. Such a sweep closes nothing, so that connections can first read what has arrived meanwhile.
    pub(super) async fn sweep(&self) {
        let mut was_skipped = false;
        loop {
            let limits = self.limits();
            let interval = sweep_interval(&limits);
            let before = Instant::now();
            tokio::time::sleep(interval).await;
            let now = self.state.advance_clock();
            was_skipped = !was_skipped && before.elapsed() > interval * 3;
            if was_skipped {
                continue;
            }
            for connection in self.lock().by_id.values() {
                connection.send_command(connection.due_command(&limits, now));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, OpenConnections> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Short enough to enforce the shortest limit to within a quarter of itself.
fn sweep_interval(limits: &ConnectionLimits) -> Duration {
    let shortest = limits
        .header_timeout
        .min(limits.keep_alive)
        .min(limits.stall_timeout);
    (shortest / 4).clamp(Duration::from_millis(20), Duration::from_secs(1))
}
