use http::StatusCode;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Empty};
use tower::ServiceExt as _;

use super::*;
use crate::metrics::Metrics;
use crate::proxy::access_record::AccessLines;

type EmptyBody = BoxBody<Bytes, hyper::Error>;

fn request(path: &str) -> Request<EmptyBody> {
    let body = Empty::new().map_err(|never| match never {}).boxed();
    let request = Request::get(path).header(X_REQUEST_ID, "this-one");
    request.body(body).unwrap()
}

/// Panics at `/now` when it is first polled, at `/later` when it is polled again.
async fn panicking(
    IdentifiedRequest { request, .. }: IdentifiedRequest<EmptyBody>,
) -> Result<Forwarded, ForwardFailure> {
    assert_ne!(request.uri().path(), "/now", "a value of the request");
    tokio::task::yield_now().await;
    assert_ne!(request.uri().path(), "/later", "a value of the request");
    Ok(Forwarded {
        response: Response::new(ClientResponseBody::generated(Bytes::new())),
        attempt: None,
        caller: None,
        asks_upgrade: false,
        permit: None,
    })
}

#[tokio::test]
async fn after_a_panic_the_client_gets_a_500_and_the_next_request_is_served() {
    let access_logger = AccessLogger::new(Metrics::new(None), AccessLines::None);
    let service = RequestService::new(tower::service_fn(panicking), access_logger, None);
    for path in ["/now", "/later"] {
        let response = service.clone().oneshot(request(path)).await.unwrap();
        assert_eq!(
            response.status(),
            StatusCode::INTERNAL_SERVER_ERROR,
            "{path}"
        );
        assert_eq!(response.headers()[X_REQUEST_ID], "this-one");
        assert_eq!(response.headers()[http::header::CONNECTION], "close");
    }
    let mut call = request("/now");
    *call.method_mut() = http::Method::POST;
    let media_type = HeaderValue::from_static("application/grpc");
    call.headers_mut()
        .insert(http::header::CONTENT_TYPE, media_type);
    let response = service.clone().oneshot(call).await.unwrap();
    assert_eq!(response.headers()["grpc-status"], "13");
    let response = service.oneshot(request("/fine")).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}
