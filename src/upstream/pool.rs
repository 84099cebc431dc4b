//! The pool of idle connections.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::connection::Connection;
use super::field_limit::LearntFieldLimit;
use super::idle_timeout_estimate::IdleTimeoutEstimate;
use super::upload_progress::OutgoingBody;
use crate::metrics::Metrics;

/// How often the same defect of the API's responses is logged.
const NOTE_INTERVAL: Duration = Duration::from_hours(1);

/// How often idle connections are checked. Closed ones are dropped, and those older than `upstream.pool_idle`.
const REAP_INTERVAL: Duration = Duration::from_secs(1);

/// The idle connections to the upstream.
pub(super) struct IdlePool<B: OutgoingBody> {
    /// `upstream.pool_idle`.
    pub(super) max_idle: Duration,
    pub(super) idle_timeout: IdleTimeoutEstimate,
    pub(super) field_limit: LearntFieldLimit,
    /// The youngest is last. Connections are taken from the end, so that those that are not needed grow old and close.
    connections: Mutex<Vec<IdleConnection<B>>>,
    /// Wakes the reaper when the pool is no longer empty, and when it is dropped.
    reaper: Arc<Notify>,
    metrics: Arc<Metrics>,
    /// Of [`IdlePool::note_removed_length`].
    length_noted: HourlyNote,
}

/// Says when it is time for a line that must not be repeated all the time.
#[derive(Default)]
struct HourlyNote(Mutex<Option<Instant>>);

impl HourlyNote {
    /// Whether the line has not been written for an hour. If so, it counts as written now.
    fn is_due(&self) -> bool {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = noted.is_none_or(|at| at.elapsed() >= NOTE_INTERVAL);
        if is_due {
            *noted = Some(Instant::now());
        }
        is_due
    }
}

struct IdleConnection<B: OutgoingBody> {
    connection: Connection<B>,
    since: Instant,
}

impl<B: OutgoingBody> IdlePool<B> {
    /// An empty pool, whose connections are closed after `max_idle` (`upstream.pool_idle`).
    pub(super) fn new(max_idle: Duration, metrics: Arc<Metrics>) -> Self {
        Self {
            max_idle,
            idle_timeout: IdleTimeoutEstimate::unknown(),
            field_limit: LearntFieldLimit::default(),
            connections: Mutex::new(Vec::new()),
            reaper: Arc::new(Notify::new()),
            metrics,
            length_noted: HourlyNote::default(),
        }
    }

    /// Logs that a response had a length beside `chunked`, which costs a connection each time: once per interval.
    #[cold]
    pub(super) fn note_removed_length(&self) {
        if self.length_noted.is_due() {
            tracing::warn!(
                proxy = self.metrics.proxy(),
                "the API sends Content-Length beside Transfer-Encoding: chunked: the length is ignored, and its \
                 connection is closed after each such response"
            );
        }
    }

    /// Accepts more fields from now on: closes the idle connections, whose limit is lower.
    pub(super) fn raise_field_limit(&self) {
        self.field_limit.raise();
        self.clear();
    }

    /// Takes the youngest idle connection, and returns how long it has been idle.
    ///
    /// If it was closed meanwhile, that is noticed when it is given the request: hyper reads before it accepts a
    /// request, and gives the request back if the connection has ended. A request that is not `repeatable` gets no
    /// connection that the upstream may be about to close.
    pub(super) fn take(&self, now: Instant, repeatable: bool) -> Option<(Connection<B>, Duration)> {
        let mut idle = self
            .connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        while let Some(IdleConnection { connection, since }) = idle.pop() {
            let age = now.duration_since(since);
            if age >= self.max_idle {
                idle.clear(); // all the others are older
                return None;
            }
            if !repeatable && !self.idle_timeout.expects_open(age) {
                idle.push(IdleConnection { connection, since }); // all the others are older
                return None;
            }
            if connection.driver.is_open() && connection.sender.is_ready() {
                return Some((connection, age));
            }
            self.idle_timeout.observe_closed(age);
        }
        None
    }

    fn put(&self, connection: Connection<B>) {
        if connection.field_limit != self.field_limit.current() {
            return; // opened before the upstream needed a higher limit
        }
        let mut idle = self
            .connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        idle.push(IdleConnection {
            connection,
            since: Instant::now(),
        });
        if idle.len() == 1 {
            self.reaper.notify_one();
        }
    }

    /// Closes every idle connection.
    pub(super) fn clear(&self) {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// Drops the connections that are closed or too old, and returns whether any is left.
    fn reap(&self) -> bool {
        let mut idle = self
            .connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        idle.retain_mut(|IdleConnection { connection, since }| {
            connection.driver.drive(&mut connection.waker.begin_poll());
            let is_open = connection.driver.is_open();
            let age = since.elapsed();
            if is_open {
                self.idle_timeout.observe_open(age);
            } else {
                // It was open when it was last checked.
                let last_open = age.saturating_sub(REAP_INTERVAL);
                self.idle_timeout.observe_closed(last_open);
            }
            is_open && age < self.max_idle
        });
        !idle.is_empty()
    }
}

/// Starts the task that closes idle connections in time. It ends when the pool is dropped.
pub(super) fn start_reaper<B: OutgoingBody>(pool: &Arc<IdlePool<B>>) -> JoinHandle<()> {
    let tasks = pool.metrics.stopped_tasks().clone();
    let reaping = reap_idle(Arc::downgrade(pool));
    tokio::spawn(tasks.watch_for_panic("idle upstream connections", reaping))
}

async fn reap_idle<B: OutgoingBody>(pool: Weak<IdlePool<B>>) {
    while let Some(pool) = pool.upgrade() {
        let interval = REAP_INTERVAL.min(pool.max_idle / 2);
        let notify = Arc::clone(&pool.reaper);
        let any_left = pool.reap();
        drop(pool);
        if any_left {
            tokio::time::sleep(interval).await;
        } else {
            notify.notified().await;
        }
    }
}

impl<B: OutgoingBody> Drop for IdlePool<B> {
    fn drop(&mut self) {
        self.reaper.notify_one();
    }
}

/// A connection in use, together with the pool that it goes back to. Dropping it closes the connection.
pub(super) struct PooledConnection<B: OutgoingBody> {
    pub(super) connection: Connection<B>,
    /// `None` if the connection must not be used again.
    pool: Option<Arc<IdlePool<B>>>,
}

impl<B: OutgoingBody> PooledConnection<B> {
    pub(super) fn new(connection: Connection<B>, pool: Option<Arc<IdlePool<B>>>) -> Self {
        Self { connection, pool }
    }

    /// Returns the connection to the pool, unless it has ended.
    pub(super) fn release(self) {
        if let Some(pool) = self.pool
            && self.connection.driver.is_open()
        {
            pool.put(self.connection);
        }
    }
}

#[cfg(test)]
mod tests;
