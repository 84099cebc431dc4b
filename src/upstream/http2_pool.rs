//! The HTTP/2 connections to the upstream. A request takes a free stream of the first connection that has one. If every
//! stream is taken, it opens another connection, or waits for one that is being opened.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{Request, Version};
use tokio::sync::Notify;

use super::http2_form::{RequestTarget, is_grpc};
use super::shared_connection::{ReservedStream, SharedConnection};
use super::stream_slots::MOST_STREAMS;
use super::upload_progress::OutgoingBody;
use crate::config::{ApiHttp2, UpstreamConfig};

/// The connections of one worker.
pub(super) struct Http2Pool<B: OutgoingBody> {
    /// `upstream.http2`.
    mode: ApiHttp2,
    is_tls: bool,
    pub(super) target: RequestTarget,
    /// The API has last chosen HTTP/1.1 in a TLS handshake that offered HTTP/2.
    is_declined: AtomicBool,
    state: Mutex<PoolState<B>>,
    /// Notified when a connection is no longer being opened.
    opened: Notify,
}

struct PoolState<B: OutgoingBody> {
    connections: Vec<Arc<SharedConnection<B>>>,
    openings: usize,
    waiting: usize,
}

impl<B: OutgoingBody> Http2Pool<B> {
    pub(super) fn new(config: &UpstreamConfig) -> Self {
        Self {
            mode: config.http2,
            is_tls: config.url.is_tls(),
            target: RequestTarget::of(&config.url),
            is_declined: AtomicBool::new(false),
            state: Mutex::new(PoolState {
                connections: Vec::new(),
                openings: 0,
                waiting: 0,
            }),
            opened: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, PoolState<B>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this request goes out as HTTP/2 if the API accepts that.
    pub(super) fn is_wanted<T>(&self, request: &Request<T>) -> bool {
        let came_as_http2 = request.version() == Version::HTTP_2;
        match self.mode {
            ApiHttp2::Never => false,
            ApiHttp2::Always => true,
            ApiHttp2::Match => came_as_http2 && (self.is_tls || is_grpc(request.headers())),
        }
    }

    /// Whether the API prefers HTTP/1.1, as far as is known.
    pub(super) fn is_declined(&self) -> bool {
        self.is_declined.load(Ordering::Relaxed)
    }

    /// Records what the API chose in a TLS handshake that offered HTTP/2.
    pub(super) fn set_declined(&self, is_declined: bool) {
        self.is_declined.store(is_declined, Ordering::Relaxed);
    }

    /// A free stream of an open connection.
    pub(super) fn reserve(&self) -> Option<ReservedStream<B>> {
        let mut state = self.lock();
        state
            .connections
            .retain(|connection| !connection.slots.is_retired());
        state.connections.iter().find_map(SharedConnection::reserve)
    }

    /// Adds a new connection.
    pub(super) fn add(&self, connection: Arc<SharedConnection<B>>) {
        self.lock().connections.push(connection);
    }

    /// No request takes a connection any more that is open now. Each closes when its requests have ended.
    pub(super) fn clear(&self) {
        for connection in std::mem::take(&mut self.lock().connections) {
            connection.slots.retire();
        }
    }

    /// Waits until a connection has been opened, or could not be, if the connections that are being opened suffice for
    /// this request as well.
    pub(super) async fn wait_for_opening(&self) {
        let mut opened = pin!(self.opened.notified());
        opened.as_mut().enable();
        let _waiting = {
            let mut state = self.lock();
            if self.is_declined() || state.waiting >= state.openings * (MOST_STREAMS as usize - 1) {
                return;
            }
            state.waiting += 1;
            Waiting(self)
        };
        opened.await;
    }

    /// A connection is being opened until this is dropped.
    pub(super) fn begin_opening(&self) -> ConnectionOpening<'_, B> {
        self.lock().openings += 1;
        ConnectionOpening(self)
    }
}

/// A connection that is being opened, for which other requests may wait.
pub(super) struct ConnectionOpening<'a, B: OutgoingBody>(&'a Http2Pool<B>);

impl<B: OutgoingBody> Drop for ConnectionOpening<'_, B> {
    fn drop(&mut self) {
        self.0.lock().openings -= 1;
        self.0.opened.notify_waiters();
    }
}

/// A request that waits for a connection.
struct Waiting<'a, B: OutgoingBody>(&'a Http2Pool<B>);

impl<B: OutgoingBody> Drop for Waiting<'_, B> {
    fn drop(&mut self) {
        self.0.lock().waiting -= 1;
    }
}
