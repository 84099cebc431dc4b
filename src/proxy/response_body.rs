//! The body of a response to the client: generated here, streamed from the upstream, or collected by `rewrite`.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};

use super::hop_by_hop::is_removed_from_response;
use super::request_body::UpstreamRequestBody;
use super::trailers;
use crate::upstream::{self, BodyError};

/// The body of an upstream's response.
pub(super) type UpstreamResponseBody = upstream::ResponseBody<UpstreamRequestBody>;

/// Follows a response to its end. It is dropped with the body, so whatever it holds is released after the last frame.
pub(super) trait EndOfResponse: Send {
    /// Called with each frame, and with the error that ends a response early.
    fn on_frame(&mut self, frame: &Result<Frame<Bytes>, BodyError>);
}

/// The body of a response to the client.
pub struct ClientResponseBody {
    content: ResponseContent,
    // Dropped last: the connection to the upstream is released before the response counts as ended.
    end: Option<Box<dyn EndOfResponse>>,
}

enum ResponseContent {
    Generated(Option<Bytes>),
    Streamed(UpstreamResponseBody),
    /// The head has a length, but there is no content.
    LengthOnly,
    Collected {
        frames: VecDeque<Result<Frame<Bytes>, BodyError>>,
        rest: Option<UpstreamResponseBody>,
    },
}

impl ClientResponseBody {
    const fn new(content: ResponseContent) -> Self {
        Self { content, end: None }
    }

    /// A body that cupbearer generated.
    pub(super) const fn generated(bytes: Bytes) -> Self {
        Self::new(ResponseContent::Generated(Some(bytes)))
    }

    /// The upstream's response, streamed.
    ///
    /// A 304 may have the length that a 200 would have had (RFC 9110 section 15.4.5). hyper writes it only if the body
    /// has not ended, and sends no content.
    pub(super) fn streamed(response: Response<UpstreamResponseBody>) -> Response<Self> {
        let is_length_only = response.status() == StatusCode::NOT_MODIFIED
            && response.headers().contains_key(header::CONTENT_LENGTH);
        response.map(|body| {
            Self::new(if is_length_only {
                ResponseContent::LengthOnly
            } else {
                ResponseContent::Streamed(body)
            })
        })
    }

    /// The upstream's response, of which `frames` have already been read.
    pub(super) const fn collected(
        frames: VecDeque<Result<Frame<Bytes>, BodyError>>,
        rest: Option<UpstreamResponseBody>,
    ) -> Self {
        Self::new(ResponseContent::Collected { frames, rest })
    }

    /// From here on `end` sees each frame. It is dropped after the content.
    pub(super) fn set_end(&mut self, end: Box<dyn EndOfResponse>) {
        self.end = Some(end);
    }
}

impl Body for ClientResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let polled = match &mut this.content {
            ResponseContent::Generated(bytes) => Poll::Ready(
                bytes
                    .take()
                    .filter(|bytes| !bytes.is_empty())
                    .map(|bytes| Ok(Frame::data(bytes))),
            ),
            ResponseContent::Streamed(body) => poll_upstream(body, cx),
            ResponseContent::LengthOnly => Poll::Ready(None),
            ResponseContent::Collected { frames, rest } => {
                match (frames.pop_front(), rest.as_mut()) {
                    (Some(frame), _) => Poll::Ready(Some(frame.map(without_removed_trailers))),
                    (None, Some(rest)) => poll_upstream(rest, cx),
                    (None, None) => Poll::Ready(None),
                }
            }
        };
        if let (Poll::Ready(Some(frame)), Some(end)) = (&polled, &mut this.end) {
            end.on_frame(frame);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            ResponseContent::Generated(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            ResponseContent::Streamed(body) => body.is_end_stream(),
            ResponseContent::LengthOnly => false,
            ResponseContent::Collected { frames, rest } => {
                frames.is_empty() && rest.as_ref().is_none_or(Body::is_end_stream)
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            ResponseContent::Generated(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            ResponseContent::Streamed(body) => body.size_hint(),
            // The head has the upstream's `Content-Length`, or says that the body is chunked.
            ResponseContent::LengthOnly | ResponseContent::Collected { .. } => SizeHint::default(),
        }
    }
}

fn poll_upstream(
    body: &mut UpstreamResponseBody,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
    Pin::new(body)
        .poll_frame(cx)
        .map_ok(without_removed_trailers)
}

fn without_removed_trailers(frame: Frame<Bytes>) -> Frame<Bytes> {
    trailers::filtered(frame, is_removed_from_response)
}
