//! The responses to requests that reach no proxy: the head cannot be read, the peer is not admitted, all connections
//! are busy. Each is counted and logged like any other failure, with what could be read.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Response, header};

use super::access_logger::AccessLogger;
use crate::config::PORT_PROBE_HOST;
use crate::guard::{Cors, Peer, Rejection};
use crate::net::client_fault_words;
use crate::problem::{ProblemFormat, ProblemResponse, Reason, RequestId};
use crate::server::{HandshakeFault, HeadFault, UnservedCause, UnservedRequest, UnservedResponses};
use crate::text::counted;

/// The guard that decides at the moment.
pub trait GuardView: Send + Sync {
    /// Whether the guard rejects whatever this peer sends.
    ///
    /// # Errors
    /// Why it does.
    fn check_peer(&self, peer: &Peer) -> Result<(), Rejection>;

    /// Whether the page that sent this head may read a rejection.
    fn cors(&self, headers: &HeaderMap) -> Cors;

    /// `limits.connections`, as far as the descriptors of the process allow.
    fn connections(&self) -> usize;
}

/// Responds to requests that no proxy gets to see.
pub struct UnservedResponder<G> {
    guard: G,
    access_logger: Arc<AccessLogger>,
}

impl<G: GuardView> UnservedResponder<G> {
    /// Records what it responds with `access_logger`.
    #[must_use]
    pub const fn new(guard: G, access_logger: Arc<AccessLogger>) -> Self {
        Self {
            guard,
            access_logger,
        }
    }

    /// The reason, what the client reads, and what is logged.
    fn explain(&self, cause: &UnservedCause) -> (Reason, String, String) {
        match cause {
            UnservedCause::Full => {
                let limit = self.guard.connections();
                let detail = format!(
                    "The proxy already has {} (limits.connections, or half of the open files that the system allows). Try again.",
                    counted(limit, "busy connection")
                );
                let error = format!(
                    "{} in use (limits.connections)",
                    counted(limit, "connection")
                );
                (Reason::Saturated, detail, error)
            }
            UnservedCause::Peer(rejection) => {
                let detail = rejection.detail.clone().into_owned();
                let error = format!("rejected: {detail}");
                (rejection.reason, detail, error)
            }
            UnservedCause::Handshake(fault) => {
                let error = handshake_words(fault);
                (Reason::BadRequest, error.clone(), error)
            }
            UnservedCause::Head(fault) => {
                let error = format!("the request cannot be read: {fault}");
                (head_reason(fault), head_detail(fault), error)
            }
            UnservedCause::HeadTimeout => {
                let detail = "The whole request head did not arrive within limits.header_timeout.";
                let error = "the request head did not arrive within limits.header_timeout";
                (Reason::ClientTimeout, detail.to_owned(), error.to_owned())
            }
            UnservedCause::Draining => {
                let detail = "The proxy stopped before the whole request head had arrived. The request was not sent to the API.";
                let error = "the proxy stopped before the whole request head had arrived";
                (Reason::Draining, detail.to_owned(), error.to_owned())
            }
        }
    }
}

impl<G: GuardView> UnservedResponses for UnservedResponder<G> {
    fn check_peer(&self, peer: &Peer) -> Result<(), Rejection> {
        self.guard.check_peer(peer)
    }

    fn respond(&self, unserved: &UnservedRequest) -> Option<Response<Bytes>> {
        let head = &unserved.head;
        let (reason, detail, error) = self.explain(&unserved.cause);
        let id = RequestId::of(head.headers());
        let mut record = self.access_logger.begin(unserved.peer.uid, id, head);
        if !unserved.has_method {
            record.set_unread();
        }
        record.set_rejection(reason, error);
        if is_port_probe(unserved) {
            record.discard();
        }
        let speaks_tls = matches!(
            unserved.cause,
            UnservedCause::Head(HeadFault::Tls) | UnservedCause::Handshake(_)
        );
        if speaks_tls {
            return None;
        }
        let format = if unserved.has_method {
            ProblemFormat::preferred_by(head.method(), head.headers())
        } else {
            ProblemFormat::Json
        };
        let problem = ProblemResponse {
            format: &format,
            close: true,
            ..ProblemResponse::new(reason, &detail, record.request_id())
        };
        let mut response = problem.response();
        self.guard
            .cors(head.headers())
            .apply(response.headers_mut());
        record.set_status(response.status());
        Some(response)
    }

    fn begin_cut(&self) {
        self.access_logger.begin_cut();
    }
}

/// Whether a cupbearer asks which program uses the port. It does not know that the port has TLS.
fn is_port_probe(unserved: &UnservedRequest) -> bool {
    let is_plain = matches!(unserved.cause, UnservedCause::Head(HeadFault::NotTls));
    is_plain
        && unserved
            .head
            .headers()
            .get(header::HOST)
            .is_some_and(|host| host == PORT_PROBE_HOST)
}

fn handshake_words(fault: &HandshakeFault) -> String {
    match fault {
        HandshakeFault::Timeout => {
            "the TLS handshake did not end within limits.header_timeout".to_owned()
        }
        HandshakeFault::Stopped => "the proxy stopped during the TLS handshake".to_owned(),
        HandshakeFault::Closed(error) => {
            format!("the connection was closed during the TLS handshake: {error}")
        }
        HandshakeFault::Protocol(error) => {
            format!("the TLS handshake failed: {}", client_fault_words(error))
        }
    }
}

const fn head_reason(fault: &HeadFault) -> Reason {
    match fault {
        HeadFault::Version { .. } => Reason::VersionNotSupported,
        HeadFault::TooManyFields { .. } | HeadFault::TooLong { .. } => Reason::HeadTooLarge,
        HeadFault::TargetTooLong => Reason::TargetTooLong,
        HeadFault::Tls | HeadFault::NotTls | HeadFault::Byte { .. } | HeadFault::Malformed(_) => {
            Reason::BadRequest
        }
    }
}

fn head_detail(fault: &HeadFault) -> String {
    match fault {
        HeadFault::Byte {
            byte,
            is_encodable: true,
            ..
        } => format!("This proxy cannot read the request: {fault}. Send that byte as %{byte:02X}."),
        _ => format!("This proxy cannot read the request: {fault}."),
    }
}
