//! Streams that the API resets with `NO_ERROR`, before the end of a response and after it.

use super::bodies::scripted;
use super::*;
use crate::upstream::errors::BodyError;

/// What is read of a response of which the API sends five bytes before it resets the stream.
async fn read_until_reset(
    request: TestRequest,
    length: Option<u32>,
    is_complete: bool,
) -> Result<Bytes, BodyError> {
    let (listener, upstream) = listen().await;
    let server = async {
        let mut requests = serve(accept(&listener, None).await);
        let (_, mut respond) = next(&mut requests).await;
        let mut response = Response::builder();
        if let Some(length) = length {
            response = response.header("content-length", length);
        }
        let response = response.body(()).unwrap();
        let mut stream = respond.send_response(response, false).unwrap();
        stream.send_data("first".into(), is_complete).unwrap();
        (requests, stream)
    };
    let (mut response, (_requests, mut stream)) = tokio::join!(send(&upstream, request), server);
    let first = response.body_mut().frame().await.unwrap().unwrap();
    let first = first.into_data().unwrap();
    stream.send_reset(Reason::NO_ERROR);
    match response.body_mut().frame().await {
        None => Ok(first),
        Some(Err(error)) => Err(error),
        Some(Ok(frame)) => panic!("{frame:?}"),
    }
}

#[tokio::test]
async fn a_response_that_breaks_off_with_no_error_is_incomplete() {
    for length in [None, Some(10)] {
        let read = read_until_reset(request("GET"), length, false).await;
        assert!(matches!(read, Err(BodyError::Unfinished)), "{read:?}");
        // The API has all of the upload, so it declines nothing.
        let (frames, body) = scripted();
        drop(frames);
        let read = read_until_reset(request("POST").map(|_| body), length, false).await;
        assert!(matches!(read, Err(BodyError::Unfinished)), "{read:?}");
    }
}

#[tokio::test]
async fn the_rest_of_an_upload_may_be_declined_after_a_complete_response() {
    for (length, is_complete) in [(None, true), (Some(5), true), (Some(10), false)] {
        let (_frames, body) = scripted();
        let request = request("POST").map(|_| body);
        let read = read_until_reset(request, length, is_complete).await;
        assert_eq!(read.is_ok(), is_complete, "{length:?}: {read:?}");
    }
}
