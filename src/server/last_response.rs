//! Writes the last response of a connection that hyper has given up.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use super::client_io::ClientIo;
use super::registry::ConnectionSlot;
use super::tracked_connection::{ConnectionCommand, ConnectionPhase};

/// How long the client may take to read the response and to close.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How long a client may take while the server stops.
const TIMEOUT_AT_STOP: Duration = Duration::from_millis(50);

/// Writes what was held and `bytes`, then waits until the client has closed, so that it can read them. Meanwhile the
/// connection counts as idle: it gives way to a new one, and closes when the server drains.
pub(super) async fn send(io: &mut ClientIo, slot: &ConnectionSlot, bytes: &[u8]) {
    let tracked = &slot.connection;
    tracked.enter(ConnectionPhase::Idle);
    tracked.set_unread(true);
    tracked.withdraw(ConnectionCommand::EndHead, ConnectionCommand::Continue);
    let sending = async {
        io.write_held().await?;
        io.write_all(bytes).await?;
        io.shutdown().await
    };
    let mut sending = pin!(timeout(TIMEOUT, sending));
    poll_fn(|cx| match sending.as_mut().poll(cx) {
        Poll::Pending if tracked.command() == ConnectionCommand::Continue => Poll::Pending,
        Poll::Pending | Poll::Ready(_) => Poll::Ready(()),
    })
    .await;
}

/// Writes `bytes` while the server stops, and does not wait for the client.
pub(super) async fn send_now(io: &mut ClientIo, bytes: &[u8]) {
    let _ = timeout(TIMEOUT_AT_STOP, io.write_all(bytes)).await;
}
