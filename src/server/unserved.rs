//! Requests that the server answers itself because no service gets to see them: what is known about one, and the
//! response on the wire.

use bytes::Bytes;
use http::request;
use http::{HeaderName, HeaderValue, Method, Request, Response, Uri, header};
use percent_encoding::{AsciiSet, CONTROLS, percent_encode};

use super::handshake_fault::HandshakeFault;
use super::head_fault::{HeadFault, lines, split_target};
use crate::guard::{Peer, Rejection};

/// Makes the responses to requests that no service gets to see, and records them.
pub trait UnservedResponses: Send + Sync {
    /// Whether the guard rejects this peer whatever it sends.
    ///
    /// # Errors
    /// Why it does.
    fn check_peer(&self, peer: &Peer) -> Result<(), Rejection>;

    /// The response, which closes the connection. `None` if the client does not speak HTTP.
    fn respond(&self, unserved: &UnservedRequest) -> Option<Response<Bytes>>;

    /// The time to drain is over: what ends from now on without a response has been cut.
    fn begin_cut(&self);
}

/// A request that no service gets to see.
#[derive(Debug)]
pub struct UnservedRequest {
    /// Why not.
    pub cause: UnservedCause,
    /// Who sent it.
    pub peer: Peer,
    /// What could be read of its head. The target is only the path, percent-encoded where necessary.
    pub head: Request<()>,
    /// Whether the method could be read.
    pub has_method: bool,
}

/// Why no service gets to see a request.
#[derive(Debug)]
pub enum UnservedCause {
    /// All connections are busy.
    Full,
    /// The guard rejects the peer.
    Peer(Rejection),
    /// The TLS handshake has failed.
    Handshake(HandshakeFault),
    /// The head cannot be read.
    Head(HeadFault),
    /// The head did not arrive within `limits.header_timeout`.
    HeadTimeout,
    /// The head did not arrive before the server stopped.
    Draining,
}

impl UnservedRequest {
    /// Reads as much as it can of `head`, which may be cut off or malformed.
    pub(super) fn new(cause: UnservedCause, peer: Peer, head: &[u8]) -> Self {
        let mut request = Request::new(());
        let start = head.iter().position(|byte| !matches!(byte, b'\r' | b'\n'));
        let head = &head[start.unwrap_or(head.len())..];
        let end = head.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
        let request_line = &head[..end.unwrap_or(head.len())];
        let mut words = request_line.splitn(2, |byte| *byte == b' ');
        let method = words.next().unwrap_or_default();
        let rest = words.next();
        let method = rest.and_then(|_| Method::from_bytes(method).ok());
        let has_method = method.is_some();
        *request.method_mut() = method.unwrap_or_default();
        if let (true, Some(rest)) = (has_method, rest) {
            *request.uri_mut() = path_of(rest, end.is_some());
        }
        for line in lines(head).skip(1).take_while(|line| !line.is_empty()) {
            let mut parts = line.splitn(2, |byte| *byte == b':');
            let name = parts.next().map(HeaderName::from_bytes);
            let value = parts
                .next()
                .map(|value| HeaderValue::from_bytes(value.trim_ascii()));
            if let (Some(Ok(name)), Some(Ok(value))) = (name, value)
                && request.headers_mut().try_append(name, value).is_err()
            {
                break; // more than a map can hold
            }
        }
        Self {
            cause,
            peer,
            head: request,
            has_method,
        }
    }

    /// The same for a request of HTTP/2, whose head could be read.
    pub(super) fn of_head(cause: UnservedCause, peer: Peer, mut head: request::Parts) -> Self {
        head.extensions.clear();
        head.uri = head.uri.path().parse().unwrap_or_default(); // without the query
        Self {
            cause,
            peer,
            head: Request::from_parts(head, ()),
            has_method: true,
        }
    }

    /// The response as HTTP/1.1 (RFC 9112 section 2.1), with its length and `Connection: close`.
    pub(super) fn encode(&self, response: &Response<Bytes>) -> Vec<u8> {
        let mut text = format!("HTTP/1.1 {}\r\n", response.status()).into_bytes();
        for (name, value) in response.headers() {
            if ![header::CONTENT_LENGTH, header::CONNECTION].contains(name) {
                text.extend_from_slice(name.as_str().as_bytes());
                text.extend_from_slice(b": ");
                text.extend_from_slice(value.as_bytes());
                text.extend_from_slice(b"\r\n");
            }
        }
        let length = response.body().len();
        let end = format!("content-length: {length}\r\nconnection: close\r\n\r\n");
        text.extend_from_slice(end.as_bytes());
        if self.head.method() != Method::HEAD {
            text.extend_from_slice(response.body());
        }
        text
    }

    /// What to send to the client: the response, or a TLS alert to a client that speaks TLS (RFC 8446 section 6).
    pub(super) fn response_bytes(&self, responses: &dyn UnservedResponses) -> Vec<u8> {
        const FATAL: u8 = 2;
        const HANDSHAKE_FAILURE: u8 = 40;
        match responses.respond(self) {
            Some(response) => self.encode(&response),
            None => vec![21, 3, 1, 0, 2, FATAL, HANDSHAKE_FAILURE],
        }
    }
}

/// The path in what follows the method, up to the end of the line if that has arrived.
fn path_of(rest: &[u8], is_whole: bool) -> Uri {
    /// What a path may not contain as it is.
    const ENCODED: &AsciiSet = &CONTROLS
        .add(b' ')
        .add(b'"')
        .add(b'<')
        .add(b'>')
        .add(b'`')
        .add(b'{')
        .add(b'}');
    let end = rest.iter().rposition(|byte| *byte == b' ');
    let is_version = |word: &[u8]| {
        word.get(..5)
            .is_some_and(|it| it.eq_ignore_ascii_case(b"http/"))
    };
    let target = match end {
        Some(end) if is_version(&rest[end + 1..]) => &rest[..end],
        // The beginning of the version.
        Some(_) if !is_whole => rest.split(|byte| *byte == b' ').next().unwrap_or_default(),
        Some(_) | None => rest,
    };
    let (_, path) = split_target(target);
    let end = path.iter().position(|byte| matches!(byte, b'?' | b'#'));
    let path = percent_encode(&path[..end.unwrap_or(path.len())], ENCODED).to_string();
    if path.starts_with('/') {
        path.parse().unwrap_or_default()
    } else {
        Uri::default()
    }
}

#[cfg(test)]
mod tests;
