//! Listeners and client connections: bind, accept, serve, drain. It is generic over a service and does not depend on
//! the proxy.
//!
//! One task accepts. Each connection lives on one worker, which is a thread with its own runtime. One sweep over all
//! connections enforces their limits (`registry`), instead of a timer for each request.
//!
//! What closes a connection: `keep_alive`, `header_timeout` and `stall_timeout` (`tracked_connection`), a client that
//! is gone (`tcp_keepalive`), a full server that needs room (`registry`), and a stop (`drain`). What no service gets to
//! see is answered by [`UnservedResponses`]: a head that cannot be read (`head_fault`), plain HTTP on a listener that
//! speaks TLS (`handshake`), a peer that is not admitted and
//! a client that finds the server full (`rejections`).

mod accept;
mod bind;
mod chunk_reader;
mod client_io;
mod client_stream;
mod connection;
mod descriptors;
mod drain;
#[doc(hidden)]
pub mod fuzzing;
mod handshake;
mod handshake_fault;
mod head_fault;
mod head_scanner;
mod http2_connection;
mod http2_crossing;
mod http2_io;
mod http2_rejection;
mod hyper_side;
mod last_response;
mod limits;
mod open_streams;
mod passed_sockets;
mod peer_user;
#[cfg(target_os = "linux")]
mod proc_net;
mod registry;
mod rejections;
mod request_body;
mod server_tls;
mod service;
#[cfg(target_os = "linux")]
mod sock_diag;
#[cfg(unix)]
mod socket_file;
mod stream_service;
mod stream_tasks;
#[cfg(target_os = "linux")]
mod table_lookup;
mod tcp_keepalive;
mod tracked_connection;
mod tracked_service;
mod unserved;
mod written_frames;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::guard::Peer;
use crate::metrics::Metrics;

pub use bind::{BindError, BoundListeners, bind, bind_or_take};
pub use descriptors::{connections_per_proxy, has_too_few_files, is_out_of_files};
pub use drain::{DrainPhase, Drained, StopSignal};
pub use handshake_fault::HandshakeFault;
pub use head_fault::HeadFault;
pub use head_scanner::HeadScanner;
pub use limits::ConnectionLimits;
pub use passed_sockets::{PassedSocket, PassedSocketError, PassedSockets, PassedTcpSocket};
pub use peer_user::accepting_user;
pub use request_body::RequestBody;
pub use server_tls::ServerTls;
pub use service::{HttpService, SendableBody};
pub use unserved::{UnservedCause, UnservedRequest, UnservedResponses};

use accept::Acceptor;
use client_stream::{ClientStream, DetachedStream};
use registry::{ConnectionRegistry, ConnectionSlot, RoomOutlook};
use rejections::{NOT_ADMITTED_PLACES, OVERLOAD_PLACES, RejectedConnection, RejectionPlaces};

/// How often a full server looks for an idle connection to close while another connection waits, and how long all
/// connections must have been busy before it rejects new ones.
const FULL_RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// How often a full server looks whether its new connections have sent a request.
const SPARED_RETRY_INTERVAL: Duration = Duration::from_millis(10);

/// How many connections are rejected before the tasks that respond to them get a turn.
const REJECTIONS_PER_TURN: usize = 8;

/// A connection on its way from the acceptor to a worker on another thread.
pub struct Handover {
    stream: DetachedStream,
    peer: Peer,
    slot: ConnectionSlot,
}

/// Runs upgraded connections, which no longer speak HTTP, as connections of the server.
#[derive(Clone)]
pub struct Tunnels(Arc<ConnectionRegistry>);

impl Tunnels {
    /// Runs a tunnel in the background, on the runtime that calls this. A drain waits for it, then cuts it.
    pub fn spawn(&self, tunnel: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(Arc::clone(&self.0).run_tunnel(tunnel));
    }
}

/// The limits of a server, which can change while it serves.
#[derive(Clone)]
pub struct LiveLimits(Arc<ConnectionRegistry>);

impl LiveLimits {
    /// Replaces the limits. `header_bytes` affects only new connections, because open ones already have their buffer.
    pub fn set(&self, limits: ConnectionLimits) {
        self.0.set_limits(limits);
    }

    /// How many connections may be open.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.0.limits().connections
    }
}

/// The TLS of a server, which can change while it serves.
#[derive(Clone)]
pub struct LiveTls(Arc<ConnectionRegistry>);

impl LiveTls {
    /// Replaces the TLS of new connections over TCP; `None` for plain HTTP. Open connections keep theirs.
    pub fn set(&self, tls: Option<Arc<ServerTls>>) {
        self.0.set_tls(tls);
    }
}

/// Accepts connections, and distributes them in turn over this runtime and the other workers.
pub struct Server {
    acceptor: Acceptor,
    registry: Arc<ConnectionRegistry>,
    other_workers: Vec<mpsc::UnboundedSender<Handover>>,
    turn: usize,
    rejects_when_full: bool,
    /// Clients that find all connections busy.
    overload: RejectionPlaces,
    /// Peers that the guard does not admit.
    not_admitted: RejectionPlaces,
    /// An accepted connection that has no slot yet.
    waiting: Option<(ClientStream, Peer)>,
    /// When all connections became busy.
    full_since: Option<Instant>,
    /// Since when new connections have been spared although others wait. After `head_grace` they no longer are, so
    /// that a flood does not hold up the others any longer.
    sparing_since: Option<Instant>,
    /// The timeout that accepted sockets inherit.
    inherited_timeout: Duration,
}

impl Server {
    /// A server on `bound` with one worker: the runtime that calls [`Self::serve`].
    #[must_use]
    pub fn new(bound: BoundListeners, limits: ConnectionLimits, metrics: Arc<Metrics>) -> Self {
        for listener in &bound.listeners {
            listener.enable_keepalive(limits.stall_timeout);
        }
        Self {
            acceptor: Acceptor::new(bound),
            registry: ConnectionRegistry::new(limits, metrics),
            other_workers: Vec::new(),
            turn: 0,
            rejects_when_full: false,
            overload: RejectionPlaces::new(OVERLOAD_PLACES),
            not_admitted: RejectionPlaces::new(NOT_ADMITTED_PLACES),
            waiting: None,
            full_since: None,
            sparing_since: None,
            inherited_timeout: limits.stall_timeout,
        }
    }

    /// Responds to requests that no service gets to see. Without it, their connections are closed.
    pub fn respond_to_unserved(&mut self, responses: Arc<dyn UnservedResponses>) {
        self.registry.set_responses(responses);
    }

    /// Responds to new clients while all connections are busy. By default such clients wait.
    pub const fn reject_when_full(&mut self) {
        self.rejects_when_full = true;
    }

    /// Where upgraded connections continue.
    #[must_use]
    pub fn tunnels(&self) -> Tunnels {
        Tunnels(Arc::clone(&self.registry))
    }

    /// A handle to change the limits while the server serves.
    #[must_use]
    pub fn live_limits(&self) -> LiveLimits {
        LiveLimits(Arc::clone(&self.registry))
    }

    /// A handle to change the TLS of new connections while the server serves.
    #[must_use]
    pub fn live_tls(&self) -> LiveTls {
        LiveTls(Arc::clone(&self.registry))
    }

    /// Adds a worker on another thread, which runs [`run_worker`].
    pub fn add_worker(&mut self, worker: mpsc::UnboundedSender<Handover>) {
        self.other_workers.push(worker);
    }

    /// Accepts until `stop` reaches [`DrainPhase::Draining`], then drains. `grace` returns the grace period and
    /// is called when the drain begins.
    pub async fn serve<M, S, G>(
        mut self,
        make_service: M,
        mut stop: StopSignal,
        grace: G,
    ) -> Drained
    where
        M: Fn(Peer) -> S + Send + Sync + 'static,
        S: HttpService,
        G: FnOnce() -> Duration,
    {
        let make_service = Arc::new(make_service);
        let sweeper = self.registry.start_sweeper();
        let mut closing = stop.clone();
        let mut draining = stop.clone();
        loop {
            tokio::select! {
                (stream, peer) = self.accept() => self.dispatch(stream, peer, &make_service),
                () = closing.reached(DrainPhase::Closing), if !self.registry.is_closing() => {
                    self.registry.start_closing();
                }
                () = draining.reached(DrainPhase::Draining) => break,
            }
        }
        self.registry.start_closing();
        #[cfg(unix)]
        drop(self.acceptor.bound.socket_file.take()); // first, so that no client connects that would not be served
        self.accept_backlog(&make_service).await;
        self.acceptor.bound.listeners.clear();
        let drained = drain::drain(&self.registry, grace(), &mut stop).await;
        sweeper.abort();
        drained
    }

    /// The next connection for which there is room.
    async fn accept(&mut self) -> (ClientStream, Peer) {
        let mut rejected = 0;
        loop {
            if self.waiting.is_none() {
                self.waiting = Some(self.accept_admitted().await);
            }
            if self.wait_for_room().await
                && let Some(accepted) = self.waiting.take()
            {
                return accepted;
            }
            self.overload.make_room().await;
            if let Some((stream, peer)) = self.waiting.take() {
                let connection = RejectedConnection {
                    stream,
                    peer,
                    cause: UnservedCause::Full,
                };
                self.overload.reject_if_free(connection, &self.registry);
            }
            rejected += 1;
            if rejected % REJECTIONS_PER_TURN == 0 {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Waits until a slot is free. Returns false if this server rejects the client instead, because all connections
    /// have been busy for a while.
    async fn wait_for_room(&mut self) -> bool {
        if !self.registry.is_full() {
            (self.sparing_since, self.full_since) = (None, None);
            return true;
        }
        while self.registry.is_full() {
            let limits = self.registry.limits();
            let is_sparing = |since: Instant| since.elapsed() < limits.head_grace;
            let outlook = self
                .registry
                .make_room(self.sparing_since.is_none_or(is_sparing));
            let mut interval = FULL_RETRY_INTERVAL;
            match outlook {
                RoomOutlook::Asked => {}
                RoomOutlook::Spared => {
                    self.sparing_since.get_or_insert_with(Instant::now);
                    interval = SPARED_RETRY_INTERVAL;
                }
                RoomOutlook::AllBusy => {
                    self.sparing_since = None;
                    let since = *self.full_since.get_or_insert_with(Instant::now);
                    if self.rejects_when_full && since.elapsed() >= FULL_RETRY_INTERVAL {
                        return false;
                    }
                    interval = limits.unread_gives_way.unwrap_or(FULL_RETRY_INTERVAL);
                }
            }
            // A connection that becomes busy or idle sends no notification, hence the timeout.
            let ended = self.registry.connection_ended.notified();
            let _ = tokio::time::timeout(interval, ended).await;
        }
        self.full_since = None;
        true
    }

    /// The next connection of a peer that the guard admits. Other peers get neither a slot nor a buffer.
    async fn accept_admitted(&mut self) -> (ClientStream, Peer) {
        loop {
            let (stream, peer) = self.acceptor.next().await;
            let timeout = self.registry.limits().stall_timeout;
            if timeout != self.inherited_timeout {
                stream.set_user_timeout(timeout);
            }
            let responses = self.registry.responses();
            match responses.map_or(Ok(()), |responses| responses.check_peer(&peer)) {
                Ok(()) => return (stream, peer),
                Err(rejection) => {
                    let connection = RejectedConnection {
                        stream,
                        peer,
                        cause: UnservedCause::Peer(rejection),
                    };
                    self.not_admitted.reject_if_free(connection, &self.registry);
                }
            }
        }
    }

    /// Accepts the clients that connected before the listener closes, so that they get a response.
    async fn accept_backlog<M, S>(&mut self, make_service: &Arc<M>)
    where
        M: Fn(Peer) -> S + Send + Sync + 'static,
        S: HttpService,
    {
        let at_once = self.acceptor.identification_time();
        while let Ok((stream, peer)) = tokio::time::timeout(at_once, self.accept()).await {
            self.dispatch(stream, peer, make_service);
        }
    }

    /// Serves a connection on the worker whose turn it is.
    fn dispatch<M, S>(&mut self, stream: ClientStream, peer: Peer, make_service: &Arc<M>)
    where
        M: Fn(Peer) -> S + Send + Sync + 'static,
        S: HttpService,
    {
        let slot = self.registry.register();
        self.turn = self.turn.wrapping_add(1);
        let worker = self.turn % (self.other_workers.len() + 1);
        if worker == 0 {
            tokio::spawn(connection::serve(stream, slot, peer, make_service));
        } else if let Ok(stream) = stream.detach() {
            let _ = self.other_workers[worker - 1].send(Handover { stream, peer, slot });
        }
    }
}

/// Serves the connections that the acceptor hands over, until the acceptor is gone and the last of them has ended.
pub async fn run_worker<M, S>(mut handovers: mpsc::UnboundedReceiver<Handover>, make_service: M)
where
    M: Fn(Peer) -> S + Send + Sync + 'static,
    S: HttpService,
{
    let make_service = Arc::new(make_service);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            next = handovers.recv() => match next {
                Some(Handover { stream, peer, slot }) => {
                    if let Ok(stream) = stream.attach() {
                        connections.spawn(connection::serve(stream, slot, peer, &make_service));
                    }
                }
                None => break,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    while connections.join_next().await.is_some() {}
}

#[cfg(test)]
mod tests;
