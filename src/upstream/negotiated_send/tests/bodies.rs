//! Bodies and trailers in both directions.

use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};

use super::*;

/// A body that the test sends piece by piece.
pub(super) fn scripted() -> (mpsc::UnboundedSender<Frame<Bytes>>, TestBody) {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let frames = futures_util::stream::poll_fn(move |cx| {
        let next = receiver.poll_recv(cx);
        next.map(|frame: Option<Frame<Bytes>>| frame.map(Ok::<_, Infallible>))
    });
    (sender, BodyExt::boxed(StreamBody::new(frames)))
}

#[tokio::test]
async fn an_upload_ends_with_a_response_that_is_dropped() {
    let (listener, upstream) = listen().await;
    let (frames, body) = scripted();
    let server = async {
        let mut requests = serve(accept(&listener, None).await);
        let (mut request, mut response) = next(&mut requests).await;
        let data = request.body_mut().data().await.unwrap().unwrap();
        assert_eq!(data, "one");
        let stream = response.send_response(Response::new(()), false).unwrap();
        (requests, request, stream)
    };
    frames
        .send(Frame::data(Bytes::from_static(b"one")))
        .unwrap();
    let upload = request("POST").map(|_| body);
    let (response, (_requests, _request, mut stream)) =
        tokio::join!(send(&upstream, upload), server);
    drop(response);
    let reset = std::future::poll_fn(|cx| stream.poll_reset(cx));
    let reason = timeout(LIMIT, reset).await.expect("in time").unwrap();
    assert_eq!(reason, Reason::CANCEL);
    drop(frames);
}

#[tokio::test]
async fn only_announced_trailers_follow_a_request_and_those_of_a_response_need_no_announcement() {
    let (listener, upstream) = listen().await;
    let (frames, body) = scripted();
    let mut fields = HeaderMap::new();
    fields.insert("x-announced", HeaderValue::from_static("1"));
    fields.insert("x-other", HeaderValue::from_static("2"));
    frames
        .send(Frame::data(Bytes::from_static(b"one")))
        .unwrap();
    frames.send(Frame::trailers(fields.clone())).unwrap();
    drop(frames);
    let mut upload = request("POST").map(|_| body);
    let trailer = HeaderValue::from_static("x-announced");
    upload.headers_mut().insert("trailer", trailer);
    let server = async {
        let mut requests = serve(accept(&listener, None).await);
        let (mut request, mut response) = next(&mut requests).await;
        assert_eq!(request.body_mut().data().await.unwrap().unwrap(), "one");
        assert!(request.body_mut().data().await.is_none());
        let received = request.body_mut().trailers().await.unwrap().unwrap();
        let mut stream = response.send_response(Response::new(()), false).unwrap();
        stream.send_trailers(fields).unwrap();
        (requests, received)
    };
    let (response, (_requests, received)) = tokio::join!(send(&upstream, upload), server);
    let names: Vec<&str> = received.keys().map(http::HeaderName::as_str).collect();
    assert_eq!(names, ["x-announced"]);
    #[expect(clippy::disallowed_methods, reason = "the body is empty")]
    let collected = response.into_body().collect().await.unwrap();
    assert_eq!(collected.trailers().unwrap().len(), 2);
}

#[tokio::test]
async fn a_body_with_a_length_arrives_whole_and_keeps_its_length() {
    const LENGTH: usize = 300_000;
    let (listener, upstream) = listen().await;
    let server = async {
        let mut requests = serve(accept(&listener, None).await);
        let (mut request, response) = next(&mut requests).await;
        assert_eq!(request.headers()["content-length"], LENGTH.to_string());
        let mut length = 0;
        while let Some(data) = request.body_mut().data().await {
            let data = data.unwrap();
            length += data.len();
            let _ = request
                .body_mut()
                .flow_control()
                .release_capacity(data.len());
        }
        respond(response);
        (requests, length)
    };
    let body = Full::new(Bytes::from(vec![b'x'; LENGTH])).boxed();
    let upload = request("POST").map(|_| body);
    let (response, (_requests, length)) = tokio::join!(send(&upstream, upload), server);
    assert_eq!((response.status(), length), (StatusCode::OK, LENGTH));
}
