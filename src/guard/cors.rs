//! CORS (Fetch, section 3.2), answered by us: the upstream's own fields end here, since only
//! `guard.origins` says who may read. Only pages of these origins get any of it.
//!
//! Never `Access-Control-Allow-Credentials`: neither cookies nor a key typed into the browser's own
//! dialog shall serve another page. A page that has a key sends it itself.

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

use super::origin::CameFrom;

/// Asked by Chromium 104 to 141 of an address in a more private network than the page's.
const REQUEST_PRIVATE_NETWORK: HeaderName =
    HeaderName::from_static("access-control-request-private-network");
const ALLOW_PRIVATE_NETWORK: HeaderName =
    HeaderName::from_static("access-control-allow-private-network");

/// Without credentials this is every field (Fetch, section 3.3.3): whoever may read the body may read
/// `ETag`, `Location` or `X-Request-Id` too.
const EVERY_FIELD: HeaderValue = HeaderValue::from_static("*");

/// In seconds; Chromium's own maximum. It saves a round trip and allows nothing: an origin that is no
/// longer configured is refused at the request itself.
const MAX_AGE: HeaderValue = HeaderValue::from_static("7200");

const ORIGIN: HeaderValue = HeaderValue::from_static("origin");

/// What an answer tells a browser about who may read it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Cors {
    /// There are no `guard.origins`: nothing.
    #[default]
    Off,
    /// Pages of other origins are answered otherwise than this request is: else a cache would give them
    /// this answer.
    Varies,
    /// A page of this origin asks, and may read the answer.
    For(HeaderValue),
}

impl Cors {
    pub(super) fn of(came_from: CameFrom<'_>, allowed: &[String]) -> Self {
        match came_from {
            CameFrom::Allowed(origin) => Self::For(origin.clone()),
            CameFrom::Unknown | CameFrom::Ourselves if allowed.is_empty() => Self::Off,
            CameFrom::Unknown | CameFrom::Ourselves => Self::Varies,
        }
    }

    /// Writes it into an answer, ours or the upstream's.
    #[inline]
    pub fn mark(&self, headers: &mut HeaderMap) {
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

/// A second line means the same as a longer first one (RFC 9110 section 5.3).
fn vary(headers: &mut HeaderMap) {
    let says_so = headers
        .get_all(VARY)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .any(|name| name == b"*" || name.eq_ignore_ascii_case(b"origin"));
    if !says_so {
        headers.append(VARY, ORIGIN);
    }
}

/// Whether a browser asks on behalf of a page what it may send. Such a request never carries a key.
pub(super) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// Whatever is asked for is allowed: a method or a path that may not be is refused at the request itself,
/// with a reason that the page can read.
pub(super) fn preflight(cors: &Cors, asked: &HeaderMap) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    cors.mark(headers);
    headers.remove(ACCESS_CONTROL_EXPOSE_HEADERS);
    for (question, answer) in [
        (ACCESS_CONTROL_REQUEST_METHOD, ACCESS_CONTROL_ALLOW_METHODS),
        (ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_ALLOW_HEADERS),
        (REQUEST_PRIVATE_NETWORK, ALLOW_PRIVATE_NETWORK),
    ] {
        for line in asked.get_all(&question) {
            headers.append(&answer, line.clone());
        }
        if asked.contains_key(&question) {
            headers.append(VARY, HeaderValue::from(question));
        }
    }
    headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    response
}
