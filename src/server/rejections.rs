//! Responses to connections that get no slot, because the server is full or the guard rejects the peer: a response at
//! once and a close, instead of a silent wait in the backlog.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::client_stream::ClientStream;
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

/// How long a rejected connection may stay open after that. Closing earlier could reset it before the client has read
/// the response.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(1);

/// A fixed number of places for connections that are rejected, apart from the slots of those that are served.
pub(super) struct RejectionPlaces {
    capacity: usize,
    /// The oldest first.
    taken: VecDeque<AbortHandle>,
}

/// A connection that is rejected.
pub(super) struct RejectedConnection {
    pub(super) stream: ClientStream,
    pub(super) peer: Peer,
    pub(super) cause: UnservedCause,
}

impl RejectionPlaces {
    pub(super) const fn new(capacity: usize) -> Self {
        Self {
            capacity,
            taken: VecDeque::new(),
        }
    }

    /// Responds in the background. If all places are taken, the oldest rejection gives way: its client has had the
    /// response for longest.
    pub(super) fn reject(
        &mut self,
        connection: RejectedConnection,
        registry: &Arc<ConnectionRegistry>,
    ) {
        if !self.has_room()
            && let Some(oldest) = self.taken.pop_front()
        {
            oldest.abort();
        }
        self.respond(connection, registry);
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
        self.taken.retain(|task| !task.is_finished());
        self.taken.len() < self.capacity
    }

    fn respond(&mut self, connection: RejectedConnection, registry: &Arc<ConnectionRegistry>) {
        let RejectedConnection {
            stream,
            peer,
            cause,
        } = connection;
        let registry = Arc::clone(registry);
        let task = tokio::spawn(async move {
            if let Some(responses) = registry.responses() {
                let _ = respond(stream, responses, peer, cause).await;
            }
        });
        self.taken.push_back(task.abort_handle());
    }
}

async fn respond<S>(
    mut stream: S,
    responses: &dyn UnservedResponses,
    peer: Peer,
    cause: UnservedCause,
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
    let unserved = UnservedRequest::new(cause, peer, &piece[..length]);
    let bytes = unserved.response_bytes(responses);
    drop(unserved);
    let responding = async {
        stream.write_all(&bytes).await?;
        stream.shutdown().await?;
        while stream.read(&mut piece).await? > 0 {}
        Ok(())
    };
    timeout(RESPONSE_TIMEOUT, responding).await?
}

#[cfg(test)]
mod tests;
