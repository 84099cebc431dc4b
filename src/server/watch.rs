//! Every connection's state in two words, and the one sweep that enforces its limits.
//!
//! A timer for each request costs about as much as the rest of the bookkeeping together; a look at
//! all connections once in a while costs nothing per request and is late by one interval at most.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::Limits;
use crate::metrics::{Held, Metrics};

/// How many connections at a time may have the largest read buffer. Where the upstream takes nothing, such an upload
/// holds 1.1 MB instead of 0.6 (measured), together 8 MB more, unless `limits.header_bytes` is larger than that buffer.
/// It stays as large as it once was, so this bounds what a crowd of uploads, or of clients that uploaded once, can cost.
const WIDE_CONNECTIONS: usize = 16;

/// What a connection is doing, as far as its limits are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
    /// A head has begun, or is awaited for the first time.
    Head,
    /// A request is being answered.
    Busy,
    /// Kept alive, waiting for the next.
    Idle,
}

/// What a connection has been told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
#[repr(u8)]
pub(super) enum Order {
    /// Go on.
    None,
    /// Finish what is under way, then close.
    Close,
    /// Close now.
    Cut,
}

/// One client connection, as the sweep sees it.
#[derive(Debug)]
pub(super) struct Watched {
    phase: AtomicU8,
    since_ms: AtomicU64,
    /// When a write began to wait for the client, 0 if none does.
    blocked_ms: AtomicU64,
    order: AtomicU8,
    /// The beginning of a head has come, and not its end.
    in_head: AtomicBool,
    /// A request body has not been read to its end: closing must not throw the answer away.
    unread: AtomicBool,
    /// What follows may be another protocol: no head is looked for any more.
    left: AtomicBool,
    waker: Mutex<Option<Waker>>,
    common: Arc<Common>,
}

/// What concerns all connections, each of which is to read it by one load.
#[derive(Debug)]
struct Common {
    start: Instant,
    /// Milliseconds since the start, as of the last sweep.
    now_ms: AtomicU64,
    /// From now on every answer says `Connection: close`.
    closing: AtomicBool,
    wide: Arc<Semaphore>,
}

impl Common {
    fn now(&self) -> u64 {
        self.now_ms.load(Ordering::Relaxed)
    }

    fn advance(&self) -> u64 {
        let now = u64::try_from(self.start.elapsed().as_millis())
            .unwrap_or(u64::MAX)
            .max(1);
        self.now_ms.store(now, Ordering::Relaxed);
        now
    }
}

impl Watched {
    pub(super) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
        self.since_ms.store(self.common.now(), Ordering::Relaxed);
    }

    /// Bytes came: if they begin a new request, its head has its own limit from now; one that begins
    /// while the request before is answered has it from that answer's end.
    pub(super) fn bytes_came(&self, in_head: bool) {
        self.in_head.store(in_head, Ordering::Relaxed);
        if self.is_idle() {
            self.enter(Phase::Head);
        }
    }

    /// An answer has ended.
    pub(super) fn answered(&self) {
        let in_head = self.in_head.load(Ordering::Relaxed);
        self.enter(if in_head { Phase::Head } else { Phase::Idle });
    }

    pub(super) fn is_idle(&self) -> bool {
        self.phase() == Phase::Idle
    }

    pub(super) fn is_busy(&self) -> bool {
        self.phase() == Phase::Busy
    }

    pub(super) fn write_waits(&self, waits: bool) {
        let waited = self.blocked_ms.load(Ordering::Relaxed) != 0;
        if waits != waited {
            self.blocked_ms.store(
                if waits { self.common.now().max(1) } else { 0 },
                Ordering::Relaxed,
            );
        }
    }

    pub(super) fn set_unread(&self, unread: bool) {
        self.unread.store(unread, Ordering::Relaxed);
    }

    pub(super) fn is_unread(&self) -> bool {
        self.unread.load(Ordering::Relaxed)
    }

    pub(super) fn set_left(&self) {
        self.left.store(true, Ordering::Relaxed);
    }

    pub(super) fn has_left(&self) -> bool {
        self.left.load(Ordering::Relaxed)
    }

    /// Leave to read as much at once as the largest buffer holds, for as long as the connection lives.
    pub(super) fn widen(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.common.wide).try_acquire_owned().ok()
    }

    /// Whether every answer is the last of its connection.
    pub(super) fn is_closing(&self) -> bool {
        self.common.closing.load(Ordering::Relaxed)
    }

    pub(super) fn order(&self) -> Order {
        match self.order.load(Ordering::Relaxed) {
            0 => Order::None,
            1 => Order::Close,
            _ => Order::Cut,
        }
    }

    /// The task to wake when an order comes; a task keeps its waker, so once is enough.
    pub(super) fn set_waker(&self, waker: &Waker) {
        *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(waker.clone());
    }

    fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Head,
            1 => Phase::Busy,
            _ => Phase::Idle,
        }
    }

    fn give(&self, order: Order) {
        if self.order() < order {
            self.order.store(order as u8, Ordering::Relaxed);
            if let Some(waker) = &*self.waker.lock().unwrap_or_else(PoisonError::into_inner) {
                waker.wake_by_ref();
            }
        }
    }

    /// The order that the limits demand at `now`.
    fn due(&self, limits: &Limits, now: u64) -> Order {
        let over =
            |since: u64, limit: Duration| u128::from(now.saturating_sub(since)) > limit.as_millis();
        let since = self.since_ms.load(Ordering::Relaxed);
        let blocked = self.blocked_ms.load(Ordering::Relaxed);
        if blocked != 0 && over(blocked, limits.stall_timeout) {
            return Order::Cut;
        }
        match self.phase() {
            Phase::Head if over(since, limits.header_timeout) => Order::Cut,
            // An idle connection closes at once; one that cannot flush its last bytes is cut later.
            Phase::Idle if over(since, limits.keep_alive) => Order::Close,
            Phase::Head | Phase::Busy | Phase::Idle => Order::None,
        }
    }
}

/// All connections of a server, over all its workers.
pub(super) struct Registry {
    /// Replaced by a reload.
    limits: ArcSwap<Limits>,
    pub(super) metrics: Arc<Metrics>,
    common: Arc<Common>,
    open: Mutex<Open>,
    /// A connection has ended.
    pub(super) left: Notify,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    connections: HashMap<u64, Arc<Watched>>,
}

/// A connection's place among the open ones, given up on drop.
pub(super) struct Place {
    number: u64,
    pub(super) watched: Arc<Watched>,
    pub(super) registry: Arc<Registry>,
    _open: Held,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.registry.lock().connections.remove(&self.number);
        self.registry.left.notify_one();
    }
}

impl Registry {
    pub(super) fn new(limits: Limits, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            limits: ArcSwap::from_pointee(limits),
            metrics,
            common: Arc::new(Common {
                start: Instant::now(),
                now_ms: AtomicU64::new(1),
                closing: AtomicBool::new(false),
                wide: Arc::new(Semaphore::new(WIDE_CONNECTIONS)),
            }),
            open: Mutex::default(),
            left: Notify::new(),
        })
    }

    pub(super) fn limits(&self) -> Limits {
        **self.limits.load()
    }

    /// From the next look on, for connections that are open too.
    pub(super) fn set_limits(&self, limits: Limits) {
        self.limits.store(Arc::new(limits));
    }

    pub(super) fn enter(self: &Arc<Self>) -> Place {
        self.common.advance();
        let watched = Arc::new(Watched {
            phase: AtomicU8::new(Phase::Head as u8),
            since_ms: AtomicU64::new(self.common.now()),
            blocked_ms: AtomicU64::new(0),
            order: AtomicU8::new(Order::None as u8),
            in_head: AtomicBool::new(false),
            unread: AtomicBool::new(false),
            left: AtomicBool::new(false),
            waker: Mutex::new(None),
            common: Arc::clone(&self.common),
        });
        let mut open = self.lock();
        let number = open.next;
        open.next += 1;
        open.connections.insert(number, Arc::clone(&watched));
        Place {
            number,
            watched,
            registry: Arc::clone(self),
            _open: self.metrics.client_connections().enter(),
        }
    }

    /// Runs a tunnel on this worker, among the connections: a drain waits for it, a cut ends it.
    pub(super) async fn carry(self: Arc<Self>, tunnel: impl Future<Output = ()>) {
        let place = self.enter();
        place.watched.enter(Phase::Busy);
        let mut tunnel = std::pin::pin!(tunnel);
        std::future::poll_fn(|cx| {
            place.watched.set_waker(cx.waker());
            match place.watched.order() {
                Order::None | Order::Close => tunnel.as_mut().poll(cx),
                Order::Cut => Poll::Ready(()),
            }
        })
        .await;
    }

    pub(super) fn count(&self) -> usize {
        self.lock().connections.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.count() >= self.limits().connections
    }

    /// Closes the connection that has been idle longest, so that a new one finds room. False if none is idle, or
    /// about to close.
    pub(super) fn make_room(&self) -> bool {
        let open = self.lock();
        let longest = open
            .connections
            .values()
            .filter(|watched| watched.phase() == Phase::Idle && watched.order() == Order::None)
            .min_by_key(|watched| watched.since_ms.load(Ordering::Relaxed));
        if let Some(watched) = longest {
            watched.give(Order::Close);
        }
        longest.is_some()
    }

    pub(super) fn give_all(&self, order: Order) {
        for watched in self.lock().connections.values() {
            watched.give(order);
        }
    }

    pub(super) fn start_closing(&self) {
        self.common.closing.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_closing(&self) -> bool {
        self.common.closing.load(Ordering::Relaxed)
    }

    /// Looks at every connection, again and again. Ends only by being dropped.
    ///
    /// A look that comes very late finds the whole process late (it was stopped, or the machine slept): then
    /// what has come meanwhile is read first, and the next look judges.
    pub(super) async fn sweep(&self) {
        let mut excused = false;
        loop {
            let limits = self.limits();
            let interval = interval(&limits);
            let before = Instant::now();
            tokio::time::sleep(interval).await;
            let now = self.common.advance();
            excused = !excused && before.elapsed() > interval * 3;
            if excused {
                continue;
            }
            for watched in self.lock().connections.values() {
                watched.give(watched.due(&limits, now));
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Often enough that the shortest limit is kept to within a quarter of itself.
fn interval(limits: &Limits) -> Duration {
    let shortest = limits
        .header_timeout
        .min(limits.keep_alive)
        .min(limits.stall_timeout);
    (shortest / 4).clamp(Duration::from_millis(20), Duration::from_secs(1))
}
