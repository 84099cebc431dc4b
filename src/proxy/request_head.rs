//! The head of a request: as the client sent it, and as it is sent to the upstream.

use http::header::{self, HeaderMap, HeaderName};
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Request, Uri, Version};
use http_body::Body as _;
use hyper::upgrade::OnUpgrade;

use super::challenge::has_scheme;
use super::header_lines::{contains, lines};
use super::hop_by_hop::{NominatedFields, is_removed_from_request};
use super::loop_detection::{ViaLines, ViaName};
use super::origin_ref::OriginRef;
use super::request_body::{UploadCounter, UpstreamRequestBody};
use super::trailers;
use crate::config::{self, TokenField, is_same_field};
use crate::guard::{Lease, OwnScheme};
use crate::problem::X_REQUEST_ID;
use crate::server::RequestBody;
use crate::token::{Bearer, RequestRoute};

/// A request's head as the client sent it, from which each attempt's request is built.
pub(super) struct RequestHead {
    pub(super) method: Method,
    pub(super) path: PathAndQuery,
    pub(super) headers: HeaderMap,
    /// The value of `X-Request-Id` for the upstream.
    request_id: HeaderValue,
    /// The scheme by which the client reached us.
    pub(super) scheme: OwnScheme,
    version: Version,
    pub(super) has_no_body: bool,
    /// The client's side of an upgrade, if it asks for one.
    pub(super) on_upgrade: Option<OnUpgrade>,
    /// Counts the bytes of the body, if the access log needs them.
    pub(super) upload_counter: Option<UploadCounter>,
    /// The key of the caller, whose revocation ends an upgraded connection.
    pub(super) lease: Option<Lease>,
    /// The client sent `Content-Length: 0`, which some servers require.
    has_zero_length: bool,
    /// The response must not be compressed: see [`Self::ask_for_whole_document`].
    is_for_document: bool,
}

/// With any of these fields, the response may be only a part of a document, have no content, or be compressed.
const PARTIAL: [HeaderName; 7] = [
    header::RANGE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
    header::IF_RANGE,
    header::ACCEPT_ENCODING,
];

impl RequestHead {
    pub(super) fn of(
        request: Request<RequestBody>,
        request_id: HeaderValue,
        scheme: OwnScheme,
    ) -> (Self, RequestBody) {
        let (mut parts, body) = request.into_parts();
        let has_no_body = body.is_end_stream();
        let head = Self {
            method: parts.method,
            path: target_of(parts.uri),
            has_zero_length: has_no_body && contains(&parts.headers, &header::CONTENT_LENGTH),
            on_upgrade: parts.extensions.remove(),
            upload_counter: parts.extensions.remove(),
            lease: None,
            headers: parts.headers,
            request_id,
            scheme,
            version: parts.version,
            has_no_body,
            is_for_document: false,
        };
        (head, body)
    }

    /// The address that the client used. The guard has checked that it is ours. Over a unix socket it may be empty,
    /// which is not an address.
    pub(super) fn host(&self) -> Option<&HeaderValue> {
        self.headers
            .get(header::HOST)
            .filter(|host| !host.is_empty())
    }

    /// Changes the request so that the upstream sends the whole document without compression.
    pub(super) fn ask_for_whole_document(&mut self) {
        let is_partial =
            |name: &&HeaderName| PARTIAL.iter().any(|field| is_same_field(field, name));
        while let Some(name) = self.headers.keys().find(is_partial).cloned() {
            self.headers.remove(name);
        }
        self.is_for_document = true;
    }

    /// What the request asks for, without its query.
    pub(super) fn route(&self) -> RequestRoute {
        RequestRoute::of(self.method.as_str(), self.path.path())
    }

    /// Whether a browser sent the request. Only browsers say where a request comes from (Fetch, "HTTP-network-or-cache
    /// fetch"); old ones use `Origin` alone.
    fn is_from_browser(&self) -> bool {
        [SEC_FETCH_SITE, SEC_FETCH_MODE, header::ORIGIN]
            .iter()
            .any(|name| self.headers.contains_key(name))
    }
}

/// The path and query to send. `http` reports the empty one of `http://host#fragment` as `/`, but would write nothing,
/// and servers disagree about a request line without a target.
fn target_of(uri: Uri) -> PathAndQuery {
    const ROOT: &str = "/";
    let target = uri.into_parts().path_and_query;
    target
        .filter(|target| target.as_str() != ROOT)
        .unwrap_or(PathAndQuery::from_static(ROOT))
}

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// What the configuration adds to every request that is sent to the upstream.
#[derive(Debug)]
pub(super) struct RequestTemplate {
    host: HeaderValue,
    /// Such as `https://api.example.com`, for `Origin` and `Referer`.
    origin: String,
    fixed: Vec<(HeaderName, HeaderValue)>,
    /// The field that carries the token.
    token_field: HeaderName,
    /// Fields of the client that are not forwarded because we set them: those of `fixed`, and the token's unless it is
    /// `Authorization`, which is removed in any case.
    replaced: Vec<HeaderName>,
    /// `token.keep_authorization`.
    keeps_authorization: bool,
    /// The first word before the token, which servers read as a scheme.
    token_scheme: Vec<u8>,
    forwards_browser_cookies: bool,
    via: Option<ViaLines>,
}

impl RequestTemplate {
    pub(super) fn new(
        upstream: &config::UpstreamConfig,
        token_field: &TokenField,
        via_name: &ViaName,
    ) -> Self {
        let host = HeaderValue::from_str(upstream.url.authority.as_str())
            .expect("an authority is visible ASCII");
        let fixed = upstream.headers.iter().map(|(name, _)| name);
        let own = Some(&token_field.name).filter(|name| **name != header::AUTHORIZATION);
        Self {
            host,
            origin: format!("{}://{}", upstream.url.scheme, upstream.url.authority),
            replaced: fixed.chain(own).cloned().collect(),
            fixed: upstream.headers.clone(),
            token_field: token_field.name.clone(),
            keeps_authorization: token_field.keeps_authorization,
            token_scheme: first_word(token_field.prefix.as_bytes()).to_owned(),
            forwards_browser_cookies: upstream.cookies,
            via: upstream.via.then(|| ViaLines::of(via_name)),
        }
    }

    /// The request to send. Its authority comes from the configuration; path and query are kept byte for byte.
    pub(super) fn request(
        &self,
        head: &RequestHead,
        bearer: &Bearer,
        body: UpstreamRequestBody,
    ) -> Request<UpstreamRequestBody> {
        let mut request = Request::new(body);
        *request.method_mut() = head.method.clone();
        *request.uri_mut() = Uri::from(head.path.clone());
        if head.version == Version::HTTP_2 {
            *request.version_mut() = head.version; // for `upstream.http2`
        }
        *request.headers_mut() = self.headers(head, bearer);
        request
    }

    /// The same request for a retry after the connection was lost. The upstream may have carried out the first one, so
    /// only a request with a safe method and without a body is retried (RFC 9110 section 9.2.2).
    pub(super) fn retry(
        &self,
        head: &RequestHead,
        bearer: &Bearer,
    ) -> Option<Request<UpstreamRequestBody>> {
        let is_harmless = head.has_no_body && head.method.is_safe();
        is_harmless.then(|| self.request(head, bearer, UpstreamRequestBody::Empty))
    }

    /// Nominated and hop-by-hop fields are left out *before* the bearer is inserted. Otherwise a client could remove
    /// the bearer with `Connection: authorization`.
    fn headers(&self, head: &RequestHead, bearer: &Bearer) -> HeaderMap {
        let nominated = NominatedFields::of(&head.headers);
        let mut headers = HeaderMap::with_capacity(head.headers.len() + self.fixed.len() + 3);
        headers.insert(header::HOST, self.host.clone());
        headers.insert(X_REQUEST_ID, head.request_id.clone());
        for (name, value) in &head.headers {
            match *name {
                _ if is_removed_from_request(name)
                    || nominated.contains(name)
                    || self.sets(name)
                    || is_moot(name, head) => {}
                header::COOKIE if !self.forwards_browser_cookies && head.is_from_browser() => {}
                header::ORIGIN | header::REFERER => {
                    headers.append(name.clone(), self.with_upstream_origin(head, value));
                }
                header::TRAILER => {
                    if let Some(line) = trailers::announced(value, |name| {
                        !is_removed_from_request(name)
                            && !nominated.contains(name)
                            && !self.sets(name)
                    }) {
                        headers.append(name.clone(), line);
                    }
                }
                _ => {
                    headers.append(name.clone(), value.clone());
                }
            }
        }
        if accepts_trailers(&head.headers) {
            headers.insert(header::TE, HeaderValue::from_static("trailers"));
            headers.insert(header::CONNECTION, HeaderValue::from_static("te"));
        }
        if let Some(via) = &self.via {
            headers.append(header::VIA, via.line(head.version).clone());
        }
        if head.is_for_document {
            // Here, because `Connection` may name the field.
            let identity = HeaderValue::from_static("identity");
            headers.insert(header::ACCEPT_ENCODING, identity);
        }
        for (name, value) in &self.fixed {
            headers.insert(name.clone(), value.clone());
        }
        if head.has_zero_length {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        if self.keeps_authorization && !nominated.contains(&header::AUTHORIZATION) {
            for value in head.headers.get_all(header::AUTHORIZATION) {
                headers.append(header::AUTHORIZATION, value.clone());
            }
        }
        self.attach(&mut headers, bearer);
        headers
    }

    /// Whether a 401 with these challenges may be about the `Authorization` that the caller sent. It is not if a
    /// challenge names the scheme of the token, and the caller's is another one.
    pub(super) fn may_reject_caller(&self, head: &RequestHead, challenges: &HeaderMap) -> bool {
        if !self.keeps_authorization || !contains(&head.headers, &header::AUTHORIZATION) {
            return false;
        }
        let nominated = NominatedFields::of(&head.headers);
        if nominated.contains(&header::AUTHORIZATION) {
            return false; // it was not forwarded
        }
        let scheme = &self.token_scheme;
        let mut callers = head.headers.get_all(header::AUTHORIZATION).iter();
        let is_same =
            callers.any(|value| first_word(value.as_bytes()).eq_ignore_ascii_case(scheme));
        scheme.is_empty() || is_same || !has_scheme(challenges, scheme)
    }

    /// Whether these challenges ask for something else than the token.
    pub(super) fn asks_for_other_scheme(&self, challenges: &HeaderMap) -> bool {
        let scheme = &self.token_scheme;
        contains(challenges, &header::WWW_AUTHENTICATE)
            && !scheme.is_empty()
            && !has_scheme(challenges, scheme)
    }

    /// Replaces the token of a request.
    pub(super) fn attach(&self, headers: &mut HeaderMap, bearer: &Bearer) {
        headers.insert(self.token_field.clone(), bearer.header.clone());
    }

    /// Whether `upstream.headers` has the field, or it carries the token.
    fn sets(&self, name: &HeaderName) -> bool {
        self.replaced
            .iter()
            .any(|replaced| is_same_field(replaced, name))
    }

    /// `Origin` or `Referer`: if it names us, it names the upstream instead, as if the upstream's own page sent the
    /// request. A page of `guard.origins` keeps its name.
    fn with_upstream_origin(&self, head: &RequestHead, value: &HeaderValue) -> HeaderValue {
        head.host()
            .and_then(|host| OriginRef::of_client(head.scheme, host))
            .and_then(|ours| ours.replaced_in(value, self.origin.as_bytes()))
            .unwrap_or_else(|| value.clone())
    }
}

fn first_word(text: &[u8]) -> &[u8] {
    let mut words = text.trim_ascii().split(u8::is_ascii_whitespace);
    words.next().unwrap_or_default()
}

/// Whether the field is an expectation about a body that does not exist, which must not be sent (RFC 9110 section
/// 10.1.1).
fn is_moot(name: &HeaderName, head: &RequestHead) -> bool {
    head.has_no_body && name == header::EXPECT
}

/// Whether the client accepts trailers. `TE` is a hop-by-hop field (RFC 9110 section 10.1.4); hyper sends trailers only
/// to clients that sent it.
fn accepts_trailers(headers: &HeaderMap) -> bool {
    lines(headers, &header::TE)
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"trailers"))
}

#[cfg(test)]
mod tests;
