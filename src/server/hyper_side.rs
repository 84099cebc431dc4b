//! hyper's side of a connection over HTTP/1.1. While the client is idle, hyper's two buffers are given back: they are
//! most of what such a connection costs.

use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;

use super::client_io::{ClientIo, WIDE_BUFFER};
use super::service::HttpService;
use super::tracked_service::TrackedService;

type Http1Connection<S> = http1::UpgradeableConnection<TokioIo<ClientIo>, TrackedService<S>>;

/// hyper's side of a connection.
pub(super) struct HyperSide<S: HttpService> {
    state: HyperState<S>,
    header_bytes: usize,
}

#[expect(
    clippy::large_enum_variant,
    reason = "a box would cost each connection an allocation, and each poll a jump"
)]
enum HyperState<S: HttpService> {
    Active(Http1Connection<S>),
    /// hyper is created anew when the client sends something.
    Resting(ClientIo, TrackedService<S>),
    /// The connection has become a tunnel.
    Gone,
}

/// What is left when hyper has ended.
pub(super) struct HyperRemains<S> {
    pub(super) io: ClientIo,
    pub(super) unparsed: Bytes,
    pub(super) service: TrackedService<S>,
}

impl<S: HttpService> HyperSide<S> {
    pub(super) fn new(io: ClientIo, service: TrackedService<S>, header_bytes: usize) -> Self {
        Self {
            state: activate(io, service, header_bytes),
            header_bytes,
        }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        if let HyperState::Active(connection) = &mut self.state {
            return Pin::new(connection).poll(cx);
        }
        self.poll_resting(cx)
    }

    #[cold]
    fn poll_resting(&mut self, cx: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        if let HyperState::Resting(io, _) = &self.state {
            ready!(io.poll_readable(cx));
            self.wake();
        }
        match &mut self.state {
            HyperState::Active(connection) => Pin::new(connection).poll(cx),
            HyperState::Resting(..) | HyperState::Gone => Poll::Ready(Ok(())),
        }
    }

    pub(super) const fn is_resting(&self) -> bool {
        matches!(self.state, HyperState::Resting(..))
    }

    /// Gives hyper's buffers back until the client sends something. Everything must have been written.
    pub(super) fn rest(&mut self) {
        let Some(HyperRemains {
            mut io,
            unparsed,
            service,
        }) = self.take()
        else {
            return;
        };
        self.state = if unparsed.is_empty() {
            io.give_back_wide_buffer();
            HyperState::Resting(io, service)
        } else {
            io.unread(unparsed);
            activate(io, service, self.header_bytes)
        };
    }

    pub(super) fn graceful_shutdown(&mut self) {
        self.wake();
        if let HyperState::Active(connection) = &mut self.state {
            Pin::new(connection).graceful_shutdown();
        }
    }

    /// `None` if the connection has become a tunnel.
    pub(super) fn into_remains(mut self) -> Option<HyperRemains<S>> {
        self.take()
    }

    fn wake(&mut self) {
        if self.is_resting()
            && let Some(remains) = self.take()
        {
            self.state = activate(remains.io, remains.service, self.header_bytes);
        }
    }

    fn take(&mut self) -> Option<HyperRemains<S>> {
        match mem::replace(&mut self.state, HyperState::Gone) {
            HyperState::Active(connection) => connection.into_parts().map(|parts| HyperRemains {
                io: parts.io.into_inner(),
                unparsed: parts.read_buf,
                service: parts.service,
            }),
            HyperState::Resting(io, service) => Some(HyperRemains {
                io,
                unparsed: Bytes::new(),
                service,
            }),
            HyperState::Gone => None,
        }
    }
}

fn activate<S: HttpService>(
    io: ClientIo,
    service: TrackedService<S>,
    header_bytes: usize,
) -> HyperState<S> {
    let connection = http1::Builder::new()
        .max_header_size(header_bytes)
        // This also bounds how much of a response may wait: a client that reads slowly costs 125 kB more than with
        // 64 KiB, in addition to the 2.4 MB that the system holds.
        .max_buf_size(header_bytes.max(WIDE_BUFFER))
        .serve_connection(TokioIo::new(io), service)
        .with_upgrades();
    HyperState::Active(connection)
}

#[cfg(test)]
mod tests;
