//! The body of a response of the admin listener: a whole one, or the events of the live page.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;

use super::events::EventStream;
use super::examination::ExaminationLines;

/// The body of a response of the admin listener.
pub enum AdminBody {
    /// Known from the start.
    Whole(Full<Bytes>),
    /// Continues until the viewer leaves.
    Events(Box<EventStream>),
    /// Ends with the last check.
    Examination(ExaminationLines),
}

impl From<Bytes> for AdminBody {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(Full::new(bytes))
    }
}

impl Body for AdminBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(body) => Pin::new(body).poll_frame(cx),
            Self::Events(events) => events
                .poll_next(cx)
                .map(|next| next.map(|text| Ok(Frame::data(text.into())))),
            Self::Examination(lines) => lines
                .poll_next(cx)
                .map(|next| next.map(|text| Ok(Frame::data(text.into())))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_end_stream(),
            Self::Events(_) | Self::Examination(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::Events(_) | Self::Examination(_) => SizeHint::default(),
        }
    }
}
