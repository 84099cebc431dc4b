//! Collects the body of a response that may be an `OpenAPI` document, at most [`LIMIT`] of it. No other file collects a
//! body.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header, response};
use http_body::{Body as _, Frame};

use super::changes::DocumentChanges;
use super::store::{DocumentStore, StoredDocument};
use crate::config;
use crate::proxy::origin_ref::ClientAddress;
use crate::proxy::response_body::{ClientResponseBody, UpstreamResponseBody};
use crate::upstream::BodyError;

/// The most bytes of a document that are collected. A longer one is streamed unchanged.
const LIMIT: usize = 8 << 20;

/// The fields that prove that a document is unchanged, or let a cache check it (RFC 9110 section 8.8, RFC 9530).
const VALIDATORS: [HeaderName; 6] = [
    header::ETAG,
    header::LAST_MODIFIED,
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("content-md5"),
];

/// Whether a response may be a document according to its head: a 200 with a JSON type, not encoded, not too long.
pub(super) fn may_be_document<B>(response: &Response<B>) -> bool {
    let headers = response.headers();
    response.status() == StatusCode::OK
        && is_json(headers)
        && is_not_encoded(headers)
        && is_short(headers)
}

/// `application/json`, or any type with the suffix `+json` (RFC 6838 section 4.2.8).
fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return false;
    };
    let essence = value
        .as_bytes()
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or_default()
        .trim_ascii()
        .to_ascii_lowercase();
    essence == b"application/json" || essence.ends_with(b"+json")
}

fn is_not_encoded(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// An unknown length is checked while the body is collected.
fn is_short(headers: &HeaderMap) -> bool {
    content_length(headers).is_none_or(|length| length <= LIMIT)
}

fn content_length(headers: &HeaderMap) -> Option<usize> {
    headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok())
}

/// How documents are rewritten, and how much memory all of them may take.
pub(super) struct DocumentRewriter {
    pub(super) store: Arc<DocumentStore>,
    /// `upstream.openapi_memory`.
    pub(super) memory: usize,
    pub(super) upstream: config::Origin,
    pub(super) changes: DocumentChanges,
}

impl DocumentRewriter {
    /// Collects the body of a response, and forwards it rewritten, or else byte for byte. `client` is
    /// the address that the client used.
    pub(super) async fn forward(
        &self,
        response: Response<UpstreamResponseBody>,
        client: ClientAddress,
    ) -> Response<ClientResponseBody> {
        let length = content_length(response.headers());
        let room = length.unwrap_or(LIMIT.min(self.memory));
        let Some(reservation) = self.store.reserve(room, self.memory).await else {
            return ClientResponseBody::streamed(response);
        };
        let (mut head, body) = response.into_parts();
        let CollectedBody { bytes, last, rest } = CollectedBody::read(body, room).await;
        let is_complete = rest.is_none() && last.as_ref().is_none_or(Result::is_ok);
        let mut document = Arc::new(StoredDocument::source(bytes, reservation));
        if is_complete {
            let store = &self.store;
            let (upstream, changes) = (&self.upstream, &self.changes);
            document = store.document(document, client, upstream, changes).await;
        } else if rest.is_some() && room < LIMIT {
            self.store.warn_of_unchanged();
        }
        let body = if document.is_rewritten {
            let content = document.content();
            update_head(&mut head, content.len());
            ClientResponseBody::generated(content)
        } else {
            let content = Ok(Frame::data(document.content()));
            let frames: VecDeque<_> = [content].into_iter().chain(last).collect();
            ClientResponseBody::collected(frames, rest)
        };
        Response::from_parts(head, body)
    }
}

/// Makes the head describe the rewritten document: its length, and no validators of the original. It must not be
/// cached, since the next client may use another address.
fn update_head(head: &mut response::Parts, length: usize) {
    for name in &VALIDATORS {
        head.headers.remove(name);
    }
    head.headers.remove(header::TRAILER);
    head.headers
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    head.headers.insert(header::CONTENT_LENGTH, length.into());
}

/// What has been read of a body. Its bytes are copied into one piece: a frame of one byte would take a hundred times as
/// much memory.
struct CollectedBody {
    bytes: Vec<u8>,
    /// The trailers, or the error that ended the body early.
    last: Option<Result<Frame<Bytes>, BodyError>>,
    /// `None` if the body has ended or was aborted.
    rest: Option<UpstreamResponseBody>,
}

impl CollectedBody {
    /// Reads the whole body, or slightly more than `room` bytes of it.
    async fn read(mut body: UpstreamResponseBody, room: usize) -> Self {
        let mut bytes = Vec::new();
        while bytes.len() <= room {
            let next = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
            let last = match next.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => {
                    append(&mut bytes, &data, room);
                    continue;
                }
                Some(Ok(Err(trailers))) => Some(Ok(trailers)),
                Some(Err(error)) => Some(Err(error)),
                None => None,
            };
            return Self {
                bytes,
                last,
                rest: None,
            };
        }
        Self {
            bytes,
            last: None,
            rest: Some(body),
        }
    }
}

/// Appends `data`. The capacity doubles, but not beyond `room` unless more is needed.
fn append(bytes: &mut Vec<u8>, data: &[u8], room: usize) {
    let needed = bytes.len() + data.len();
    if needed > bytes.capacity() {
        let wanted = (2 * bytes.capacity()).min(room).max(needed);
        bytes.reserve_exact(wanted - bytes.len());
    }
    bytes.extend_from_slice(data);
}
