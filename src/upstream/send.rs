//! One send: an exchange over an idle connection or a new one, and the rules for sending the request again.
//!
//! The connection is polled inside the task of the request. There is no second task and no hand-over between two, and
//! a dropped exchange closes its connection, which is how the upstream learns that the client has disconnected.
//! `benches/NOTES.md` lists what other designs cost.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{HeaderMap, Request, Response};
use http_body::Body as _;
use pin_project_lite::pin_project;
use tokio::time::Instant;

use super::connection::Connection;
use super::connector::Connector;
use super::errors::{ConnectError, SendError};
use super::exchange::{Exchange, ExchangeContext, ExchangeError, HyperResult};
use super::field_limit::FieldLimit;
use super::framing;
use super::head_defect::HeadDefect;
use super::http2_pool::Http2Pool;
use super::io::Io;
use super::pool::{IdlePool, start_reaper};
use super::response_body::ResponseBody;
use super::upload_progress::{OutgoingBody, TrackedBody};
use crate::config;
use crate::metrics::Metrics;

/// Sends requests to the one upstream, over connections that are used again.
pub struct Upstream<B: OutgoingBody> {
    pub(super) connector: Arc<Connector>,
    pub(super) context: ExchangeContext<B>,
    pub(super) http2: Arc<Http2Pool<B>>,
}

impl<B: OutgoingBody> Clone for Upstream<B> {
    fn clone(&self) -> Self {
        Self {
            connector: Arc::clone(&self.connector),
            context: self.context.clone(),
            http2: Arc::clone(&self.http2),
        }
    }
}

/// What may change while a request waits to be sent. It waits for a name, a connection and a handshake, and once more
/// if its connection is lost.
pub trait RequestRenewal<B>: Send {
    /// Why the request must not be sent after all.
    type Error: From<SendError> + Send;

    /// Called after each wait, immediately before the head is written, so that no field in it is out of date.
    fn renew(
        &mut self,
        headers: &mut HeaderMap,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// A copy of the request, to be sent although the first may have been carried out. `None` if that could do harm.
    fn copy(&mut self) -> Option<Request<B>>;

    /// The request from its start, of which the upstream has certainly processed nothing. `None` if more of its body
    /// has been read than is kept.
    fn restart(&mut self) -> Option<Request<B>>;
}

/// For a request that is sent as it is, and only once.
pub struct WithoutRenewal;

impl<B> RequestRenewal<B> for WithoutRenewal {
    type Error = SendError;

    async fn renew(&mut self, _headers: &mut HeaderMap) -> Result<(), SendError> {
        Ok(())
    }

    fn copy(&mut self) -> Option<Request<B>> {
        None
    }

    fn restart(&mut self) -> Option<Request<B>> {
        None
    }
}

impl<B: OutgoingBody> Upstream<B> {
    /// Connects to nothing yet. Must be called on the runtime that will send.
    #[must_use]
    pub fn new(
        config: &config::UpstreamConfig,
        tls: &rustls::ClientConfig,
        metrics: Arc<Metrics>,
    ) -> Self {
        let upstream = Self::without_reaper(config, tls, metrics);
        start_reaper(&upstream.context.pool);
        upstream
    }

    fn without_reaper(
        config: &config::UpstreamConfig,
        tls: &rustls::ClientConfig,
        metrics: Arc<Metrics>,
    ) -> Self {
        let pool = IdlePool::new(config.pool_idle, Arc::clone(&metrics));
        Self {
            connector: Arc::new(Connector::new(config, tls, metrics)),
            context: ExchangeContext {
                head_timeout: config.head_timeout,
                stall_timeout: config.stall_timeout,
                pool: Arc::new(pool),
            },
            http2: Arc::new(Http2Pool::new(config)),
        }
    }

    /// For requests of cupbearer's own, which do not appear in the metrics.
    #[must_use]
    pub fn uncounted(config: &config::UpstreamConfig, tls: &rustls::ClientConfig) -> Self {
        Self::new(config, tls, Metrics::new(None))
    }

    /// Sends one request and returns the response when its head has arrived. `now` is the current time.
    ///
    /// A request of which a reused connection has sent nothing is sent on the next connection. A request that may have
    /// been sent is sent once more, on a new connection, only if `renewal` returns a copy of it. It does so for a safe
    /// method without a body (RFC 9110 section 9.2.2). The same holds for a request whose response had too many fields,
    /// if a new connection accepts more.
    ///
    /// A request whose version is HTTP/2 came as such, which `upstream.http2` is about.
    ///
    /// # Errors
    /// No connection could be made, no response head arrived in time, the response is not valid, or the request could
    /// not be renewed.
    pub fn send<'a, R>(
        &'a self,
        now: Instant,
        request: Request<B>,
        renewal: R,
    ) -> impl Future<Output = SendResult<B, R::Error>> + Send + 'a
    where
        R: RequestRenewal<B> + 'a,
    {
        let goes_as_http2 = self.http2.is_wanted(&request);
        let mut request = TrackedBody::wrap(request);
        let repeatable = request.method().is_safe() && request.body().is_end_stream();
        if goes_as_http2 {
            return Sending::Boxed {
                future: Box::pin(self.send_negotiated(now, request, repeatable, renewal)),
            };
        }
        framing::announce_chunked(&mut request);
        match self.context.pool.take(now, repeatable) {
            Some((connection, age)) => Sending::OnIdleConnection {
                exchange: self.context.begin(connection, request, now),
                upstream: self,
                age,
                repeatable,
                renewal: Some(renewal),
            },
            None => Sending::Boxed {
                future: Box::pin(self.send_on_new_connection(request, renewal)),
            },
        }
    }

    /// Continues after the exchange over a first idle connection has failed.
    async fn retry_unsent<R>(
        &self,
        mut error: ExchangeError<B>,
        repeatable: bool,
        mut renewal: R,
    ) -> SendResult<B, R::Error>
    where
        R: RequestRenewal<B>,
    {
        loop {
            let mut request = match error {
                ExchangeError::Unsent { request, .. } => *request,
                ExchangeError::MaybeSent(error @ SendError::Closed { .. }) => {
                    return self.retry(error, renewal).await;
                }
                ExchangeError::MaybeSent(error) => return self.retry_wider(error, renewal).await,
            };
            renewal.renew(request.headers_mut()).await?;
            let now = Instant::now();
            let Some((connection, age)) = self.context.pool.take(now, repeatable) else {
                return self.send_on_new_connection(request, renewal).await;
            };
            let result = self.context.begin(connection, request, now).await;
            self.learn_idle_timeout(age, &result);
            match result {
                Ok(response) => return Ok(response),
                Err(failed) => error = failed,
            }
        }
    }

    /// Sends a request, which may also go out as HTTP/2, over an idle connection.
    pub(super) async fn send_on_idle<R>(
        &self,
        (connection, age): (Connection<B>, Duration),
        request: Request<TrackedBody<B>>,
        repeatable: bool,
        renewal: R,
    ) -> SendResult<B, R::Error>
    where
        R: RequestRenewal<B>,
    {
        let exchange = self.context.begin(connection, request, Instant::now());
        let result = exchange.await;
        self.learn_idle_timeout(age, &result);
        match result {
            Ok(response) => Ok(response),
            Err(error) => self.retry_unsent(error, repeatable, renewal).await,
        }
    }

    /// The same over a new socket.
    pub(super) async fn send_on_socket<R>(
        &self,
        io: Io,
        request: Request<TrackedBody<B>>,
        renewal: R,
    ) -> SendResult<B, R::Error>
    where
        R: RequestRenewal<B>,
    {
        let field_limit = self.context.pool.field_limit.current();
        let connection = Connection::open(io, field_limit).await;
        let connection = connection.map_err(SendError::from)?;
        match self.exchange_last(connection, request).await {
            Err(error @ SendError::InvalidHead(_)) => self.retry_wider(error, renewal).await,
            result => Ok(result?),
        }
    }

    async fn exchange_last(
        &self,
        connection: Connection<B>,
        request: Request<TrackedBody<B>>,
    ) -> SendResult<B, SendError> {
        let exchange = self.context.begin(connection, request, Instant::now());
        exchange.await.map_err(|failed| match failed {
            ExchangeError::Unsent { error, .. } | ExchangeError::MaybeSent(error) => error,
        })
    }

    pub(super) async fn send_on_new_connection<R>(
        &self,
        request: Request<TrackedBody<B>>,
        mut renewal: R,
    ) -> SendResult<B, R::Error>
    where
        R: RequestRenewal<B>,
    {
        match self.send_last(request, &mut renewal).await? {
            Err(error @ SendError::InvalidHead(_)) => self.retry_wider(error, renewal).await,
            result => Ok(result?),
        }
    }

    /// If the response had too many fields for its connection, but not for those that are opened from now on, sends the
    /// request once more.
    async fn retry_wider<R>(&self, error: SendError, renewal: R) -> SendResult<B, R::Error>
    where
        R: RequestRenewal<B>,
    {
        const USUAL: usize = FieldLimit::Usual.fields();
        let SendError::InvalidHead(HeadDefect::TooManyFields { limit: USUAL, .. }) = error else {
            return Err(error.into());
        };
        self.context.pool.raise_field_limit();
        self.retry(error, renewal).await
    }

    async fn retry<R>(&self, error: SendError, mut renewal: R) -> SendResult<B, R::Error>
    where
        R: RequestRenewal<B>,
    {
        match renewal.copy() {
            Some(copy) => Ok(self
                .send_last(TrackedBody::wrap(copy), &mut renewal)
                .await??),
            None => Err(error.into()),
        }
    }

    /// Sends the request on a new connection, without another retry. The outer error is that of the renewal.
    async fn send_last<R>(
        &self,
        mut request: Request<TrackedBody<B>>,
        renewal: &mut R,
    ) -> Result<SendResult<B, SendError>, R::Error>
    where
        R: RequestRenewal<B>,
    {
        let connection = match self.connect().await {
            Ok(connection) => connection,
            Err(error) => return Ok(Err(error.into())),
        };
        renewal.renew(request.headers_mut()).await?;
        Ok(self.exchange_last(connection, request).await)
    }

    async fn connect(&self) -> Result<Connection<B>, ConnectError> {
        let field_limit = self.context.pool.field_limit.current();
        let io = self.connector.connect().await?;
        Connection::open(io, field_limit).await
    }

    /// Learns from an exchange over a connection that had been idle for `age`.
    fn learn_idle_timeout<T>(&self, age: Duration, result: &Result<T, ExchangeError<B>>) {
        let estimate = &self.context.pool.idle_timeout;
        match result {
            Ok(_) => estimate.observe_open(age),
            Err(ExchangeError::Unsent { .. }) => estimate.observe_closed(age),
            Err(ExchangeError::MaybeSent(_)) => {}
        }
    }

    /// Closes every idle connection. An HTTP/2 connection in use closes after its last request.
    pub fn drop_idle(&self) {
        self.context.pool.clear();
        self.http2.clear();
    }
}

/// What one send returns.
type SendResult<B, E> = Result<Response<ResponseBody<B>>, E>;

pin_project! {
    /// The future of one send. An `async` block would hold, and copy, the state of the exchange twice, and every
    /// request goes through here.
    #[project = SendingProjection]
    enum Sending<'a, B: OutgoingBody, F, R: RequestRenewal<B>> {
        // The usual case: an idle connection was available.
        OnIdleConnection {
            #[pin]
            exchange: Exchange<'a, B, F>,
            upstream: &'a Upstream<B>,
            age: Duration,
            repeatable: bool,
            renewal: Option<R>,
        },
        // A new connection, or a retry: rare, and larger than all the rest.
        Boxed { future: Pin<Box<dyn Future<Output = SendResult<B, R::Error>> + Send + 'a>> },
    }
}

impl<'a, B, F, R> Future for Sending<'a, B, F, R>
where
    B: OutgoingBody,
    F: Future<Output = HyperResult<B>>,
    R: RequestRenewal<B> + 'a,
{
    type Output = SendResult<B, R::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let future = match self.as_mut().project() {
            SendingProjection::Boxed { future } => return future.as_mut().poll(cx),
            SendingProjection::OnIdleConnection {
                exchange,
                upstream,
                age,
                repeatable,
                renewal,
            } => {
                let result = ready!(exchange.poll(cx));
                upstream.learn_idle_timeout(*age, &result);
                let error = match result {
                    Ok(response) => return Poll::Ready(Ok(response)),
                    Err(error) => error,
                };
                let renewal = renewal
                    .take()
                    .expect("a future is not polled after it was ready");
                Box::pin(upstream.retry_unsent(error, *repeatable, renewal))
            }
        };
        self.set(Self::Boxed { future });
        self.poll(cx)
    }
}

#[cfg(test)]
mod tests;
