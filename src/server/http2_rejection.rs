//! The response to a connection that is rejected and speaks HTTP/2.

use std::convert::Infallible;
use std::future::{poll_fn, ready};
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};

use super::http2_crossing::{Following, ResponseForm};
use super::stream_tasks::StreamTasks;
use super::unserved::{UnservedCause, UnservedRequest, UnservedResponses};
use crate::guard::Peer;

/// Responds to the first request of a connection, and ends it. `first` has been read from it already.
pub(super) async fn respond_in_http2<S>(
    stream: S,
    first: &[u8],
    responses: &dyn UnservedResponses,
    peer: Peer,
    cause: UnservedCause,
    note_answered: impl FnOnce(),
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let rejected = Mutex::new(Some((peer, cause)));
    let service = service_fn(|request: Request<Incoming>| {
        let (head, _) = request.into_parts();
        let form = ResponseForm::of(&head);
        let rejected = rejected
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let response = rejected.and_then(|(peer, cause)| {
            responses.respond(&UnservedRequest::of_head(cause, peer, head))
        });
        ready(Ok::<_, Infallible>(in_form(form, response)))
    });
    let (read, write) = tokio::io::split(stream);
    let io = TokioIo::new(tokio::io::join(first.chain(read), write));
    let mut streams = StreamTasks::new(Duration::MAX); // the whole connection has a timeout
    let connection = http2::Builder::new(streams.executor())
        .max_concurrent_streams(1)
        .serve_connection(io, service);
    let mut connection = pin!(connection);
    let mut note_answered = Some(note_answered);
    poll_fn(|cx| {
        streams.poll(cx);
        while connection.as_mut().poll(cx).is_pending() {
            if !streams.take_new() {
                return Poll::Pending;
            }
            streams.poll(cx);
            if let Some(note_answered) = note_answered.take() {
                note_answered();
            }
            connection.as_mut().graceful_shutdown();
        }
        Poll::Ready(())
    })
    .await;
}

/// The response in the form of HTTP/2; a 503 without content to a second request.
fn in_form(form: ResponseForm, response: Option<Response<Bytes>>) -> Response<Full<Bytes>> {
    let response = response.unwrap_or_else(|| {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        response
    });
    let (mut head, content) = response.into_parts();
    let content = match form.apply(&mut head, Some(content.len() as u64)) {
        Following::Nothing => Bytes::new(),
        Following::Data | Following::DataAndTrailers(_) | Following::DataAndAllTrailers => content,
    };
    Response::from_parts(head, Full::new(content))
}
