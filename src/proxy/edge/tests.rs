use http::StatusCode;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Empty};
use tower::ServiceExt as _;

use super::*;
use crate::metrics::Metrics;
use crate::proxy::AccessLines;

type Nothing = BoxBody<bytes::Bytes, hyper::Error>;

fn request(path: &str) -> Request<Nothing> {
    let body = Empty::new().map_err(|never| match never {}).boxed();
    let request = Request::get(path).header(X_REQUEST_ID, "this-one");
    request.body(body).unwrap()
}

/// Panics at `/now` when it is first polled, at `/later` when it is polled again.
async fn fragile(request: Request<Nothing>) -> Result<Response<Body<Nothing>>, Failure> {
    assert_ne!(request.uri().path(), "/now", "a value of the request");
    tokio::task::yield_now().await;
    assert_ne!(request.uri().path(), "/later", "a value of the request");
    Ok(Response::new(Body::ours(bytes::Bytes::new())))
}

#[tokio::test]
async fn a_panic_is_a_500_for_one_client_and_the_next_is_served() {
    let edge = Edge {
        inner: tower::service_fn(fragile),
        account: Account::new(Metrics::new(None), AccessLines::None),
        uid: None,
    };
    for path in ["/now", "/later"] {
        let answer = edge.clone().oneshot(request(path)).await.unwrap();
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR, "{path}");
        assert_eq!(answer.headers()[X_REQUEST_ID], "this-one");
        assert_eq!(answer.headers()[http::header::CONNECTION], "close");
    }
    let answer = edge.oneshot(request("/fine")).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
}
