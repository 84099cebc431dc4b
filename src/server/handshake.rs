//! The TLS handshake with a client. Until it has ended, its connection counts as one whose first head has not arrived:
//! `limits.header_timeout` applies, and it gives way to a new connection at the limit.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::client_io::ClientIo;
use super::client_stream::ClientStream;
use super::handshake_fault::HandshakeFault;
use super::head_fault::HeadFault;
use super::last_response;
use super::registry::ConnectionSlot;
use super::server_tls::ServerTls;
use super::tracked_connection::ConnectionCommand;
use super::unserved::{UnservedCause, UnservedRequest};
use crate::guard::{OwnScheme, Peer, PeerCertificate};

/// The most bytes of a plain request that are read to say what is wrong with it.
const PLAIN_HEAD: usize = 4096;

/// What a client has sent first.
enum Opening {
    /// Nothing: it has closed the connection.
    Nothing,
    /// A TLS record, or something else that is not HTTP.
    Tls,
    /// The beginning of a plain HTTP request.
    PlainHttp,
}

impl Opening {
    /// Waits for the first byte, and leaves it to be read.
    async fn of(stream: &TcpStream) -> io::Result<Self> {
        let mut first = [0];
        Ok(match (stream.peek(&mut first).await?, first[0]) {
            (0, _) => Self::Nothing,
            (_, b'\r' | b'\n') => Self::PlainHttp,
            (_, byte) if byte.is_ascii_alphabetic() => Self::PlainHttp, // the first letter of a method
            (_, _) => Self::Tls,
        })
    }
}

/// The session with a client, and its peer. `None` if there is nothing to serve.
pub(super) async fn shake_hands(
    stream: TcpStream,
    tls: Arc<ServerTls>,
    slot: &ConnectionSlot,
    peer: Peer,
) -> Option<(TlsStream<TcpStream>, Peer)> {
    match opening(&stream, slot).await? {
        Opening::Tls => {}
        Opening::PlainHttp => {
            respond_to_plain(stream, slot, peer).await;
            return None;
        }
        Opening::Nothing => return None,
    }
    let accepting = TlsAcceptor::from(Arc::clone(&tls.config)).accept(stream);
    // A stop lets a handshake end that has begun: a request that arrives with its last bytes is served.
    let fault = match unless_commanded(slot, ConnectionCommand::EndHead, accepting).await {
        Ok(Ok(session)) => return secured(session, &tls, slot, &peer),
        Ok(Err(error)) => HandshakeFault::of(error),
        Err(ConnectionCommand::EndHead) => HandshakeFault::Timeout,
        Err(ConnectionCommand::Cut) => HandshakeFault::Stopped,
        Err(_) => return None, // it gives way, as a connection without a request does
    };
    if let Some(responses) = slot.registry.responses() {
        // Nobody can read a response, but the fault is counted and logged.
        let unserved = UnservedRequest::new(UnservedCause::Handshake(fault), peer, &[]);
        let _ = responses.respond(&unserved);
    }
    None
}

/// What the client sends first. `None` if the connection ends before that: a stop leaves a new client a moment to send
/// something.
async fn opening(stream: &TcpStream, slot: &ConnectionSlot) -> Option<Opening> {
    let until = Instant::now() + slot.registry.limits().head_grace;
    let opening = Opening::of(stream);
    let opening = match unless_commanded(slot, ConnectionCommand::Close, opening).await {
        Err(ConnectionCommand::Close) => {
            let opening = Opening::of(stream);
            let opening = unless_commanded(slot, ConnectionCommand::EndHead, opening);
            timeout_at(until, opening).await.ok()?
        }
        opening => opening,
    };
    opening.ok()?.ok()
}

/// Shakes hands with a client whose connection is rejected, so that it can read why. A client that speaks plain HTTP
/// is responded to in plain HTTP. `first_byte` is how long it may take to send anything.
pub(super) async fn secure_rejected(
    stream: ClientStream,
    tls: Arc<ServerTls>,
    first_byte: Duration,
) -> io::Result<ClientStream> {
    let ClientStream::Tcp(stream) = stream else {
        return Ok(stream);
    };
    match timeout(first_byte, Opening::of(&stream)).await?? {
        Opening::Tls => {
            let session = TlsAcceptor::from(Arc::clone(&tls.config))
                .accept(stream)
                .await?;
            Ok(ClientStream::Tls(Box::new(session)))
        }
        Opening::PlainHttp | Opening::Nothing => Ok(ClientStream::Tcp(stream)),
    }
}

/// The session with the certificate of its client. `None` if that has expired: rustls does not verify the certificate
/// of a resumed session again.
fn secured(
    session: TlsStream<TcpStream>,
    tls: &ServerTls,
    slot: &ConnectionSlot,
    peer: &Peer,
) -> Option<(TlsStream<TcpStream>, Peer)> {
    let chain = session.get_ref().1.peer_certificates();
    let certificate = match chain {
        Some(chain) => {
            let certificate =
                PeerCertificate::new(chain, &tls.authorities, tls.client_trust.clone())?;
            if !certificate.is_valid() {
                return None;
            }
            slot.connection.set_end(certificate.ends());
            Some(Arc::new(certificate))
        }
        None => None,
    };
    let peer = Peer {
        scheme: OwnScheme::Https,
        certificate,
        ..peer.clone()
    };
    Some((session, peer))
}

/// What `work` results in, or the command that ends the connection before that: one to give way, to close if that is
/// not weaker than `weakest`, or a stronger one.
async fn unless_commanded<T>(
    slot: &ConnectionSlot,
    weakest: ConnectionCommand,
    work: impl Future<Output = T>,
) -> Result<T, ConnectionCommand> {
    let tracked = &slot.connection;
    let mut work = pin!(work);
    let mut is_started = false;
    poll_fn(|cx| {
        if !is_started {
            tracked.set_waker(cx.waker());
            is_started = true;
        }
        match tracked.command() {
            command @ ConnectionCommand::GiveWay => Poll::Ready(Err(command)),
            command if command >= weakest => Poll::Ready(Err(command)),
            _ => work.as_mut().poll(cx).map(Ok),
        }
    })
    .await
}

/// Says that the listener speaks TLS.
async fn respond_to_plain(stream: TcpStream, slot: &ConnectionSlot, peer: Peer) {
    let Some(responses) = slot.registry.responses() else {
        return;
    };
    let mut head = [0; PLAIN_HEAD];
    // The first byte has arrived, and what follows it does not matter.
    let Ok(length) = stream.try_read(&mut head) else {
        return;
    };
    slot.registry.metrics.bytes_in().inc_by(length as u64);
    let cause = UnservedCause::Head(HeadFault::NotTls);
    let unserved = UnservedRequest::new(cause, peer, &head[..length]);
    let bytes = unserved.response_bytes(responses);
    drop(unserved);
    let mut io = ClientIo::new(
        ClientStream::Tcp(stream),
        Arc::clone(&slot.connection),
        Arc::clone(&slot.registry.metrics),
    );
    last_response::send(&mut io, slot, &bytes).await;
}
