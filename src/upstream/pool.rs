//! One send over one connection, and the short list of connections that wait for the next.
//!
//! The connection is polled inside the exchange's own task: no second task, no hand-over between
//! them, and a dropped exchange closes its connection, which is how the upstream learns that the
//! caller has left. `benches/NOTES.md` has what the other arrangements cost.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Request, Response};
use http_body::Body as _;
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use pin_project_lite::pin_project;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::body::ResponseBody;
use super::connector::Connector;
use super::errors::{ConnectError, SendError};
use super::exchange::{Exchange, Failed, Given};
use super::framing;
use super::io::Io;
use super::limits::Alarm;
use super::pace::{Outgoing, Paced};
use super::patience::Patience;
use super::relay::Relay;
use crate::config;
use crate::metrics::Metrics;

/// How often idle connections are looked at: dead ones go, and those past `upstream.pool_idle`.
const KEEPER_INTERVAL: Duration = Duration::from_secs(1);

/// The one API: sends requests to it, over connections that are used again.
pub struct Upstream<B: Outgoing> {
    pub(super) shared: Arc<Shared<B>>,
}

impl<B: Outgoing> Clone for Upstream<B> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

pub(super) struct Shared<B: Outgoing> {
    connector: Connector,
    pub(super) head_timeout: Duration,
    pub(super) stall_timeout: Duration,
    pool_idle: Duration,
    patience: Patience,
    /// Youngest last; taken from the end, so that what is not needed grows old and goes.
    idle: Mutex<Vec<Idle<B>>>,
    /// Told when there is something to keep, and when there is nobody left to keep it for.
    filled: Arc<Notify>,
}

struct Idle<B: Outgoing> {
    wire: Wire<B>,
    since: Instant,
}

impl<B: Outgoing> Upstream<B> {
    /// Prepares; connects to nothing yet. Must be called on the runtime that will send.
    #[must_use]
    pub fn new(
        config: &config::UpstreamConfig,
        tls: &rustls::ClientConfig,
        metrics: Arc<Metrics>,
    ) -> Self {
        let shared = Arc::new(Shared::new(config, tls, metrics));
        tokio::spawn(keep(Arc::downgrade(&shared)));
        Self { shared }
    }

    /// For a question of our own, which is not counted with what callers ask.
    #[must_use]
    pub fn uncounted(config: &config::UpstreamConfig, tls: &rustls::ClientConfig) -> Self {
        Self::new(config, tls, Metrics::new(None))
    }

    /// Sends one request and returns at the head of its answer. The caller has looked at the clock just `now`.
    ///
    /// A request that a reused connection did not even start to send goes out again on the next one.
    /// One that may have been sent goes out again only if `again` gives it back: the caller does so
    /// for a safe method without a body (RFC 9110 §9.2.2), once, and it gets a fresh connection.
    ///
    /// The request is given to its connection at once: it would else be copied with what waits for the answer.
    ///
    /// # Errors
    /// No connection, no head in time, or an answer that is none.
    pub fn send<'a, A>(
        &'a self,
        now: Instant,
        request: Request<B>,
        again: A,
    ) -> impl Future<Output = Answered<B>> + Send + 'a
    where
        A: FnOnce() -> Option<Request<B>> + Send + 'a,
    {
        let mut request = Paced::request(request);
        framing::announce(&mut request);
        let repeatable = request.method().is_safe() && request.body().is_end_stream();
        match self.shared.take(now, repeatable) {
            Some((wire, age)) => Sending::Reusing {
                exchange: self.exchange(wire, request, now),
                age,
                repeatable,
                again: Some(again),
            },
            None => Sending::Otherwise {
                rest: Box::pin(self.send_afresh(request)),
            },
        }
    }

    /// After a first connection that had waited gave no answer.
    async fn persist<A>(
        &self,
        mut failed: Failed<B>,
        now: Instant,
        repeatable: bool,
        again: A,
    ) -> Answered<B>
    where
        A: FnOnce() -> Option<Request<B>>,
    {
        loop {
            let request = match failed {
                Failed::Unsent { request, .. } => *request,
                Failed::Sent(error @ SendError::Closed { .. }) => match again() {
                    Some(copy) => return self.send_afresh(Paced::request(copy)).await,
                    None => return Err(error),
                },
                Failed::Sent(error) => return Err(error),
            };
            let Some((wire, age)) = self.shared.take(now, repeatable) else {
                return self.send_afresh(request).await;
            };
            let exchanged = self.exchange(wire, request, now).await;
            self.shared.note(age, &exchanged);
            match exchanged {
                Ok(response) => return Ok(response),
                Err(error) => failed = error,
            }
        }
    }

    async fn send_afresh(&self, request: Request<Paced<B>>) -> Answered<B> {
        let wire = self.connect().await?;
        let exchange = self.exchange(wire, request, Instant::now());
        exchange.await.map_err(|failed| match failed {
            Failed::Unsent { error, .. } | Failed::Sent(error) => error,
        })
    }

    /// Closes every connection that waits for a request.
    pub fn drop_idle(&self) {
        self.shared
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    async fn connect(&self) -> Result<Wire<B>, ConnectError> {
        let (sender, connection, relay) = self.handshake().await?;
        Ok(Wire {
            sender,
            connection: Some(Box::pin(connection)),
            alarm: None,
            relay,
        })
    }

    pub(super) async fn handshake(&self) -> Result<Fresh<B>, ConnectError> {
        let io = self.shared.connector.connect().await?;
        let relay = Relay::new(io.bell());
        let (sender, connection) = http1::handshake(TokioIo::new(io))
            .await
            .map_err(|source| ConnectError::Http { source })?;
        Ok((sender, connection, relay))
    }

    fn exchange(
        &self,
        mut wire: Wire<B>,
        request: Request<Paced<B>>,
        start: Instant,
    ) -> Exchange<'_, B, impl Future<Output = Given<B>> + use<B>> {
        let pace = request.body().pace();
        let answer = wire.sender.try_send_request(request);
        Exchange::new(&self.shared, wire, answer, pace, start)
    }
}

/// What one send comes to.
type Answered<B> = Result<Response<ResponseBody<B>>, SendError>;

pin_project! {
    /// One send. Written out since every request is one: an `async` block would hold, and copy, all of it twice.
    #[project = SendingProjection]
    enum Sending<'a, B: Outgoing, F, A> {
        // On a connection that has waited.
        Reusing {
            #[pin]
            exchange: Exchange<'a, B, F>,
            age: Duration,
            repeatable: bool,
            again: Option<A>,
        },
        // On a new one, or on the next that has waited: seldom, and larger than all the rest.
        Otherwise { rest: Pin<Box<dyn Future<Output = Answered<B>> + Send + 'a>> },
    }
}

impl<'a, B, F, A> Future for Sending<'a, B, F, A>
where
    B: Outgoing,
    F: Future<Output = Given<B>>,
    A: FnOnce() -> Option<Request<B>> + Send + 'a,
{
    type Output = Answered<B>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let rest = match self.as_mut().project() {
            SendingProjection::Otherwise { rest } => return rest.as_mut().poll(cx),
            SendingProjection::Reusing {
                mut exchange,
                age,
                repeatable,
                again,
            } => {
                let exchanged = ready!(exchange.as_mut().poll(cx));
                let (upstream, now) = exchange.began();
                upstream.note(*age, &exchanged);
                let failed = match exchanged {
                    Ok(response) => return Poll::Ready(Ok(response)),
                    Err(failed) => failed,
                };
                let again = again
                    .take()
                    .expect("a future is not polled after it was ready");
                let upstream = Upstream {
                    shared: Arc::clone(upstream),
                };
                let repeatable = *repeatable;
                Box::pin(async move { upstream.persist(failed, now, repeatable, again).await })
            }
        };
        self.set(Self::Otherwise { rest });
        self.poll(cx)
    }
}

/// One connection with the end that sends and the end that moves the bytes.
pub(super) struct Wire<B: Outgoing> {
    pub(super) sender: SendRequest<Paced<B>>,
    /// `None` once it has ended: it must not be polled again.
    pub(super) connection: Driven<B>,
    /// Kept from one exchange to the next: it is moved only when it fires.
    pub(super) alarm: Alarm,
    pub(super) relay: Relay,
}

pub(super) type Driven<B> = Option<Pin<Box<Connection<TokioIo<Io>, Paced<B>>>>>;

/// Both ends of a new connection, and what it is to be driven with.
type Fresh<B> = (
    SendRequest<Paced<B>>,
    Connection<TokioIo<Io>, Paced<B>>,
    Relay,
);

/// Lets the connection read and write as far as it can. What went wrong reaches whoever waits for the answer.
pub(super) fn drive<B: Outgoing>(connection: &mut Driven<B>, cx: &mut Context<'_>) {
    if let Some(running) = connection
        && running.as_mut().poll(cx).is_ready()
    {
        *connection = None;
    }
}

impl<B: Outgoing> Shared<B> {
    fn new(
        config: &config::UpstreamConfig,
        tls: &rustls::ClientConfig,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            connector: Connector::new(config, tls, metrics),
            head_timeout: config.head_timeout,
            stall_timeout: config.stall_timeout,
            pool_idle: config.pool_idle,
            patience: Patience::unknown(),
            idle: Mutex::new(Vec::new()),
            filled: Arc::new(Notify::new()),
        }
    }

    /// The youngest idle connection, and how long it has waited. Whether it has died or spoken meanwhile is
    /// seen before the request is given to it: a connection reads before it takes a request, and one that has
    /// ended gives it back. What may not be repeated gets none that the upstream may be about to close.
    fn take(&self, now: Instant, repeatable: bool) -> Option<(Wire<B>, Duration)> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(Idle { wire, since }) = idle.pop() {
            let age = now.duration_since(since);
            if age >= self.pool_idle {
                idle.clear(); // all the others are older
                return None;
            }
            if !repeatable && !self.patience.outlasts(age) {
                idle.push(Idle { wire, since }); // all the others are older
                return None;
            }
            if wire.connection.is_some() && wire.sender.is_ready() {
                return Some((wire, age));
            }
            self.patience.closed(age);
        }
        None
    }

    /// Learns from what became of a connection that had waited for `age`.
    fn note<T>(&self, age: Duration, exchanged: &Result<T, Failed<B>>) {
        match exchanged {
            Ok(_) => self.patience.kept(age),
            Err(Failed::Unsent { .. }) => self.patience.closed(age),
            Err(Failed::Sent(_)) => {}
        }
    }

    pub(super) fn put(&self, wire: Wire<B>) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(Idle {
            wire,
            since: Instant::now(),
        });
        if idle.len() == 1 {
            self.filled.notify_one();
        }
    }

    /// Drops what is dead or too old; true if any is left.
    fn sweep(&self) -> bool {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain_mut(|Idle { wire, since }| {
            drive(&mut wire.connection, &mut wire.relay.attend());
            let age = since.elapsed();
            if wire.connection.is_some() {
                self.patience.kept(age);
            } else {
                self.patience.closed(age.saturating_sub(KEEPER_INTERVAL)); // it was open at the last look
            }
            wire.connection.is_some() && age < self.pool_idle
        });
        !idle.is_empty()
    }
}

/// Closes idle connections in time, until the upstream itself is gone.
async fn keep<B: Outgoing>(shared: std::sync::Weak<Shared<B>>) {
    while let Some(upstream) = shared.upgrade() {
        let pause = KEEPER_INTERVAL.min(upstream.pool_idle / 2);
        let filled = Arc::clone(&upstream.filled);
        let any = upstream.sweep();
        drop(upstream);
        if any {
            tokio::time::sleep(pause).await;
        } else {
            filled.notified().await;
        }
    }
}

impl<B: Outgoing> Drop for Shared<B> {
    fn drop(&mut self) {
        self.filled.notify_one();
    }
}

#[cfg(test)]
mod tests;
