//! CORS (Fetch, section 3.2), which the proxy handles itself. The upstream's own fields are removed, because only
//! `guard.origins` decides which pages may read a response.
//!
//! `Access-Control-Allow-Credentials` is never sent: another page must not benefit from cookies, or from a key typed
//! into the browser's own dialog. A page that has a key sends it itself.

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

use crate::problem::PROXY_STATUS;

/// Sent by Chromium 104 to 141 for an address in a more private network than the page's.
const REQUEST_PRIVATE_NETWORK: HeaderName =
    HeaderName::from_static("access-control-request-private-network");
const ALLOW_PRIVATE_NETWORK: HeaderName =
    HeaderName::from_static("access-control-allow-private-network");

/// Without credentials, `*` means every field (Fetch, section 3.3.3). A page that may read the body may also read
/// `ETag`, `Location` or `X-Request-Id`.
const EVERY_FIELD: HeaderValue = HeaderValue::from_static("*");

/// In seconds; Chromium's own maximum. It only saves round trips: an origin that is no longer configured is rejected at
/// the request itself.
const MAX_AGE: HeaderValue = HeaderValue::from_static("7200");

/// What tells that the proxy, and not the API, answered a preflight (RFC 9209 section 2).
const PREFLIGHT_STATUS: HeaderValue = HeaderValue::from_static("cupbearer; details=\"preflight\"");

/// The value of `Vary`.
const ORIGIN: HeaderValue = HeaderValue::from_static("origin");

/// What a response tells a browser about which pages may read it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Cors {
    /// Nothing, because `guard.origins` is empty.
    #[default]
    Off,
    /// That the response depends on `Origin`, so that a cache does not serve it to pages of other origins.
    Varies,
    /// That the page of this origin, which sent the request, may read the response.
    For(HeaderValue),
}

impl Cors {
    /// Adds the fields to a response, ours or the upstream's.
    #[inline]
    pub fn apply(&self, headers: &mut HeaderMap) {
        match self {
            Self::Off => {}
            Self::Varies => vary(headers),
            Self::For(origin) => {
                vary(headers);
                headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
                headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EVERY_FIELD);
            }
        }
    }
}

/// Adds `Vary: Origin`. A second line means the same as a longer first one (RFC 9110 section 5.3).
fn vary(headers: &mut HeaderMap) {
    let is_present = headers
        .get_all(VARY)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .any(|name| name == b"*" || name.eq_ignore_ascii_case(b"origin"));
    if !is_present {
        headers.append(VARY, ORIGIN);
    }
}

/// Whether this is a preflight: a browser asks what a page may send. Such a request never carries a key.
pub(super) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// The response to a preflight. It allows whatever the browser asks for: a method or a path that is not allowed is
/// rejected at the request itself, with a reason that the page can read.
pub(super) fn preflight(cors: &Cors, requested: &HeaderMap) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    cors.apply(headers);
    headers.remove(ACCESS_CONTROL_EXPOSE_HEADERS);
    for (request_field, response_field) in [
        (ACCESS_CONTROL_REQUEST_METHOD, ACCESS_CONTROL_ALLOW_METHODS),
        (ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_ALLOW_HEADERS),
        (REQUEST_PRIVATE_NETWORK, ALLOW_PRIVATE_NETWORK),
    ] {
        for line in requested.get_all(&request_field) {
            headers.append(&response_field, line.clone());
        }
        if requested.contains_key(&request_field) {
            headers.append(VARY, HeaderValue::from(request_field));
        }
    }
    headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    headers.insert(PROXY_STATUS, PREFLIGHT_STATUS);
    response
}
