//! Connections on which the API has stopped responding.

use super::*;

const SHORT: Duration = Duration::from_millis(50);

/// An upstream with these two limits.
async fn listen_with(
    head_timeout: Duration,
    stall_timeout: Duration,
) -> (TcpListener, Upstream<TestBody>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut config = config_of(address, config::ApiHttp2::Always, LIMIT);
    (config.head_timeout, config.stall_timeout) = (head_timeout, stall_timeout);
    (listener, Upstream::uncounted(&config, &tls_without_roots()))
}

#[tokio::test]
async fn a_connection_gets_no_further_requests_once_a_response_is_overdue() {
    let (listener, upstream) = listen_with(SHORT, LIMIT).await;
    let server = async { serve(accept(&listener, None).await) };
    let sending = upstream.send(Instant::now(), request("POST"), WithoutRenewal);
    let (sent, _requests) = tokio::join!(sending, server);
    assert!(matches!(sent, Err(SendError::HeadTimeout { .. })));
    assert!(upstream.http2.reserve().is_none());
}

#[tokio::test]
async fn a_connection_gets_no_further_requests_once_a_response_has_stalled() {
    let (listener, upstream) = listen_with(LIMIT, SHORT).await;
    let server = async {
        let mut requests = serve(accept(&listener, None).await);
        let (_, mut response) = next(&mut requests).await;
        let stream = response.send_response(Response::new(()), false).unwrap();
        (requests, stream)
    };
    let (response, _server) = tokio::join!(send(&upstream, request("GET")), server);
    let frame = response.into_body().frame().await;
    assert!(frame.unwrap().is_err());
    assert!(upstream.http2.reserve().is_none());
}
