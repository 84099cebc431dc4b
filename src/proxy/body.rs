//! Bodies on their way through: streamed, or given from what `rewrite` had to collect; each carrying what must be let go with its last frame.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Response, StatusCode, header};
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::UpstreamBody;
use super::access::Line;
use super::admission::Permit;
use super::authorize::Sent;
use super::replay::{Again, First};
use super::{headers, trailers};
use crate::guard::CallerName;
use crate::upstream::BodyError;

/// What a client sends.
pub trait Inbound: HttpBody<Data = Bytes, Error = hyper::Error> + Send + Unpin + 'static {}

impl<I: HttpBody<Data = Bytes, Error = hyper::Error> + Send + Unpin + 'static> Inbound for I {}

/// What is sent to the upstream.
pub(super) enum Outbound<I> {
    /// Nothing.
    Empty,
    /// The client's body as it comes.
    First(First<I>),
    /// The same body once more, after a 401.
    Again(Box<Again<I>>),
}

impl<I: Inbound> HttpBody for Outbound<I> {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = match self.get_mut() {
            Self::Empty => return Poll::Ready(None),
            Self::First(body) => body.poll_frame(cx),
            Self::Again(body) => body.poll_frame(cx),
        };
        polled.map_ok(|frame| trailers::checked(frame, headers::stays_behind))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::First(body) => body.is_end_stream(),
            Self::Again(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::First(body) => body.size_hint(),
            Self::Again(body) => body.size_hint(),
        }
    }
}

/// What the client gets.
pub struct Body<I: Inbound> {
    kind: Kind<I>,
    _permit: Option<Permit>,
    sent: Option<Sent>,
    caller: Option<CallerName>,
    line: Option<Box<Line>>,
}

enum Kind<I: Inbound> {
    Ours(Option<Bytes>),
    Upstream(UpstreamBody<I>),
    /// A length is said, and nothing comes.
    Withheld,
    Taken {
        frames: VecDeque<Result<Frame<Bytes>, BodyError>>,
        rest: Option<UpstreamBody<I>>,
    },
}

impl<I: Inbound> Body<I> {
    /// An answer of our own.
    pub(super) fn ours(bytes: Bytes) -> Self {
        Self {
            kind: Kind::Ours(Some(bytes)),
            _permit: None,
            sent: None,
            caller: None,
            line: None,
        }
    }

    /// The upstream's answer, streamed; the permit goes with its last frame.
    ///
    /// A 304 may say the length that a 200 would have had (RFC 9110 section 15.4.5). hyper writes it only
    /// beside a body that has not ended, and sends none of that.
    pub(super) fn upstream(response: Response<UpstreamBody<I>>, permit: Permit) -> Response<Self> {
        let is_withheld = response.status() == StatusCode::NOT_MODIFIED
            && response.headers().contains_key(header::CONTENT_LENGTH);
        response.map(|body| Self {
            kind: if is_withheld {
                Kind::Withheld
            } else {
                Kind::Upstream(body)
            },
            _permit: Some(permit),
            sent: None,
            caller: None,
            line: None,
        })
    }

    /// What we have made of the upstream's answer.
    pub(super) fn made(bytes: Bytes, permit: Permit) -> Self {
        Self {
            _permit: Some(permit),
            ..Self::ours(bytes)
        }
    }

    /// The upstream's answer, of which some has been taken already.
    pub(super) fn taken(
        frames: VecDeque<Result<Frame<Bytes>, BodyError>>,
        rest: Option<UpstreamBody<I>>,
        permit: Permit,
    ) -> Self {
        Self {
            kind: Kind::Taken { frames, rest },
            _permit: Some(permit),
            sent: None,
            caller: None,
            line: None,
        }
    }

    // In place: a body is some hundred bytes, which a builder would copy at each step.

    /// What became of the token it was asked for with.
    pub(super) fn set_sent(&mut self, sent: Sent) {
        self.sent = Some(sent);
    }

    /// Who asked for it.
    pub(super) fn set_caller(&mut self, caller: Option<CallerName>) {
        self.caller = caller;
    }

    /// The request's account, which is closed when the body has ended.
    pub(super) fn set_line(&mut self, mut line: Box<Line>) {
        line.sent(self.sent, self.caller.take());
        self.line = Some(line);
    }
}

impl<I: Inbound> HttpBody for Body<I> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let polled = match &mut this.kind {
            Kind::Ours(bytes) => Poll::Ready(
                bytes
                    .take()
                    .filter(|bytes| !bytes.is_empty())
                    .map(|bytes| Ok(Frame::data(bytes))),
            ),
            Kind::Upstream(body) => poll_upstream(body, cx),
            Kind::Withheld => Poll::Ready(None),
            Kind::Taken { frames, rest } => match (frames.pop_front(), rest.as_mut()) {
                (Some(frame), _) => Poll::Ready(Some(frame.map(answer_frame))),
                (None, Some(rest)) => poll_upstream(rest, cx),
                (None, None) => Poll::Ready(None),
            },
        };
        if let Some(line) = &mut this.line {
            line.note(&polled);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Ours(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Kind::Upstream(body) => body.is_end_stream(),
            Kind::Withheld => false,
            Kind::Taken { frames, rest } => {
                frames.is_empty() && rest.as_ref().is_none_or(HttpBody::is_end_stream)
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Ours(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Kind::Upstream(body) => body.size_hint(),
            // Its head says the length, or that it is chunked, as the upstream said it.
            Kind::Withheld | Kind::Taken { .. } => SizeHint::default(),
        }
    }
}

fn poll_upstream<I: Inbound>(
    body: &mut UpstreamBody<I>,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
    Pin::new(body).poll_frame(cx).map_ok(answer_frame)
}

fn answer_frame(frame: Frame<Bytes>) -> Frame<Bytes> {
    trailers::checked(frame, headers::stays_behind_in_response)
}
