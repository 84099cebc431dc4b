//! Collects the body of a response that may be an `OpenAPI` document, at most [`LIMIT`] of it. No other file collects a
//! body.

use std::collections::VecDeque;
use std::pin::Pin;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header, response};
use http_body::{Body as _, Frame};

use super::document;
use crate::proxy::origin_ref::OriginRef;
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
    headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok())
        .is_none_or(|length| length <= LIMIT)
}

/// Collects the body of a response, and forwards it with its servers rewritten, or else byte for byte.
pub(super) async fn forward_document(
    response: Response<UpstreamResponseBody>,
    upstream: OriginRef<'_>,
    client: &str,
) -> Response<ClientResponseBody> {
    let (mut head, body) = response.into_parts();
    let collected = CollectedBody::read(body).await;
    match collected
        .complete()
        .and_then(|old| document::rewritten(&old, upstream, client))
    {
        Some(new) => {
            update_head(&mut head, new.len());
            Response::from_parts(head, ClientResponseBody::generated(new.into()))
        }
        None => Response::from_parts(
            head,
            ClientResponseBody::collected(collected.frames, collected.rest),
        ),
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

/// The frames that have been read of a body.
struct CollectedBody {
    frames: VecDeque<Result<Frame<Bytes>, BodyError>>,
    /// `None` if the body has ended or was aborted.
    rest: Option<UpstreamResponseBody>,
}

impl CollectedBody {
    async fn read(mut body: UpstreamResponseBody) -> Self {
        let mut frames = VecDeque::new();
        let mut length = 0;
        while length <= LIMIT {
            let next = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
            let Some(frame) = next else {
                return Self { frames, rest: None };
            };
            let is_aborted = frame.is_err();
            length += frame
                .as_ref()
                .ok()
                .and_then(Frame::data_ref)
                .map_or(0, Bytes::len);
            frames.push_back(frame);
            if is_aborted {
                return Self { frames, rest: None };
            }
        }
        Self {
            frames,
            rest: Some(body),
        }
    }

    /// The bytes of the whole body, if all of it has been read.
    fn complete(&self) -> Option<Vec<u8>> {
        if self.rest.is_some() {
            return None;
        }
        let mut bytes = Vec::new();
        for frame in &self.frames {
            bytes.extend(frame.as_ref().ok()?.data_ref().into_iter().flatten());
        }
        Some(bytes)
    }
}
