use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

use super::*;

#[test]
fn only_a_401_without_insufficient_scope_in_any_line_rejects_the_token() {
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    assert!(is_token_rejected(&response), "with no challenge at all");
    let headers = response.headers_mut();
    headers.append(WWW_AUTHENTICATE, "Basic realm=\"x\"".parse().unwrap());
    headers.append(
        WWW_AUTHENTICATE,
        "Bearer error=\"insufficient_scope\"".parse().unwrap(),
    );
    assert!(!is_token_rejected(&response));
    *response.headers_mut() = HeaderMap::new();
    *response.status_mut() = StatusCode::FORBIDDEN;
    assert!(!is_token_rejected(&response));
}
