use super::*;

/// How long a client holds a slot that sends `request` and then neither reads nor closes.
async fn time_held(request: &[u8]) -> Duration {
    let response: OverloadResponse = Arc::new(|_| Response::new(Bytes::from_static(b"no")));
    let (mut client, stream) = tokio::io::duplex(4096);
    client.write_all(request).await.unwrap();
    let start = tokio::time::Instant::now();
    let _ = respond(stream, &response).await;
    start.elapsed().max(Duration::from_millis(1))
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_releases_its_slot_sooner_than_one_that_sends_a_request() {
    let silent = time_held(b"").await;
    assert!(
        silent <= FIRST_BYTE_TIMEOUT + Duration::from_millis(5),
        "{silent:?}"
    );
    let asking = time_held(b"GET").await;
    assert!(
        asking >= RESPONSE_TIMEOUT,
        "its response stays readable: {asking:?}"
    );
    assert!(
        asking <= RESPONSE_TIMEOUT + Duration::from_millis(5),
        "{asking:?}"
    );
}

#[test]
fn a_rejection_has_exactly_one_content_length_and_it_is_its_own() {
    let mut response = Response::new(Bytes::from_static(b"no"));
    *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    headers.insert("content-length", http::HeaderValue::from_static("99"));
    headers.insert("retry-after", http::HeaderValue::from_static("1"));
    assert_eq!(
        String::from_utf8(encode(&response)).unwrap(),
        "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno"
    );
}
