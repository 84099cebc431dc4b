//! The only place that collects a body: a candidate for an `OpenAPI` document, at most [`LIMIT`] of it.

use std::collections::VecDeque;
use std::pin::Pin;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header, response};
use http_body::{Body as _, Frame};

use super::{Place, document};
use crate::proxy::UpstreamBody;
use crate::proxy::admission::Permit;
use crate::proxy::body::{Body, Inbound};
use crate::upstream::BodyError;

/// How much of a document is collected, in bytes; a longer one streams through as it is.
const LIMIT: usize = 8 << 20;

/// What proves that a document is unchanged, or lets a cache ask whether it is: RFC 9110 section 8.8, RFC 9530.
const OF_THE_OLD_BYTES: [HeaderName; 6] = [
    header::ETAG,
    header::LAST_MODIFIED,
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("content-md5"),
];

/// Whether an answer may be a document, by its head: a 200 with a JSON type, unencoded, not too long.
pub(in crate::proxy) fn may_be_document<B>(response: &Response<B>) -> bool {
    let headers = response.headers();
    response.status() == StatusCode::OK
        && is_json(headers)
        && is_plain(headers)
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

fn is_plain(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// A length that is not said shows itself while collecting.
fn is_short(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok())
        .is_none_or(|length| length <= LIMIT)
}

/// Collects a candidate and passes it on: with its servers changed, or byte for byte as it came.
pub(in crate::proxy) async fn passed_on<I: Inbound>(
    response: Response<UpstreamBody<I>>,
    upstream: Place<'_>,
    client: &str,
    permit: Permit,
) -> Response<Body<I>> {
    let (mut head, body) = response.into_parts();
    let taken = Taken::of(body).await;
    match taken
        .whole()
        .and_then(|old| document::rewritten(&old, upstream, client))
    {
        Some(new) => {
            describe(&mut head, new.len());
            Response::from_parts(head, Body::made(new.into(), permit))
        }
        None => Response::from_parts(head, Body::taken(taken.frames, taken.rest, permit)),
    }
}

/// The head of a changed document: its own length, nothing that spoke of the old bytes, never stored,
/// since the next client may use another address.
fn describe(head: &mut response::Parts, length: usize) {
    for name in &OF_THE_OLD_BYTES {
        head.headers.remove(name);
    }
    head.headers.remove(header::TRAILER);
    head.headers
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    head.headers.insert(header::CONTENT_LENGTH, length.into());
}

/// What has been taken of a body, frame by frame.
struct Taken<I: Inbound> {
    frames: VecDeque<Result<Frame<Bytes>, BodyError>>,
    /// `None` where the body has ended or broken off.
    rest: Option<UpstreamBody<I>>,
}

impl<I: Inbound> Taken<I> {
    async fn of(mut body: UpstreamBody<I>) -> Self {
        let mut frames = VecDeque::new();
        let mut length = 0;
        while length <= LIMIT {
            let next = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
            let Some(frame) = next else {
                return Self { frames, rest: None };
            };
            let broke_off = frame.is_err();
            length += frame
                .as_ref()
                .ok()
                .and_then(Frame::data_ref)
                .map_or(0, Bytes::len);
            frames.push_back(frame);
            if broke_off {
                return Self { frames, rest: None };
            }
        }
        Self {
            frames,
            rest: Some(body),
        }
    }

    /// All of its bytes in one piece, if these are all.
    fn whole(&self) -> Option<Vec<u8>> {
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
