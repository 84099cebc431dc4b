//! Streams that the API resets with `NO_ERROR`, before the end of a response and after it.

use http_body::Frame;
use http_body_util::{BodyExt, Full};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

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
        for is_upload_over in [true, false] {
            let (frames, body) = scripted();
            let _frames = (!is_upload_over).then_some(frames);
            let read = read_until_reset(request("POST").map(|_| body), length, false).await;
            assert!(matches!(read, Err(BodyError::Unfinished)), "{read:?}");
        }
    }
}

#[tokio::test]
async fn a_response_of_which_the_whole_length_has_arrived_is_complete() {
    let read = read_until_reset(request("GET"), Some(5), false).await;
    assert!(read.is_ok(), "{read:?}");
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

/// A whole response and the reset of its stream, as an API sends them at once that declines the rest of an upload.
fn declining(length: &[u8]) -> Vec<u8> {
    const OK: &[u8] = &[0x88]; // HPACK's static table
    let frame = |kind: u8, flags: u8, payload: &[u8]| {
        let size = u8::try_from(payload.len()).unwrap();
        [&[0, 0, size, kind, flags, 0, 0, 0, 1], payload].concat()
    };
    let (headers, data) = (frame(1, 4, &[OK, length].concat()), frame(0, 1, b"first"));
    [headers, data, frame(3, 0, &[0; 4])].concat()
}

#[tokio::test]
async fn a_whole_response_is_complete_while_a_part_of_the_upload_is_still_to_be_sent() {
    const WINDOW: usize = 65_535;
    const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
    const LENGTH: &[u8] = &[0x0f, 0x0d, 1, b'5']; // content-length: 5
    for (length, is_last) in [(LENGTH, true), (&[], true), (LENGTH, false), (&[], false)] {
        let (listener, upstream) = listen().await;
        let server = async {
            let mut socket = listener.accept().await.unwrap().0;
            socket.write_all(SETTINGS).await.unwrap();
            let mut received = vec![0; WINDOW];
            socket.read_exact(&mut received).await.unwrap();
            socket.write_all(&declining(length)).await.unwrap();
            socket
        };
        let data = Bytes::from(vec![0; WINDOW + 1]);
        let (frames, more) = scripted();
        frames.send(Frame::data(data.clone())).unwrap();
        let body = if is_last {
            Full::new(data).boxed()
        } else {
            more
        };
        let (mut response, _socket) =
            tokio::join!(send(&upstream, request("POST").map(|_| body)), server);
        let first = response.body_mut().frame().await.unwrap().unwrap();
        assert_eq!(first.into_data().unwrap(), "first");
        let rest = response.body_mut().frame().await;
        assert!(rest.is_none(), "{rest:?}");
    }
}
