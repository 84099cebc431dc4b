//! One exchange over one stream of an HTTP/2 connection: from the request to the head of the response.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::ext::ReasonPhrase;
use tokio::time::Instant;

use super::errors::SendError;
use super::exchange::{ExchangeContext, HyperResult};
use super::framing;
use super::http2_form::{RequestTarget, announced_trailers, is_grpc};
use super::limits::StallTimer;
use super::response_body::ResponseBody;
use super::shared_connection::{ApiStream, ReservedStream};
use super::upload_progress::{OutgoingBody, TrackedBody};

/// An exchange over a stream without a response.
pub(super) enum StreamError<B> {
    /// The connection ended before it took the request.
    Unsent(Box<Request<TrackedBody<B>>>),
    /// The API has processed nothing of the request.
    Refused,
    /// The API has processed nothing of the request, and accepts it over HTTP/1.1 only.
    Http1Required,
    /// The request may have reached the upstream.
    MaybeSent(SendError),
}

impl<B: OutgoingBody> ExchangeContext<B> {
    /// Sends `request` on `stream`. The head is handed to hyper at once.
    pub(super) async fn exchange_on_stream(
        &self,
        stream: ReservedStream<B>,
        target: &RequestTarget,
        mut request: Request<TrackedBody<B>>,
    ) -> Result<Response<ResponseBody<B>>, StreamError<B>> {
        let ReservedStream {
            mut sender,
            tasks,
            slot,
            ..
        } = stream;
        target.to_http2(&mut request);
        let trailers = announced_trailers(request.headers());
        let upload = request.body().progress();
        let switch = request.body_mut().begin_stream(&tasks, &slot, trailers);
        let stream = ApiStream {
            slot,
            upload: switch,
            is_complete: false,
        };
        let deadline = self.deadline(upload.as_deref(), Instant::now());
        let mut timer = None;
        tasks.note_request();
        let mut response = pin!(sender.try_send_request(request));
        let result = poll_fn(|cx| match response.as_mut().poll(cx) {
            Poll::Ready(result) => Poll::Ready(Ok(result)),
            Poll::Pending => deadline.poll(&mut timer, cx).map(Err),
        })
        .await;
        let mut response = match result {
            Ok(result) => accepted(result)?,
            Err(error) => {
                if matches!(error, SendError::HeadTimeout { .. }) {
                    stream.retire_connection();
                }
                return Err(StreamError::MaybeSent(error));
            }
        };
        framing::check(&mut response, false).map_err(StreamError::MaybeSent)?;
        without_invented_reason(&mut response);
        let limit = self
            .stall_limit(&response)
            .filter(|_| !is_grpc(response.headers()));
        let stall = StallTimer::new(limit, upload);
        Ok(response.map(|incoming| ResponseBody::of_stream(incoming, stream, stall)))
    }
}

/// HTTP/2 has no reason phrases. For a status that hyper does not know, it would write `<none>` to a client of
/// HTTP/1.1.
fn without_invented_reason<B>(response: &mut Response<B>) {
    if response.status().canonical_reason().is_none() {
        let empty = ReasonPhrase::from_static(b"");
        response.extensions_mut().insert(empty);
    }
}

fn accepted<B>(result: HyperResult<B>) -> Result<Response<Incoming>, StreamError<B>> {
    let mut error = match result {
        Ok(response) => return Ok(response),
        Err(error) => error,
    };
    if let Some(request) = error.take_message() {
        return Err(StreamError::Unsent(Box::new(request)));
    }
    Err(match SendError::from_stream(error.into_error()) {
        SendError::Refused => StreamError::Refused,
        SendError::Http1Required => StreamError::Http1Required,
        error => StreamError::MaybeSent(error),
    })
}
