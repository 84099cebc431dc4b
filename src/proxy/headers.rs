//! What goes on and what stays: every outgoing request is built anew, every answer loses what belongs
//! to one connection only.

use http::header::{self, HeaderMap, HeaderName};
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Request, Uri, Version};

use hyper::upgrade::OnUpgrade;

use super::body::{Inbound, Outbound};
use super::loops::{Pseudonym, Via};
use super::replay::Uploaded;
use super::rewrite::{Place, with_origin};
use crate::config;
use crate::guard::Lease;
use crate::token::Bearer;

/// A request's head as it came, kept so that the request can be made again.
pub(super) struct Head {
    pub(super) method: Method,
    pub(super) path: PathAndQuery,
    pub(super) headers: HeaderMap,
    version: Version,
    /// Nothing follows the head.
    pub(super) is_whole: bool,
    /// The client's side of an upgrade, if it asks for one.
    pub(super) on_upgrade: Option<OnUpgrade>,
    /// Where what is taken of the body is counted, if anybody asks.
    pub(super) uploaded: Option<Uploaded>,
    /// What an upgrade must end with: its caller's key.
    pub(super) lease: Option<Lease>,
    /// The client said `Content-Length: 0`, which some servers insist on.
    says_empty: bool,
}

impl Head {
    pub(super) fn of<I: Inbound>(request: Request<I>) -> (Self, I) {
        let (mut parts, body) = request.into_parts();
        let is_whole = body.is_end_stream();
        let head = Self {
            method: parts.method,
            path: parts
                .uri
                .into_parts()
                .path_and_query
                .unwrap_or(PathAndQuery::from_static("/")),
            says_empty: is_whole && is_there(&parts.headers, &header::CONTENT_LENGTH),
            on_upgrade: parts.extensions.remove(),
            uploaded: parts.extensions.remove(),
            lease: None,
            headers: parts.headers,
            version: parts.version,
            is_whole,
        };
        (head, body)
    }

    /// The address that the client used; the guard has seen that it is ours.
    pub(super) fn host(&self) -> Option<&HeaderValue> {
        self.headers.get(header::HOST)
    }

    /// Whether a browser sent it. Only browsers tell where a request came from (Fetch, "HTTP-network-or-cache
    /// fetch"); the older ones at least by `Origin`.
    fn is_of_browser(&self) -> bool {
        [SEC_FETCH_SITE, SEC_FETCH_MODE, header::ORIGIN]
            .iter()
            .any(|name| self.headers.contains_key(name))
    }
}

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// What every outgoing request has from the configuration.
#[derive(Debug)]
pub(super) struct Outgoing {
    host: HeaderValue,
    /// `https://api.example.com`, for whoever asks where a request came from.
    origin: String,
    fixed: Vec<(HeaderName, HeaderValue)>,
    cookies_of_browsers: bool,
    via: Option<Via>,
}

impl Outgoing {
    pub(super) fn new(upstream: &config::UpstreamConfig, pseudonym: &Pseudonym) -> Self {
        let host = HeaderValue::from_str(upstream.url.authority.as_str())
            .expect("an authority is made of visible ASCII");
        Self {
            host,
            origin: format!("{}://{}", upstream.url.scheme, upstream.url.authority),
            fixed: upstream.headers.clone(),
            cookies_of_browsers: upstream.cookies,
            via: upstream.via.then(|| Via::of(pseudonym)),
        }
    }

    /// The request to send: authority from the configuration, path and query byte for byte.
    pub(super) fn request<I>(
        &self,
        head: &Head,
        bearer: &Bearer,
        body: Outbound<I>,
    ) -> Request<Outbound<I>> {
        let mut request = Request::new(body);
        *request.method_mut() = head.method.clone();
        *request.uri_mut() = Uri::from(head.path.clone());
        *request.headers_mut() = self.headers(head, bearer);
        request
    }

    /// The same request for one more attempt: only a safe method without a body may have been carried
    /// out and be sent again all the same (RFC 9110 §9.2.2).
    pub(super) fn again<I: Inbound>(
        &self,
        head: &Head,
        bearer: &Bearer,
    ) -> Option<Request<Outbound<I>>> {
        let harmless = head.is_whole && head.method.is_safe();
        harmless.then(|| self.request(head, bearer, Outbound::Empty))
    }

    /// Nominated and hop-by-hop fields are left out *before* the bearer goes in: else a client could
    /// have it removed with `Connection: authorization`.
    fn headers(&self, head: &Head, bearer: &Bearer) -> HeaderMap {
        let nominated = Nominated::of(&head.headers);
        let mut headers = HeaderMap::with_capacity(head.headers.len() + self.fixed.len() + 2);
        headers.insert(header::HOST, self.host.clone());
        for (name, value) in &head.headers {
            match *name {
                _ if stays_behind(name) || nominated.has(name) || is_moot(name, head) => {}
                header::COOKIE if !self.cookies_of_browsers && head.is_of_browser() => {}
                header::ORIGIN | header::REFERER => {
                    headers.append(name.clone(), self.as_of_upstream(head, value));
                }
                _ => {
                    headers.append(name.clone(), value.clone());
                }
            }
        }
        if takes_trailers(&head.headers) {
            headers.insert(header::TE, HeaderValue::from_static("trailers"));
            headers.insert(header::CONNECTION, HeaderValue::from_static("te"));
        }
        if let Some(via) = &self.via {
            headers.append(header::VIA, via.line(head.version).clone());
        }
        for (name, value) in &self.fixed {
            headers.insert(name.clone(), value.clone());
        }
        if head.says_empty {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        headers.insert(header::AUTHORIZATION, bearer.header.clone());
        headers
    }

    /// `Origin` or `Referer`: what names us names the upstream, as if its own page asked. A page of
    /// `guard.origins` keeps its name.
    fn as_of_upstream(&self, head: &Head, value: &HeaderValue) -> HeaderValue {
        head.host()
            .and_then(Place::of_client)
            .and_then(|ours| with_origin(value, ours, self.origin.as_bytes()))
            .unwrap_or_else(|| value.clone())
    }
}

/// All lines of a field, in their order. To pass over a head costs less than to hash a name and look it up.
pub(super) fn lines<'a>(
    headers: &'a HeaderMap,
    name: &'a HeaderName,
) -> impl Iterator<Item = &'a HeaderValue> {
    headers
        .iter()
        .filter(move |(field, _)| *field == name)
        .map(|(_, line)| line)
}

/// Whether a head has a field, told as [`lines`] does.
pub(super) fn is_there(headers: &HeaderMap, name: &HeaderName) -> bool {
    headers.keys().any(|field| field == name)
}

/// An expectation about a body that does not come (RFC 9110 §10.1.1 forbids to send it).
fn is_moot(name: &HeaderName, head: &Head) -> bool {
    head.is_whole && name == header::EXPECT
}

/// Request fields that end with us: framing, which is rebuilt; those of one connection (RFC 9110 §7.6.1);
/// credentials and claims about who asks, which are ours to make (RFC 9700 §4.13).
pub(super) fn stays_behind(name: &HeaderName) -> bool {
    match *name {
        // What nearly every request has is told without reading its name.
        header::HOST | header::AUTHORIZATION | header::CONTENT_LENGTH | header::CONNECTION => true,
        header::ACCEPT
        | header::ACCEPT_ENCODING
        | header::ACCEPT_LANGUAGE
        | header::CONTENT_TYPE
        | header::COOKIE
        | header::ORIGIN
        | header::REFERER
        | header::USER_AGENT => false,
        _ => {
            let name = name.as_str();
            is_hop_by_hop(name)
                || matches!(name, "dpop" | "forwarded" | "x-real-ip" | "x-cupbearer-key")
                || name.starts_with("proxy-")
                || name.starts_with("x-forwarded-")
        }
    }
}

/// Whether the client takes trailers. `TE` itself ends with us (RFC 9110 §10.1.4); hyper sends trailers only to
/// clients that said so.
fn takes_trailers(headers: &HeaderMap) -> bool {
    lines(headers, &header::TE)
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"trailers"))
}

/// `Trailer` is none of them: trailers pass, and it announces them.
fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection" | "keep-alive" | "proxy-connection" | "te" | "transfer-encoding" | "upgrade"
    )
}

/// Answer fields that end with us: those of one connection, and those that would bind a browser to
/// `localhost` or open it to other origins (only we decide who may read).
pub(super) fn stays_behind_in_response(name: &HeaderName) -> bool {
    match *name {
        // What nearly every answer has is told without reading its name.
        header::CONTENT_TYPE | header::CONTENT_LENGTH | header::DATE | header::SERVER => false,
        header::CONNECTION => true,
        _ => {
            let name = name.as_str();
            is_hop_by_hop(name)
                || matches!(
                    name,
                    "alt-svc"
                        | "strict-transport-security"
                        | "clear-site-data"
                        | "proxy-authenticate"
                        | "proxy-authorization"
                        | "proxy-status"
                )
                || name.starts_with("access-control-")
        }
    }
}

/// Removes from an answer what must not reach the client: from most of them one field, `Connection`.
pub(super) fn strip_response(headers: &mut HeaderMap) {
    let mut going = headers.keys().filter(|name| stays_behind_in_response(name));
    let (Some(first), others) = (going.next().cloned(), going.next().is_some()) else {
        return;
    };
    let nominated = Nominated::of(headers).0;
    headers.remove(first);
    for name in &nominated {
        headers.remove(name);
    }
    if others {
        strip_response(headers);
    }
}

/// The fields that `Connection` names, from all its lines, read as bytes: a value that is no text hides
/// nothing, and neither does a second line.
struct Nominated(Vec<HeaderName>);

impl Nominated {
    fn of(headers: &HeaderMap) -> Self {
        let names = lines(headers, &header::CONNECTION)
            .map(HeaderValue::as_bytes)
            .filter(|line| !says_how_it_ends(line)) // as nearly every line
            .flat_map(|line| line.split(|byte| *byte == b','))
            .map(<[u8]>::trim_ascii)
            .filter(|option| !says_how_it_ends(option))
            .filter_map(|token| HeaderName::from_bytes(token).ok())
            .collect();
        Self(names)
    }

    fn has(&self, name: &HeaderName) -> bool {
        self.0.contains(name)
    }
}

/// Whether an option of `Connection` is about the connection alone and names no field.
const fn says_how_it_ends(option: &[u8]) -> bool {
    matches!(option, b"keep-alive" | b"close")
        || option.eq_ignore_ascii_case(b"keep-alive")
        || option.eq_ignore_ascii_case(b"close")
}
