//! Responses to connections that get no slot, because the server is full or the guard rejects the peer: a response at
//! once and a close, instead of a silent wait in the backlog.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::client_stream::ClientStream;
use super::handshake::secure_rejected;
use super::http2_connection::may_be_preface;
use super::http2_rejection::respond_in_http2;
use super::registry::ConnectionRegistry;
use super::unserved::{UnservedCause, UnservedRequest, UnservedResponses};
use crate::guard::Peer;

/// How many connections are rejected at the same time because the server is full; each holds a descriptor.
pub(super) const OVERLOAD_PLACES: usize = 32;

/// How many connections are rejected at the same time because the guard does not admit their peer.
pub(super) const NOT_ADMITTED_PLACES: usize = 16;

/// How long a rejected connection may take to send the first byte of a request. A silent one holds a place that another
/// client could use.
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_millis(100);

/// How long its TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a rejected connection may stay open after that. Closing earlier could reset it before the client has read
/// the response.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(1);

/// A fixed number of places for connections that are rejected, apart from the slots of those that are served.
pub(super) struct RejectionPlaces {
    capacity: usize,
    /// The oldest first.
    taken: VecDeque<TakenPlace>,
    /// Notified when a response has been written, or a place is free.
    changed: Arc<Notify>,
}

struct TakenPlace {
    task: AbortHandle,
    is_answered: Arc<AtomicBool>,
}

/// Notifies on drop, because a task also ends by being aborted.
struct NotifyOnDrop(Arc<Notify>);

impl Drop for NotifyOnDrop {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// A connection that is rejected.
pub(super) struct RejectedConnection {
    pub(super) stream: ClientStream,
    pub(super) peer: Peer,
    pub(super) cause: UnservedCause,
}

impl RejectionPlaces {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            taken: VecDeque::new(),
            changed: Arc::default(),
        }
    }

    /// Waits until a place is free. If all are taken, the oldest rejection that has been answered gives way: its client
    /// has had the response for longest. If no rejection has been answered after 100 ms, the oldest one gives way.
    pub(super) async fn make_room(&mut self) {
        while !self.has_room() {
            let is_answered = |place: &TakenPlace| place.is_answered.load(Ordering::Relaxed);
            if let Some(oldest) = self.taken.iter().position(is_answered)
                && let Some(place) = self.taken.remove(oldest)
            {
                place.task.abort();
                return;
            }
            // A task that ends notifies shortly before it is finished, hence the timeout.
            let has_waited = timeout(FIRST_BYTE_TIMEOUT, self.changed.notified()).await;
            // No client may hold up the others for longer, for example with a TLS handshake that it does not continue.
            if has_waited.is_err()
                && !self.has_room()
                && let Some(oldest) = self.taken.pop_front()
            {
                oldest.task.abort();
            }
        }
    }

    /// Responds in the background if a place is free. Otherwise closes the connection.
    pub(super) fn reject_if_free(
        &mut self,
        connection: RejectedConnection,
        registry: &Arc<ConnectionRegistry>,
    ) {
        if self.has_room() {
            self.respond(connection, registry);
        }
    }

    fn has_room(&mut self) -> bool {
        self.taken.retain(|place| !place.task.is_finished());
        self.taken.len() < self.capacity
    }

    fn respond(&mut self, connection: RejectedConnection, registry: &Arc<ConnectionRegistry>) {
        let RejectedConnection {
            stream,
            peer,
            cause,
        } = connection;
        let registry = Arc::clone(registry);
        let is_answered = Arc::<AtomicBool>::default();
        let (answered, changed) = (Arc::clone(&is_answered), Arc::clone(&self.changed));
        let task = tokio::spawn(async move {
            let changed = NotifyOnDrop(changed);
            let note_answered = || {
                answered.store(true, Ordering::Relaxed);
                changed.0.notify_one();
            };
            let Some(responses) = registry.responses() else {
                return;
            };
            let stream = match registry.tls() {
                None => stream,
                Some(tls) => {
                    let securing = secure_rejected(stream, tls, FIRST_BYTE_TIMEOUT);
                    let Ok(Ok(secured)) = timeout(HANDSHAKE_TIMEOUT, securing).await else {
                        return;
                    };
                    secured
                }
            };
            let is_http2 = stream.has_chosen_http2();
            let _ = respond(stream, is_http2, responses, peer, cause, note_answered).await;
        });
        self.taken.push_back(TakenPlace {
            task: task.abort_handle(),
            is_answered,
        });
    }
}

async fn respond<S>(
    mut stream: S,
    is_http2: bool,
    responses: &dyn UnservedResponses,
    peer: Peer,
    cause: UnservedCause,
    note_answered: impl FnOnce(),
) -> std::io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut piece = [0; 4096];
    // A browser opens connections in advance, and cannot use a response before it has sent a request.
    let length = timeout(FIRST_BYTE_TIMEOUT, stream.read(&mut piece)).await??;
    if length == 0 {
        return Ok(());
    }
    if is_http2 || may_be_preface(&piece[..length]) {
        let first = &piece[..length];
        let responding = respond_in_http2(stream, first, responses, peer, cause, note_answered);
        return Ok(timeout(RESPONSE_TIMEOUT, responding).await?);
    }
    let unserved = UnservedRequest::new(cause, peer, &piece[..length]);
    let bytes = unserved.response_bytes(responses);
    drop(unserved);
    let responding = async {
        stream.write_all(&bytes).await?;
        stream.shutdown().await?;
        note_answered();
        while stream.read(&mut piece).await? > 0 {}
        Ok(())
    };
    timeout(RESPONSE_TIMEOUT, responding).await?
}

#[cfg(test)]
mod tests;
