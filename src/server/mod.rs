//! Listeners, connections and their ends: bind, admit, serve, drain. Generic over a service; knows no proxy.
//!
//! One acceptor; each connection lives on one worker, which is a thread with a runtime of its own. The
//! limits of a connection are enforced by one sweep over all of them, not by a timer for each request.

mod bind;
mod chunk_reader;
mod connection;
mod descriptors;
mod drain;
#[doc(hidden)]
pub mod fuzzing;
mod head_scanner;
mod io;
mod peers;
mod shed;
#[cfg(target_os = "linux")]
mod sock_diag;
#[cfg(unix)]
mod socket_file;
mod stream;
mod vanished;
mod watch;

use std::convert::Infallible;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::guard::Peer;
use crate::metrics::Metrics;

pub use bind::{BindError, Bound, bind};
pub use descriptors::room_for_connections;
pub use drain::{Drained, Phase, Stop};
pub use head_scanner::HeadScanner;
pub use io::RequestBody;
pub use shed::Refusal;

use shed::Shed;
use stream::{Detached, Stream};
use watch::{Place, Registry};

/// How long to wait when the system has no descriptor left for a new connection.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// How often a full server looks for an idle connection to close, while another one waits.
const ROOM_INTERVAL: Duration = Duration::from_millis(50);

/// What a server may hold and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at a time.
    pub connections: usize,
    /// Bytes of one request's head.
    pub header_bytes: usize,
    /// From the connection's start, or a request's first byte, to the end of its head.
    pub header_timeout: Duration,
    /// Without a request.
    pub keep_alive: Duration,
    /// Without a byte taken by a client that we have bytes for.
    pub stall_timeout: Duration,
}

/// What can be sent as an answer's body.
pub trait Answer: Body<Data = Bytes, Error: Into<BoxError> + Send> + Send + 'static {}

impl<B: Body<Data = Bytes, Error: Into<BoxError> + Send> + Send + 'static> Answer for B {}

/// Any error of an answer's body, as hyper takes it.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What answers requests: one clone for each connection.
pub trait Serve:
    tower::Service<
        Request<RequestBody>,
        Response = Response<Self::Body>,
        Error = Infallible,
        Future: Send,
    > + Clone
    + Send
    + 'static
{
    /// The body of its answers.
    type Body: Answer;
}

impl<S, B> Serve for S
where
    S: tower::Service<
            Request<RequestBody>,
            Response = Response<B>,
            Error = Infallible,
            Future: Send,
        > + Clone
        + Send
        + 'static,
    B: Answer,
{
    type Body = B;
}

/// A connection on its way from the acceptor to a worker on another thread.
pub struct Handover {
    stream: Detached,
    peer: Peer,
    place: Place,
}

/// Connections that no longer speak HTTP live on here, counted with the others.
#[derive(Clone)]
pub struct Tunnels(Arc<Registry>);

impl Tunnels {
    /// Runs one in the background of the runtime that this is called on: a drain waits for it, its end
    /// cuts it.
    pub fn carry(&self, tunnel: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(Arc::clone(&self.0).carry(tunnel));
    }
}

/// What a server holds its connections to; can be changed while it serves.
#[derive(Clone)]
pub struct Bounds(Arc<Registry>);

impl Bounds {
    /// From here on. The size of a head only counts for connections to come: the others have their buffer.
    pub fn set(&self, limits: Limits) {
        self.0.set_limits(limits);
    }

    /// How many connections it may have open at a time.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.0.limits().connections
    }
}

/// Accepts, and serves here or hands over to the other workers by turns.
pub struct Server {
    bound: Bound,
    registry: Arc<Registry>,
    others: Vec<mpsc::UnboundedSender<Handover>>,
    turn: usize,
    shed: Shed,
}

impl Server {
    /// A server on `bound` with one worker, the runtime that it will serve on.
    #[must_use]
    pub fn new(bound: Bound, limits: Limits, metrics: Arc<Metrics>) -> Self {
        for listener in &bound.listeners {
            listener.ask_after_clients(limits.stall_timeout);
        }
        Self {
            bound,
            registry: Registry::new(limits, metrics),
            others: Vec::new(),
            turn: 0,
            shed: Shed::default(),
        }
    }

    /// What callers are told while all connections are busy. Without it they wait until one is not.
    pub fn refuse_with(&mut self, refusal: Refusal) {
        self.shed = Shed::with(refusal);
    }

    /// Where this server's upgraded connections live on.
    #[must_use]
    pub fn tunnels(&self) -> Tunnels {
        Tunnels(Arc::clone(&self.registry))
    }

    /// What can be changed about it while it serves.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        Bounds(Arc::clone(&self.registry))
    }

    /// A further worker on another thread: connections are handed to all workers by turns.
    pub fn add_worker(&mut self, worker: mpsc::UnboundedSender<Handover>) {
        self.others.push(worker);
    }

    /// Accepts until `stop` says to drain, then lets what is under way end within `grace`, as it is then.
    pub async fn serve<M, S, G>(mut self, make: M, mut stop: Stop, grace: G) -> Drained
    where
        M: Fn(Peer) -> S,
        S: Serve,
        G: FnOnce() -> Duration,
    {
        let registry = Arc::clone(&self.registry);
        let sweeper = tokio::spawn(async move { registry.sweep().await });
        let mut closing = stop.clone();
        let mut draining = stop.clone();
        loop {
            tokio::select! {
                (stream, peer) = self.admit() => self.place(stream, peer, &make),
                () = closing.reached(Phase::Closing), if !self.registry.is_closing() => {
                    self.registry.start_closing();
                }
                () = draining.reached(Phase::Draining) => break,
            }
        }
        self.registry.start_closing();
        #[cfg(unix)]
        drop(self.bound.socket_file.take()); // first, so that nobody connects any more who would not be served
        self.accept_backlog(&make).await;
        self.bound.listeners.clear();
        let drained = drain::drain(&self.registry, grace(), &mut stop).await;
        sweeper.abort();
        drained
    }

    /// The next connection for which there is room.
    async fn admit(&mut self) -> (Stream, Peer) {
        while self.registry.is_full() {
            let is_room_coming = self.registry.make_room();
            // A connection that only now becomes idle tells nobody: it is found at the next look.
            let left = self.registry.left.notified();
            let in_vain = tokio::time::timeout(ROOM_INTERVAL, left).await.is_err();
            if in_vain && !is_room_coming && !self.registry.make_room() {
                self.shed_backlog().await;
            }
        }
        loop {
            let turn = self.turn;
            self.turn = turn.wrapping_add(1);
            match accept_any(&self.bound, turn).await {
                Ok((listener, stream, peer)) => {
                    let peer = self.bound.identify(listener, &stream, peer);
                    return (stream, peer);
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_BACKOFF).await;
                }
            }
        }
    }

    /// All connections are busy, and were for a while: whoever waits is told so.
    async fn shed_backlog(&mut self) {
        while self.shed.has_room() {
            self.turn = self.turn.wrapping_add(1);
            // One look, no wait: meanwhile a connection could become idle.
            let mut accepting = std::pin::pin!(accept_any(&self.bound, self.turn));
            let now = std::future::poll_fn(|cx| Poll::Ready(accepting.as_mut().poll(cx))).await;
            match now {
                Poll::Ready(Ok((_, stream, _))) => self.shed.refuse(stream),
                Poll::Ready(Err(_)) | Poll::Pending => return,
            }
        }
    }

    /// Whoever was connected before the listener closes is still answered.
    async fn accept_backlog<M, S>(&mut self, make: &M)
    where
        M: Fn(Peer) -> S,
        S: Serve,
    {
        let at_once = Duration::ZERO;
        while let Ok((stream, peer)) = tokio::time::timeout(at_once, self.admit()).await {
            self.place(stream, peer, make);
        }
    }

    fn place<M, S>(&mut self, stream: Stream, peer: Peer, make: &M)
    where
        M: Fn(Peer) -> S,
        S: Serve,
    {
        let place = self.registry.enter();
        self.turn = self.turn.wrapping_add(1);
        let worker = self.turn % (self.others.len() + 1);
        if worker == 0 {
            tokio::spawn(connection::serve(stream, place, make(peer)));
        } else if let Ok(stream) = stream.detach() {
            let _ = self.others[worker - 1].send(Handover {
                stream,
                peer,
                place,
            });
        }
    }
}

/// Accepts from whichever listener has a connection, and says which; each is first by turns.
async fn accept_any(bound: &Bound, turn: usize) -> std::io::Result<(usize, Stream, Peer)> {
    let listeners = &bound.listeners;
    std::future::poll_fn(|cx| {
        for offset in 0..listeners.len() {
            let index = (turn + offset) % listeners.len();
            let polled = listeners[index].poll_accept(cx);
            if polled.is_ready() {
                return polled.map_ok(|(stream, peer)| (index, stream, peer));
            }
        }
        Poll::Pending
    })
    .await
}

/// A worker on a thread of its own: serves what is handed over until the acceptor is gone, then ends its last.
pub async fn work<M, S>(mut handed: mpsc::UnboundedReceiver<Handover>, make: M)
where
    M: Fn(Peer) -> S,
    S: Serve,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            next = handed.recv() => match next {
                Some(Handover { stream, peer, place }) => {
                    if let Ok(stream) = stream.attach() {
                        connections.spawn(connection::serve(stream, place, make(peer)));
                    }
                }
                None => break,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    while connections.join_next().await.is_some() {}
}
