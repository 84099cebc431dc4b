//! The users of accepted connections on a kernel that names them only in a table: the table is read on another thread,
//! and once for all connections that have arrived meanwhile. Neither whoever has thousands of sockets open nor whoever
//! connects often keeps the thread that serves requests from its work.

use std::collections::VecDeque;
use std::net::SocketAddr;

use tokio::task::JoinHandle;

use super::client_stream::ClientStream;
use super::peer_user::still_connected;
use super::proc_net::{ConnectionEnds, ProcNet};
use crate::guard::{Peer, Transport};

/// How many accepted connections wait for one reading. Each holds a descriptor.
const BATCH: usize = 64;

/// An accepted connection, and the address of its listener.
pub(super) struct AcceptedConnection {
    pub(super) stream: ClientStream,
    pub(super) peer: Peer,
    pub(super) listener: Option<SocketAddr>,
}

impl AcceptedConnection {
    /// What to look for in the table. `None` if the peer is not on this machine.
    fn ends(&self) -> Option<ConnectionEnds> {
        let is_local = self.peer.transport == Transport::Loopback;
        let (peer, listener) = self.peer.address.zip(self.listener)?;
        is_local.then(|| ConnectionEnds::new(peer, listener))
    }
}

/// Looks up the users of accepted connections.
pub(super) struct TableLookup {
    table: ProcNet,
    /// In the order of `looked_up`.
    waiting: Vec<AcceptedConnection>,
    reading: Option<JoinHandle<Vec<Option<u32>>>>,
    identified: VecDeque<(ClientStream, Peer)>,
}

impl TableLookup {
    pub(super) fn new(table: ProcNet) -> Self {
        Self {
            table,
            waiting: Vec::new(),
            reading: None,
            identified: VecDeque::new(),
        }
    }

    /// The next connection whose user has been looked up.
    pub(super) fn next(&mut self) -> Option<(ClientStream, Peer)> {
        self.identified.pop_front()
    }

    /// Whether no connection waits for its user.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether another connection can wait for the next reading.
    pub(super) fn has_room(&self) -> bool {
        self.reading.is_none() && self.waiting.len() < BATCH
    }

    pub(super) fn add(&mut self, connection: AcceptedConnection) {
        self.waiting.push(connection);
    }

    /// Looks up the users of the connections that wait. Cancel safe.
    pub(super) async fn look_up(&mut self) {
        let reading = self.reading.get_or_insert_with(|| {
            let table = self.table.clone();
            let ends: Vec<_> = self.waiting.iter().map(AcceptedConnection::ends).collect();
            tokio::task::spawn_blocking(move || owners(&table, &ends))
        });
        let owners = reading.await.unwrap_or_default();
        self.reading = None;
        let owners = owners.into_iter().chain(std::iter::repeat(None));
        for (connection, owner) in self.waiting.drain(..).zip(owners) {
            let AcceptedConnection { stream, peer, .. } = connection;
            let uid = match &stream {
                ClientStream::Tcp(tcp) => owner.and_then(|uid| still_connected(tcp, uid)),
                ClientStream::Unix(_) | ClientStream::Tls(_) => None,
            };
            self.identified.push_back((stream, Peer { uid, ..peer }));
        }
    }
}

/// The users of those connections that are local. No user if the table cannot be read.
fn owners(table: &ProcNet, ends: &[Option<ConnectionEnds>]) -> Vec<Option<u32>> {
    let local: Vec<_> = ends.iter().flatten().copied().collect();
    let mut found = table.owners(&local).unwrap_or_default().into_iter();
    let owner_of = |ends: &Option<_>| ends.and_then(|_| found.next().flatten());
    ends.iter().map(owner_of).collect()
}
