//! All open connections of a server, and the sweep that enforces their limits.
//!
//! A timer for each request would cost about as much as the rest of the bookkeeping together. A periodic look at all
//! connections costs nothing per request, and is late by at most one interval.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Poll;
use std::time::{Duration, SystemTime};

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::limits::ConnectionLimits;
use super::server_tls::ServerTls;
use super::tracked_connection::{
    ConnectionCommand, ConnectionPhase, ServerState, TrackedConnection,
};
use super::unserved::UnservedResponses;
use crate::metrics::{ActiveGuard, Metrics};

/// How many of the longest idle connections are found in one search. A search looks at every connection.
const CANDIDATES: usize = 64;

/// Whether a full server will have room for a new connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RoomOutlook {
    /// A connection has been asked to give way.
    Asked,
    /// The only connections without a request are new.
    Spared,
    /// No connection gives way, apart from those that are already closing.
    AllBusy,
}

/// All connections of a server, on all its workers.
pub(super) struct ConnectionRegistry {
    /// Replaced by a reload.
    limits: ArcSwap<ConnectionLimits>,
    pub(super) metrics: Arc<Metrics>,
    state: Arc<ServerState>,
    open: Mutex<OpenConnections>,
    responses: OnceLock<Arc<dyn UnservedResponses>>,
    /// The TLS of new connections over TCP, replaced by a reload; `None` for plain HTTP.
    tls: ArcSwapOption<ServerTls>,
    /// Notified when a connection has ended, or does not give way.
    pub(super) connection_ended: Notify,
}

#[derive(Debug, Default)]
struct OpenConnections {
    next_id: u64,
    by_id: HashMap<u64, Arc<TrackedConnection>>,
    /// The next connections to give way, the longest idle first: since when, and the id.
    candidates: VecDeque<(u64, u64)>,
}

impl OpenConnections {
    /// Finds the connections that have been idle longest.
    fn find_candidates(&mut self, limits: &ConnectionLimits) {
        let mut idle: Vec<_> = self
            .by_id
            .iter()
            .filter(|(_, connection)| is_candidate(connection, limits))
            .map(|(id, connection)| (connection.since(), *id))
            .collect();
        if idle.len() > CANDIDATES {
            idle.select_nth_unstable(CANDIDATES);
            idle.truncate(CANDIDATES);
        }
        idle.sort_unstable();
        self.candidates = idle.into();
    }
}

fn is_candidate(connection: &TrackedConnection, limits: &ConnectionLimits) -> bool {
    connection.gives_way(limits.unread_gives_way) && connection.command() <= ConnectionCommand::Rest
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
            responses: OnceLock::new(),
            tls: ArcSwapOption::empty(),
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

    /// Who responds to requests that no service gets to see. Only the first call has an effect.
    pub(super) fn set_responses(&self, responses: Arc<dyn UnservedResponses>) {
        let _ = self.responses.set(responses);
    }

    pub(super) fn responses(&self) -> Option<&dyn UnservedResponses> {
        self.responses.get().map(AsRef::as_ref)
    }

    /// The TLS of new connections over TCP.
    pub(super) fn tls(&self) -> Option<Arc<ServerTls>> {
        self.tls.load_full()
    }

    pub(super) fn set_tls(&self, tls: Option<Arc<ServerTls>>) {
        self.tls.store(tls);
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
                ConnectionCommand::Cut => Poll::Ready(()),
                ConnectionCommand::Continue
                | ConnectionCommand::Rest
                | ConnectionCommand::GiveWay
                | ConnectionCommand::Close
                | ConnectionCommand::EndHead => tunnel.as_mut().poll(cx),
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

    /// Asks the connection that has been idle longest to give way to a new one. One that has not sent a complete head
    /// counts as idle, but is left alone at first if `spares_new`.
    pub(super) fn make_room(&self, spares_new: bool) -> RoomOutlook {
        let limits = self.limits();
        let now = self.state.advance_clock();
        let mut is_spared = false;
        let mut open = self.lock();
        for search in [false, true] {
            if search {
                open.find_candidates(&limits);
            }
            while let Some((since, id)) = open.candidates.pop_front() {
                if let Some(connection) = open.by_id.get(&id)
                    && connection.since() == since
                    && is_candidate(connection, &limits)
                {
                    if spares_new && connection.is_new(limits.head_grace, now) {
                        is_spared = true;
                        continue;
                    }
                    connection.send_command(ConnectionCommand::GiveWay);
                    return RoomOutlook::Asked;
                }
            }
        }
        if is_spared {
            RoomOutlook::Spared
        } else {
            RoomOutlook::AllBusy
        }
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

    /// Starts the task that enforces the limits. It runs until it is aborted.
    pub(super) fn start_sweeper(self: &Arc<Self>) -> JoinHandle<()> {
        let registry = Arc::clone(self);
        let tasks = self.metrics.stopped_tasks().clone();
        tokio::spawn(tasks.watch(
            "limits of connections",
            async move { registry.sweep().await },
        ))
    }

    /// Periodically closes the connections that exceed a limit. Never returns.
    ///
    /// A sweep that comes very late means that the whole process was late: it was stopped, or the machine was
    /// suspended. Such a sweep closes nothing, so that connections can first read what has arrived meanwhile.
    async fn sweep(&self) {
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
            let wall = SystemTime::now();
            for connection in self.lock().by_id.values() {
                connection.send_command(connection.due_command(&limits, now));
                connection.send_command(connection.command_at_end(wall));
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

#[cfg(test)]
mod tests;
