use super::*;

/// How long a place is held by one that sends `request` and then neither reads nor leaves.
async fn held(request: &[u8]) -> Duration {
    let refusal: Refusal = Arc::new(|| Response::new(Bytes::from_static(b"no")));
    let (mut client, stream) = tokio::io::duplex(4096);
    client.write_all(request).await.unwrap();
    let start = tokio::time::Instant::now();
    let _ = tell(stream, &refusal).await;
    start.elapsed().max(Duration::from_millis(1))
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_gives_its_place_away_sooner_than_one_that_asks() {
    let silent = held(b"").await;
    assert!(
        silent <= FIRST_BYTE + Duration::from_millis(5),
        "{silent:?}"
    );
    let asking = held(b"GET").await;
    assert!(asking >= LIMIT, "its answer stays readable: {asking:?}");
    assert!(asking <= LIMIT + Duration::from_millis(5), "{asking:?}");
}

#[test]
fn a_refusal_is_framed_by_its_own_length_once() {
    let mut response = Response::new(Bytes::from_static(b"no"));
    *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    headers.insert("content-length", http::HeaderValue::from_static("99"));
    headers.insert("retry-after", http::HeaderValue::from_static("1"));
    assert_eq!(
        String::from_utf8(on_the_wire(&response)).unwrap(),
        "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno"
    );
}
