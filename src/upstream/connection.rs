//! One connection to the upstream: the half that accepts requests, and the half that moves their bytes.

use std::pin::Pin;
use std::task::Context;

use bytes::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;

use super::errors::{ConnectError, SendError};
use super::field_limit::FieldLimit;
use super::head_defect::HeadDefect;
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
    pub(super) field_limit: FieldLimit,
}

/// hyper's half that reads and writes the socket.
pub(super) type HyperConnection<B> = http1::Connection<TokioIo<Io>, TrackedBody<B>>;

/// Starts HTTP/1 on a new socket.
pub(super) async fn handshake<B: OutgoingBody>(
    io: Io,
    field_limit: FieldLimit,
) -> Result<
    (
        SendRequest<TrackedBody<B>>,
        HyperConnection<B>,
        ConnectionWaker,
    ),
    ConnectError,
> {
    let waker = ConnectionWaker::new(io.waker_state());
    let mut builder = http1::Builder::new();
    // A proxy removes that white space from a response (RFC 9112 section 5.1).
    builder.allow_spaces_after_header_name_in_responses(true);
    if field_limit == FieldLimit::Raised {
        builder.max_headers(field_limit.fields());
    }
    let (sender, connection) = builder
        .handshake(TokioIo::new(io))
        .await
        .map_err(|source| ConnectError::Http { source })?;
    Ok((sender, connection, waker))
}

impl<B: OutgoingBody> Connection<B> {
    /// A connection over a new socket.
    pub(super) async fn open(io: Io, field_limit: FieldLimit) -> Result<Self, ConnectError> {
        let (sender, connection, waker) = handshake(io, field_limit).await?;
        Ok(Self {
            sender,
            driver: Driver::new(connection),
            head_timer: None,
            waker,
            field_limit,
        })
    }

    /// The error of an exchange over this connection, which cannot be used again.
    #[cold]
    pub(super) fn explain(&mut self, error: hyper::Error) -> SendError {
        explain(error, self.field_limit, || self.driver.take_unread())
    }
}

/// Names what is wrong with a head that hyper rejects. `unread` are the bytes that hyper did not accept.
#[cold]
pub(super) fn explain(
    error: hyper::Error,
    field_limit: FieldLimit,
    unread: impl FnOnce() -> Bytes,
) -> SendError {
    let source = match SendError::from_exchange(error) {
        SendError::Protocol { source } => source,
        other => return other,
    };
    // hyper rejects these after it has accepted the head, and has no other way to tell them apart.
    match source.to_string().as_str() {
        "invalid content-length parsed" => {
            return SendError::Framing(
                "its Content-Length values differ or are not decimal numbers".into(),
            );
        }
        "unexpected transfer-encoding parsed" => {
            return SendError::Framing(
                "it has a Transfer-Encoding, but its version is HTTP/1.0".into(),
            );
        }
        _ => {}
    }
    let defect = HeadDefect::find(&unread(), field_limit.fields());
    match defect.filter(|defect| defect.is_about_size() == source.is_parse_too_large()) {
        Some(defect) => SendError::InvalidHead(defect),
        None => SendError::Protocol { source },
    }
}

/// hyper's half of a connection; `None` once it has ended, after which it must not be polled again.
pub(super) struct Driver<B: OutgoingBody> {
    connection: Option<Pin<Box<HyperConnection<B>>>>,
    /// What an ended connection had read but not accepted, if anything.
    unread: Option<Box<Bytes>>,
}

impl<B: OutgoingBody> Driver<B> {
    pub(super) fn new(connection: HyperConnection<B>) -> Self {
        Self {
            connection: Some(Box::pin(connection)),
            unread: None,
        }
    }

    /// The driver of a connection that has ended.
    pub(super) const fn ended() -> Self {
        Self {
            connection: None,
            unread: None,
        }
    }

    /// Reads and writes as far as possible. An error reaches the caller through the response or its body.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) {
        if let Some(connection) = &mut self.connection
            && connection.as_mut().poll(cx).is_ready()
        {
            self.end();
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.connection.is_some()
    }

    /// The connection, to be driven by someone else; `None` if it has ended.
    pub(super) fn into_running(self) -> Option<Pin<Box<HyperConnection<B>>>> {
        self.connection
    }

    /// Closes the socket and drops what waits to be sent, which returns an unsent request to its caller.
    #[cold]
    fn end(&mut self) {
        if let Some(connection) = self.connection.take() {
            let unread = Pin::into_inner(connection).into_parts().read_buf;
            self.unread = (!unread.is_empty()).then(|| Box::new(unread));
        }
    }

    /// Ends the connection, and returns what it has read but not accepted.
    fn take_unread(&mut self) -> Bytes {
        self.end();
        self.unread.take().map_or_else(Bytes::new, |unread| *unread)
    }
}
