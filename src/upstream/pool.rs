//! One send over one connection, and the short list of connections that wait for the next.
//!
//! The connection is polled inside the exchange's own task: no second task, no hand-over between
//! them, and a dropped exchange closes its connection, which is how the upstream learns that the
//! caller has left. `docs/performance.md` has what the other arrangements cost.

use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response, header};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::body::ResponseBody;
use super::connect::Connector;
use super::errors::{ConnectError, SendError};
use super::framing;
use super::io::Io;
use super::limits::{Alarm, HeadLimit, Stall};
use super::pace::{Outgoing, Pace, Paced};
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
        config: &config::Upstream,
        tls: &rustls::ClientConfig,
        metrics: Arc<Metrics>,
    ) -> Self {
        let shared = Arc::new(Shared {
            connector: Connector::new(config, tls, metrics),
            head_timeout: config.head_timeout,
            stall_timeout: config.stall_timeout,
            pool_idle: config.pool_idle,
            patience: Patience::unknown(),
            idle: Mutex::new(Vec::new()),
            filled: Arc::new(Notify::new()),
        });
        tokio::spawn(keep(Arc::downgrade(&shared)));
        Self { shared }
    }

    /// For a question of our own, which is not counted with what callers ask.
    #[must_use]
    pub fn uncounted(config: &config::Upstream, tls: &rustls::ClientConfig) -> Self {
        Self::new(config, tls, Metrics::new(None))
    }

    /// Sends one request and returns at the head of its answer. The caller has looked at the clock just `now`.
    ///
    /// A request that a reused connection did not even start to send goes out again on the next one.
    /// One that may have been sent goes out again only if `again` gives it back: the caller does so
    /// for a safe method without a body (RFC 9110 §9.2.2), once, and it gets a fresh connection.
    ///
    /// # Errors
    /// No connection, no head in time, or an answer that is none.
    pub fn send(
        &self,
        now: Instant,
        request: Request<B>,
        again: impl FnOnce() -> Option<Request<B>>,
    ) -> impl Future<Output = Result<Response<ResponseBody<B>>, SendError>> {
        let mut request = Paced::request(request);
        framing::announce(&mut request);
        let repeatable = request.method().is_safe() && request.body().is_end_stream();
        self.send_paced(now, request, repeatable, again)
    }

    async fn send_paced(
        &self,
        now: Instant,
        mut request: Request<Paced<B>>,
        repeatable: bool,
        again: impl FnOnce() -> Option<Request<B>>,
    ) -> Result<Response<ResponseBody<B>>, SendError> {
        while let Some((wire, age)) = self.shared.take(now, repeatable) {
            let exchanged = self.exchange(wire, request, now).await;
            self.shared.note(age, &exchanged);
            match exchanged {
                Ok(response) => return Ok(response),
                Err(Failed::Unsent {
                    request: unsent, ..
                }) => request = *unsent,
                Err(Failed::Sent(error @ SendError::Closed { .. })) => match again() {
                    Some(copy) => {
                        request = Paced::request(copy);
                        break;
                    }
                    None => return Err(error),
                },
                Err(Failed::Sent(error)) => return Err(error),
            }
        }
        let wire = Box::pin(self.connect()).await?; // seldom, and larger than all the rest
        self.exchange(wire, request, Instant::now())
            .await
            .map_err(|failed| match failed {
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
        let (sender, connection) = self.handshake().await?;
        Ok(Wire {
            sender,
            connection: Some(Box::pin(connection)),
            alarm: None,
            relay: Relay::new(),
        })
    }

    pub(super) async fn handshake(&self) -> Result<Fresh<B>, ConnectError> {
        let io = self.shared.connector.connect().await?;
        http1::handshake(TokioIo::new(io))
            .await
            .map_err(|source| ConnectError::Http { source })
    }

    /// Gives the request to the connection at once: it would else be copied with what waits for the answer.
    fn exchange(
        &self,
        mut wire: Wire<B>,
        request: Request<Paced<B>>,
        start: Instant,
    ) -> impl Future<Output = Result<Response<ResponseBody<B>>, Failed<B>>> {
        let pace = request.body().pace();
        let answer = wire.sender.try_send_request(request);
        self.answer(wire, answer, pace, start)
    }

    async fn answer(
        &self,
        mut wire: Wire<B>,
        answer: impl Future<Output = Result<Response<Incoming>, TrySendError<Request<Paced<B>>>>>,
        pace: Option<Arc<Pace>>,
        start: Instant,
    ) -> Result<Response<ResponseBody<B>>, Failed<B>> {
        let limit = HeadLimit {
            start,
            head: self.shared.head_timeout,
            stall: self.shared.stall_timeout,
            pace: pace.as_deref(),
        };
        limit.arm(&mut wire.alarm);
        let mut answer = pin!(answer);
        let mut response = std::future::poll_fn(|cx| {
            let mut own = wire.relay.attend();
            drive(&mut wire.connection, &mut own);
            match answer.as_mut().poll(&mut own) {
                Poll::Ready(answer) => Poll::Ready(answer.map_err(Failed::from)),
                Poll::Pending => {
                    wire.relay.wait(cx.waker());
                    limit
                        .poll(&mut wire.alarm, cx)
                        .map(|error| Err(Failed::Sent(error)))
                }
            }
        })
        .await?;
        framing::check(&response, false).map_err(Failed::Sent)?;
        framing::speak_for_us(&mut response);
        let stall = (!is_event_stream(&response)).then_some(self.shared.stall_timeout);
        Ok(response.map(|incoming| {
            ResponseBody::new(
                incoming,
                wire,
                Arc::clone(&self.shared),
                Stall::new(stall, pace),
            )
        }))
    }
}

/// An attempt that gave no answer.
enum Failed<B> {
    /// Nothing of it has left this machine.
    Unsent {
        request: Box<Request<Paced<B>>>,
        error: SendError,
    },
    /// It may have reached the upstream.
    Sent(SendError),
}

impl<B> From<TrySendError<Request<Paced<B>>>> for Failed<B> {
    fn from(mut failed: TrySendError<Request<Paced<B>>>) -> Self {
        let request = failed.take_message();
        let error = SendError::exchange(failed.into_error());
        match request {
            Some(request) => Self::Unsent {
                request: Box::new(request),
                error,
            },
            None => Self::Sent(error),
        }
    }
}

fn is_event_stream<B>(response: &Response<B>) -> bool {
    const EVENT_STREAM: &[u8] = b"text/event-stream";
    let mut fields = response.headers().iter();
    fields
        .find(|(name, _)| **name == header::CONTENT_TYPE)
        .is_some_and(|(_, value)| {
            let value = value.as_bytes();
            value.len() >= EVENT_STREAM.len()
                && value[..EVENT_STREAM.len()].eq_ignore_ascii_case(EVENT_STREAM)
        })
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

/// Both ends of a new connection.
type Fresh<B> = (SendRequest<Paced<B>>, Connection<TokioIo<Io>, Paced<B>>);

/// Lets the connection read and write as far as it can. What went wrong reaches whoever waits for the answer.
pub(super) fn drive<B: Outgoing>(connection: &mut Driven<B>, cx: &mut Context<'_>) {
    if let Some(running) = connection
        && running.as_mut().poll(cx).is_ready()
    {
        *connection = None;
    }
}

impl<B: Outgoing> Shared<B> {
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
