//! Accepts connections from all listeners of a server, and finds out which user is at the other end.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use super::bind::BoundListeners;
use super::client_stream::ClientStream;
#[cfg(target_os = "linux")]
use super::table_lookup::{AcceptedConnection, TableLookup};
use crate::guard::Peer;

/// How long to wait when the system has no descriptor for a new connection.
const BACKOFF: Duration = Duration::from_millis(100);

/// How often that is logged.
const NOTE_INTERVAL: Duration = Duration::from_mins(1);

/// Accepts from all listeners of a server.
pub(super) struct Acceptor {
    pub(super) bound: BoundListeners,
    turns: ListenerTurns,
    /// `None` if the system names the user of each connection at once, as it usually does.
    #[cfg(target_os = "linux")]
    table_lookup: Option<TableLookup>,
}

/// Which listener is polled first, so that none of them starves the others.
#[derive(Default)]
struct ListenerTurns {
    first: usize,
    /// When a failure was last logged.
    noted: Option<Instant>,
}

impl Acceptor {
    pub(super) fn new(bound: BoundListeners) -> Self {
        Self {
            #[cfg(target_os = "linux")]
            table_lookup: bound.table_lookup(),
            bound,
            turns: ListenerTurns::default(),
        }
    }

    /// The next connection, with the user at its other end. Cancel safe.
    pub(super) async fn next(&mut self) -> (ClientStream, Peer) {
        #[cfg(target_os = "linux")]
        if let Some(lookup) = &mut self.table_lookup {
            return Box::pin(next_looked_up(&self.bound, &mut self.turns, lookup)).await;
        }
        let (listener, stream, peer) = self.turns.accept(&self.bound).await;
        let peer = self.bound.identify(listener, &stream, peer);
        (stream, peer)
    }

    /// How long it may take to identify the user of a connection that has arrived.
    pub(super) const fn identification_time(&self) -> Duration {
        #[cfg(target_os = "linux")]
        if self.table_lookup.is_some() {
            return Duration::from_millis(500);
        }
        Duration::ZERO
    }
}

impl ListenerTurns {
    /// The next connection, and the index of its listener.
    async fn accept(&mut self, bound: &BoundListeners) -> (usize, ClientStream, Peer) {
        loop {
            match poll_fn(|cx| self.poll_accept(bound, cx)).await {
                Ok(accepted) => return accepted,
                Err(error) => {
                    if self.noted.is_none_or(|at| at.elapsed() >= NOTE_INTERVAL) {
                        self.noted = Some(Instant::now());
                        tracing::warn!(%error, "cannot accept a connection");
                    }
                    tokio::time::sleep(BACKOFF).await;
                }
            }
        }
    }

    fn poll_accept(
        &mut self,
        bound: &BoundListeners,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(usize, ClientStream, Peer)>> {
        let listeners = &bound.listeners;
        for offset in 0..listeners.len() {
            let index = self.first.wrapping_add(offset) % listeners.len();
            let polled = listeners[index].poll_accept(cx);
            if polled.is_ready() {
                self.first = index + 1;
                return polled.map_ok(|(stream, peer)| (index, stream, peer));
            }
        }
        Poll::Pending
    }
}

/// The next connection, whose user the system names only in a table.
#[cfg(target_os = "linux")]
async fn next_looked_up(
    bound: &BoundListeners,
    turns: &mut ListenerTurns,
    lookup: &mut TableLookup,
) -> (ClientStream, Peer) {
    let with_address = |(listener, stream, peer): (usize, _, _)| AcceptedConnection {
        stream,
        peer,
        listener: bound.addresses.get(listener).copied(),
    };
    loop {
        if let Some(identified) = lookup.next() {
            return identified;
        }
        if lookup.is_empty() {
            lookup.add(with_address(turns.accept(bound).await));
        }
        while lookup.has_room() {
            match poll_fn(|cx| Poll::Ready(turns.poll_accept(bound, cx))).await {
                Poll::Ready(Ok(accepted)) => lookup.add(with_address(accepted)),
                Poll::Ready(Err(_)) | Poll::Pending => break,
            }
        }
        lookup.look_up().await;
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
