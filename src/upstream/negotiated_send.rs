//! The sending of a request that goes out as HTTP/2 if the API accepts it, and the rules for sending it again.

use std::time::Duration;

use http::{Request, Response};
use tokio::time::{Instant, timeout_at};

use super::connection::Connection;
use super::connector::Negotiated;
use super::errors::{ConnectError, SendError};
use super::framing;
use super::io::Io;
use super::response_body::ResponseBody;
use super::send::{RequestRenewal, Upstream};
use super::shared_connection::{ReservedStream, SharedConnection};
use super::stream_exchange::StreamError;
use super::upload_progress::{OutgoingBody, TrackedBody};

/// How often a request goes out again that connections have not taken, or that the API has refused unprocessed. An API
/// that refuses it so often means it.
const MOST_REPEATS: u32 = 5;

/// How often a request has gone out again.
#[derive(Debug, Default)]
struct Repeats {
    unprocessed: u32,
    was_lost: bool,
}

impl Repeats {
    const fn any(&self) -> bool {
        self.unprocessed > 0 || self.was_lost
    }

    /// Whether a request of which the API has processed nothing goes out again.
    const fn unprocessed(&mut self) -> bool {
        self.unprocessed += 1;
        self.unprocessed <= MOST_REPEATS
    }

    /// Whether a request that may have been processed goes out again: once, as over HTTP/1.1.
    const fn lost(&mut self) -> bool {
        !std::mem::replace(&mut self.was_lost, true)
    }
}

/// What a request can be sent over.
enum Route<B: OutgoingBody> {
    Stream(ReservedStream<B>),
    /// The API prefers HTTP/1.1: an idle connection, and for how long it has been idle.
    Idle(Connection<B>, Duration),
    /// The same over a new connection.
    New(Io),
    /// A new connection had no stream for a request, although the API speaks HTTP/2.
    None,
}

/// A [`Route`], and whether the request had to wait for it.
struct FoundRoute<B: OutgoingBody> {
    route: Route<B>,
    has_waited: bool,
}

impl<B: OutgoingBody> Upstream<B> {
    /// As [`Upstream::send`], for a request that may go out as HTTP/2.
    pub(super) async fn send_negotiated<R>(
        &self,
        now: Instant,
        mut request: Request<TrackedBody<B>>,
        repeatable: bool,
        mut renewal: R,
    ) -> Result<Response<ResponseBody<B>>, R::Error>
    where
        R: RequestRenewal<B>,
    {
        let mut now = now;
        let mut repeats = Repeats::default();
        loop {
            let found = self.route(now, repeatable).await;
            let FoundRoute { route, has_waited } = found.map_err(SendError::from)?;
            if has_waited || repeats.any() {
                renewal.renew(request.headers_mut()).await?;
                now = Instant::now();
            }
            let stream = match route {
                Route::Stream(stream) if stream.begins_at_once() => stream,
                Route::Stream(_) | Route::None if repeats.unprocessed() => continue,
                Route::Stream(_) | Route::None => return Err(SendError::Refused.into()),
                Route::Idle(connection, age) => {
                    self.begin_http1(&mut request);
                    let sending =
                        self.send_on_idle((connection, age), request, repeatable, renewal);
                    return sending.await;
                }
                Route::New(io) => {
                    self.begin_http1(&mut request);
                    return self.send_on_socket(io, request, renewal).await;
                }
            };
            let target = &self.http2.target;
            let exchange = self.context.exchange_on_stream(stream, target, request);
            let error = match exchange.await {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            request = match error {
                StreamError::Unsent(request) if repeats.unprocessed() => *request,
                StreamError::Refused if repeats.unprocessed() => match renewal.restart() {
                    Some(request) => TrackedBody::wrap(request),
                    None => return Err(SendError::Refused.into()),
                },
                StreamError::Http1Required => match renewal.restart() {
                    Some(request) => return self.send_as_http1(request, renewal).await,
                    None => return Err(SendError::Http1Required.into()),
                },
                StreamError::MaybeSent(error @ SendError::Closed { .. }) if repeats.lost() => {
                    match renewal.copy() {
                        Some(copy) => TrackedBody::wrap(copy),
                        None => return Err(error.into()),
                    }
                }
                StreamError::MaybeSent(error) => return Err(error.into()),
                StreamError::Unsent(_) | StreamError::Refused => {
                    return Err(SendError::Refused.into());
                }
            };
        }
    }

    /// What the request can be sent over now, or as soon as there is something.
    async fn route(&self, now: Instant, repeatable: bool) -> Result<FoundRoute<B>, ConnectError> {
        if let Some(route) = self.route_at_once(now, repeatable) {
            return Ok(FoundRoute {
                route,
                has_waited: false,
            });
        }
        let deadline = self.connector.deadline();
        let waited = timeout_at(deadline, self.http2.wait_for_opening()).await;
        waited.map_err(|_| self.connector.timed_out())?;
        let route = match self.route_at_once(Instant::now(), repeatable) {
            Some(route) => route,
            None => self.new_route(deadline).await?,
        };
        Ok(FoundRoute {
            route,
            has_waited: true,
        })
    }

    fn route_at_once(&self, now: Instant, repeatable: bool) -> Option<Route<B>> {
        if let Some(stream) = self.http2.reserve() {
            return Some(Route::Stream(stream));
        }
        if !self.http2.is_declined() {
            return None;
        }
        let (connection, age) = self.context.pool.take(now, repeatable)?;
        Some(Route::Idle(connection, age))
    }

    /// Opens a connection.
    async fn new_route(&self, deadline: Instant) -> Result<Route<B>, ConnectError> {
        let _opening = self.http2.begin_opening();
        match self.connector.connect_http2(deadline).await? {
            Negotiated::Http1(io) => {
                self.http2.set_declined(true);
                Ok(Route::New(io))
            }
            Negotiated::Http2(io) => {
                self.http2.set_declined(false);
                let opening = SharedConnection::open(io, self.context.pool.max_idle);
                let connection = timeout_at(deadline, opening)
                    .await
                    .map_err(|_| self.connector.timed_out())??;
                let Some(stream) = connection.reserve() else {
                    return Ok(Route::None);
                };
                self.http2.add(connection);
                Ok(Route::Stream(stream))
            }
        }
    }

    /// Sends a request over HTTP/1.1 that the API does not accept as HTTP/2.
    async fn send_as_http1<R>(
        &self,
        request: Request<B>,
        renewal: R,
    ) -> Result<Response<ResponseBody<B>>, R::Error>
    where
        R: RequestRenewal<B>,
    {
        let mut request = TrackedBody::wrap(request);
        framing::announce_chunked(&mut request);
        self.send_on_new_connection(request, renewal).await
    }

    /// The request goes out over HTTP/1.1 after all.
    fn begin_http1(&self, request: &mut Request<TrackedBody<B>>) {
        self.http2.target.to_http1(request);
        request.body_mut().leave_stream();
        framing::announce_chunked(request);
    }
}

#[cfg(test)]
mod tests;
