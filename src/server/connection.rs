//! One client connection: hyper serves it, and the server's commands close it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::time::{Instant, Sleep, sleep_until};

use super::client_io::ClientIo;
use super::client_stream::ClientStream;
use super::handshake::shake_hands;
use super::head_fault::{UNKNOWN, UnreadableHead, restore};
use super::http2_connection::{may_be_preface, serve_http2};
use super::hyper_side::HyperSide;
use super::last_response;
use super::registry::ConnectionSlot;
use super::service::HttpService;
use super::tracked_connection::{ConnectionCommand, ConnectionPhase, TrackedConnection};
use super::tracked_service::TrackedService;
use super::unserved::{UnservedCause, UnservedRequest};
use crate::guard::Peer;

/// Serves one connection until it ends. Its service is made when its peer is known, which is after a TLS handshake.
///
/// Boxed, because a task is moved several times while it is spawned and when it ends.
pub(super) fn serve<M, S>(
    stream: ClientStream,
    slot: ConnectionSlot,
    peer: Peer,
    make_service: &Arc<M>,
) -> Pin<Box<dyn Future<Output = ()> + Send>>
where
    M: Fn(Peer) -> S + Send + Sync + 'static,
    S: HttpService,
{
    match (stream, slot.registry.tls()) {
        (ClientStream::Tcp(stream), Some(tls)) => {
            let make_service = Arc::clone(make_service);
            Box::pin(async move {
                if let Some((session, peer)) = shake_hands(stream, tls, &slot, peer).await {
                    let service = make_service(peer.clone());
                    drop(make_service);
                    let stream = ClientStream::Tls(Box::new(session));
                    if stream.has_chosen_http2() {
                        let serving = serve_http2(stream, Bytes::new(), &slot, peer, service);
                        Box::pin(serving).await;
                    } else {
                        serve_http(stream, slot, peer, service).await;
                    }
                }
            })
        }
        (stream, _) => {
            let service = make_service(peer.clone());
            Box::pin(serve_http(stream, slot, peer, service))
        }
    }
}

async fn serve_http<S: HttpService>(
    stream: ClientStream,
    slot: ConnectionSlot,
    peer: Peer,
    service: S,
) {
    #[cfg(not(target_os = "linux"))] // on Linux a socket inherits this from its listener
    stream.set_nodelay();
    let header_bytes = slot.registry.limits().header_bytes;
    let tracked = Arc::clone(&slot.connection);
    let io = ClientIo::new(
        stream,
        Arc::clone(&tracked),
        Arc::clone(&slot.registry.metrics),
    );
    let service = TrackedService::new(service, Arc::clone(&tracked));
    let hyper_side = HyperSide::new(io, service, header_bytes);
    let mut managed = ManagedConnection {
        hyper_side,
        slot: &slot,
        obeyed: ConnectionCommand::Continue,
        is_started: false,
        grace: None,
        served_since: Instant::now(),
        has_looked: false,
        first_head: None,
    };
    let ended = (&mut managed).await;
    let is_answered = match &ended {
        ConnectionEnd::Closed => true,
        ConnectionEnd::Ended(Ok(())) => !tracked.has_held_response(),
        // Dropping hyper's side changes the phase, so this is decided first.
        ConnectionEnd::Ended(Err(error)) => !is_unreadable_head(error, &tracked),
        ConnectionEnd::HeadTimeout | ConnectionEnd::Cut => false,
    };
    if is_answered {
        if let ConnectionEnd::Ended(Err(error)) = ended {
            tracing::debug!(%error, "connection closed with an error"); // a client that disconnects is normal
        }
        return;
    }
    // Rare, and larger than what every connection needs.
    Box::pin(end_unserved(
        managed.hyper_side,
        ended,
        header_bytes,
        &slot,
        peer,
    ))
    .await;
}

/// How hyper's part of a connection ended.
enum ConnectionEnd {
    /// Nothing is left to do.
    Closed,
    /// hyper has ended, and may have left a response to us.
    Ended(hyper::Result<()>),
    /// The head did not arrive in time.
    HeadTimeout,
    /// The server stops, and the head has not arrived.
    Cut,
}

/// Ends a connection whose last request no service has seen, if there is one, with a response.
async fn end_unserved<S: HttpService>(
    hyper_side: HyperSide<S>,
    ended: ConnectionEnd,
    header_bytes: usize,
    slot: &ConnectionSlot,
    peer: Peer,
) {
    let Some(remains) = hyper_side.into_remains() else {
        return; // it has become a tunnel
    };
    let (mut io, unparsed) = (remains.io, remains.unparsed);
    let is_error = matches!(ended, ConnectionEnd::Ended(Err(_)));
    if is_error && slot.registry.limits().streams > 0 && is_http2(&io, &unparsed) {
        let service = remains.service.into_inner();
        return serve_http2(io.into_stream(), unparsed, slot, peer, service).await;
    }
    drop(remains.service);
    let cause = match &ended {
        ConnectionEnd::Closed => return,
        ConnectionEnd::Ended(Ok(())) => {
            last_response::send(&mut io, slot, &[]).await; // the end of the service's response was held
            return;
        }
        ConnectionEnd::Ended(Err(_)) => None,
        ConnectionEnd::HeadTimeout => Some(UnservedCause::HeadTimeout),
        ConnectionEnd::Cut => Some(UnservedCause::Draining),
    };
    let Some(responses) = slot.registry.responses() else {
        return;
    };
    io.discard_held();
    let framing = io.scanner().fault();
    let bytes = restore(&unparsed, framing);
    drop(unparsed);
    let unserved = match (cause, &ended) {
        (None, ConnectionEnd::Ended(Err(error))) => {
            let head = UnreadableHead {
                bytes: &bytes,
                framing,
                is_too_large: error.is_parse_too_large(),
                has_ended: error.is_incomplete_message(),
                limit: header_bytes,
            };
            match head.fault() {
                Some(fault) => UnservedRequest::new(UnservedCause::Head(fault), peer, &bytes),
                None => UnservedRequest::new(UnservedCause::Head(UNKNOWN), peer, &[]),
            }
        }
        (cause, _) => {
            let cause = cause.unwrap_or(UnservedCause::Head(UNKNOWN));
            UnservedRequest::new(cause, peer, &bytes)
        }
    };
    drop(bytes);
    let is_cut = matches!(ended, ConnectionEnd::Cut);
    let bytes = unserved.response_bytes(responses);
    drop(unserved);
    if is_cut {
        last_response::send_now(&mut io, &bytes).await;
    } else {
        last_response::send(&mut io, slot, &bytes).await;
    }
}

/// Whether the client speaks HTTP/2 without having chosen it before (RFC 9113 section 3.3). hyper may give up before
/// the first line of the preface has ended.
fn is_http2(io: &ClientIo, unparsed: &[u8]) -> bool {
    io.scanner().may_be_http2() && may_be_preface(unparsed)
}

/// Whether hyper has ended because it cannot read a head, and has written nothing about it. hyper responds only to
/// some of these heads, and that response was held back.
fn is_unreadable_head(error: &hyper::Error, tracked: &TrackedConnection) -> bool {
    tracked.has_held_response()
        || error.is_parse_version_h2()
        || (error.is_incomplete_message() && tracked.can_end_head())
}

/// A connection that obeys its [`ConnectionCommand`].
struct ManagedConnection<'a, S: HttpService> {
    hyper_side: HyperSide<S>,
    slot: &'a ConnectionSlot,
    obeyed: ConnectionCommand,
    is_started: bool,
    /// Ends when the runtime has looked for bytes that have arrived.
    grace: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// When it began to speak HTTP.
    served_since: Instant,
    /// Whether the runtime has looked for bytes since the connection was told to close.
    has_looked: bool,
    /// Ends when a connection that must close is no longer given time for its first head.
    first_head: Option<Pin<Box<Sleep>>>,
}

impl<S: HttpService> Future for &mut ManagedConnection<'_, S> {
    type Output = ConnectionEnd;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let tracked = &self.slot.connection;
        if !self.is_started {
            tracked.set_waker(cx.waker());
            self.is_started = true;
        }
        let command = self.slot.connection.command();
        if command == self.obeyed {
            return self.poll_connection(cx);
        }
        self.obey(command, cx)
    }
}

impl<S: HttpService> ManagedConnection<'_, S> {
    fn poll_connection(&mut self, cx: &mut Context<'_>) -> Poll<ConnectionEnd> {
        let polled = self.hyper_side.poll(cx).map(ConnectionEnd::Ended);
        if self.obeyed == ConnectionCommand::Rest && !self.hyper_side.is_resting() {
            self.obeyed = ConnectionCommand::Continue;
            let tracked = &self.slot.connection;
            tracked.withdraw(ConnectionCommand::Rest, self.obeyed);
        }
        polled
    }

    fn obey(&mut self, command: ConnectionCommand, cx: &mut Context<'_>) -> Poll<ConnectionEnd> {
        match command {
            ConnectionCommand::Continue => self.poll_connection(cx),
            ConnectionCommand::Rest => self.rest(cx),
            ConnectionCommand::GiveWay => self.give_way(cx),
            ConnectionCommand::Close => self.close(cx),
            ConnectionCommand::EndHead => self.end_head(cx),
            ConnectionCommand::Cut => Poll::Ready(self.closed_or(ConnectionEnd::Cut)),
        }
    }

    /// Gives hyper's buffers back, unless a request has arrived.
    fn rest(&mut self, cx: &mut Context<'_>) -> Poll<ConnectionEnd> {
        if let Poll::Ready(ended) = self.poll_connection(cx) {
            return Poll::Ready(ended);
        }
        let tracked = &self.slot.connection;
        if !tracked.may_rest() {
            tracked.withdraw(ConnectionCommand::Rest, self.obeyed);
            return Poll::Pending;
        }
        self.hyper_side.rest();
        self.obeyed = ConnectionCommand::Rest;
        self.poll_connection(cx) // so that what arrives wakes the task
    }

    fn give_way(&mut self, cx: &mut Context<'_>) -> Poll<ConnectionEnd> {
        ready!(self.poll_look(cx));
        // A request may have arrived meanwhile: read it first.
        if let Poll::Ready(ended) = self.poll_connection(cx) {
            return Poll::Ready(ended);
        }
        let tracked = &self.slot.connection;
        let limits = self.slot.registry.limits();
        if tracked.gives_way(limits.unread_gives_way) {
            return Poll::Ready(ConnectionEnd::Closed);
        }
        tracked.withdraw(ConnectionCommand::GiveWay, self.obeyed);
        self.slot.registry.connection_ended.notify_one();
        Poll::Pending
    }

    /// Lets the runtime look for bytes that have arrived. A new connection learns of its first ones in no other way.
    fn poll_look(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let grace = self
            .grace
            .get_or_insert_with(|| Box::pin(tokio::task::yield_now()));
        ready!(grace.as_mut().poll(cx));
        self.grace = None;
        Poll::Ready(())
    }

    fn close(&mut self, cx: &mut Context<'_>) -> Poll<ConnectionEnd> {
        if !self.has_looked {
            ready!(self.poll_look(cx));
            self.has_looked = true;
        }
        // A request may have arrived while the server was draining: read it first.
        if let Poll::Ready(ended) = self.poll_connection(cx) {
            return Poll::Ready(ended);
        }
        if self.awaits_head(cx) {
            return Poll::Pending;
        }
        self.obeyed = ConnectionCommand::Close;
        self.hyper_side.graceful_shutdown();
        self.poll_connection(cx)
    }

    /// Whether a connection that must close is still given time for a head: one that has begun to arrive has as long
    /// as any other, and the first one a moment to begin. hyper would drop both at once.
    fn awaits_head(&mut self, cx: &mut Context<'_>) -> bool {
        let tracked = &self.slot.connection;
        if !tracked.is_in_phase(ConnectionPhase::Head) {
            return false;
        }
        let until = self.served_since + self.slot.registry.limits().head_grace;
        let first_head = || Box::pin(sleep_until(until));
        tracked.is_in_head() || {
            let first_head = self.first_head.get_or_insert_with(first_head);
            first_head.as_mut().poll(cx).is_pending()
        }
    }

    fn end_head(&mut self, cx: &mut Context<'_>) -> Poll<ConnectionEnd> {
        // The rest of the head may have arrived meanwhile: read it first.
        if let Poll::Ready(ended) = self.poll_connection(cx) {
            return Poll::Ready(ended);
        }
        let tracked = &self.slot.connection;
        if tracked.is_in_phase(ConnectionPhase::Head) {
            return Poll::Ready(self.closed_or(ConnectionEnd::HeadTimeout));
        }
        if tracked.is_closing() && self.obeyed < ConnectionCommand::Close {
            // This command has taken the place of one to close.
            tracked.withdraw(ConnectionCommand::EndHead, ConnectionCommand::Close);
            cx.waker().wake_by_ref();
        } else {
            tracked.withdraw(ConnectionCommand::EndHead, self.obeyed);
        }
        Poll::Pending
    }

    /// `end` if the client can be sent a response to a head that has not ended; otherwise nothing is left to do.
    fn closed_or(&self, end: ConnectionEnd) -> ConnectionEnd {
        if self.slot.connection.can_end_head() {
            end
        } else {
            ConnectionEnd::Closed
        }
    }
}

#[cfg(test)]
mod tests;
