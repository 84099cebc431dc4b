//! One connection to the upstream: the half that accepts requests, and the half that moves their bytes.

use std::pin::Pin;
use std::task::Context;

use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;

use super::errors::ConnectError;
use super::io::Io;
use super::limits::HeadTimer;
use super::upload_progress::{OutgoingBody, TrackedBody};
use super::waker::ConnectionWaker;

/// A connection that one exchange after another uses.
pub(super) struct Connection<B: OutgoingBody> {
    pub(super) sender: SendRequest<TrackedBody<B>>,
    pub(super) driver: Driver<B>,
    /// Kept from one exchange to the next, because it is reset only when it fires.
    pub(super) head_timer: HeadTimer,
    pub(super) waker: ConnectionWaker,
}

/// hyper's half that reads and writes the socket.
pub(super) type HyperConnection<B> = http1::Connection<TokioIo<Io>, TrackedBody<B>>;

/// Starts HTTP/1 on a new socket.
pub(super) async fn handshake<B: OutgoingBody>(
    io: Io,
) -> Result<
    (
        SendRequest<TrackedBody<B>>,
        HyperConnection<B>,
        ConnectionWaker,
    ),
    ConnectError,
> {
    let waker = ConnectionWaker::new(io.waker_state());
    let (sender, connection) = http1::handshake(TokioIo::new(io))
        .await
        .map_err(|source| ConnectError::Http { source })?;
    Ok((sender, connection, waker))
}

impl<B: OutgoingBody> Connection<B> {
    /// A connection over a new socket.
    pub(super) async fn open(io: Io) -> Result<Self, ConnectError> {
        let (sender, connection, waker) = handshake(io).await?;
        Ok(Self {
            sender,
            driver: Driver(Some(Box::pin(connection))),
            head_timer: None,
            waker,
        })
    }
}

/// hyper's half of a connection; `None` once it has ended, after which it must not be polled again.
pub(super) struct Driver<B: OutgoingBody>(pub(super) Option<Pin<Box<HyperConnection<B>>>>);

impl<B: OutgoingBody> Driver<B> {
    /// Reads and writes as far as possible. An error reaches the caller through the response or its body.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) {
        if let Some(connection) = &mut self.0
            && connection.as_mut().poll(cx).is_ready()
        {
            self.0 = None;
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.0.is_some()
    }
}
