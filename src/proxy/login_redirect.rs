//! Sends a browser that opens a login page of the API to the API's own host: on ours, the login's cookie would be lost.

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};

use crate::config::LoginPages;
use crate::problem::PROXY_STATUS;

/// Says that cupbearer made the response.
const SIGN_IN_STATUS: HeaderValue = HeaderValue::from_static("cupbearer; details=\"sign-in\"");

/// The redirect, if this is a navigation to such a page. A client without `Sec-Fetch-Mode` may be a browser that does
/// not send it.
pub(super) fn login_redirect<B>(
    pages: &LoginPages,
    request: &Request<B>,
) -> Option<Response<Bytes>> {
    let mode = request.headers().get("sec-fetch-mode");
    let may_navigate = mode.is_none_or(|mode| mode == "navigate");
    if !may_navigate || ![Method::GET, Method::HEAD].contains(request.method()) {
        return None;
    }
    let address = pages.address(request.uri().path_and_query()?)?;
    let location = HeaderValue::try_from(address).ok()?;
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::FOUND;
    response.headers_mut().insert(header::LOCATION, location);
    let no_store = HeaderValue::from_static("no-store");
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, no_store);
    response.headers_mut().insert(PROXY_STATUS, SIGN_IN_STATUS);
    Some(response)
}
