//! Gives a request of HTTP/2 the form that it would have in HTTP/1.1, in which everything else knows it, and its
//! response the form of HTTP/2 (RFC 9113 section 8).
//!
//! The `h2` crate has already rejected what is malformed: fields that belong to one connection, a `TE` other than
//! `trailers`, names in upper case, missing, repeated or misplaced pseudo-header fields, a `Content-Length` that is not
//! the length of the content. It also rejects heads that are far longer than `limits.header_bytes`.

use http::request;
use http::uri::{PathAndQuery, Scheme};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version, header, response,
};

use super::head_fault::{HeadFault, MAX_FIELDS};

/// Fields of HTTP/1.1 that no response of HTTP/2 has (RFC 9113 section 8.2.2).
const OF_CONNECTION: [&str; 5] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
];

/// Brings the head of a request into the form of HTTP/1.1: `Host` instead of `:authority`, and one `Cookie`.
///
/// # Errors
/// Why no service gets to see the request.
pub(super) fn to_http1(head: &mut request::Parts, header_bytes: usize) -> Result<(), HeadFault> {
    if head.method == Method::CONNECT {
        return Ok(()); // the guard rejects it
    }
    // `h2` keeps no scheme without an authority, instead of which a request may have a `Host`.
    let scheme = head.uri.scheme();
    if scheme.is_some_and(|scheme| *scheme != Scheme::HTTP && *scheme != Scheme::HTTPS) {
        return Err(HeadFault::fixed(
            "the pseudo-header field :scheme is neither http nor https",
        ));
    }
    check_fields(head, header_bytes)?;
    name_host(head);
    join_cookies(&mut head.headers);
    let count = head.headers.len();
    if count > MAX_FIELDS {
        return Err(HeadFault::TooManyFields { count });
    }
    Ok(())
}

/// The length in HTTP/1.1, which `limits.header_bytes` limits, and the ends of each value (RFC 9113 section 8.2.1).
fn check_fields(head: &request::Parts, limit: usize) -> Result<(), HeadFault> {
    const REQUEST_LINE: usize = "  HTTP/1.1\r\n".len();
    const LINE: usize = ": \r\n".len();
    let is_space = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    let target = head.uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let host = head.uri.authority().map_or(0, |authority| {
        header::HOST.as_str().len() + authority.as_str().len() + LINE
    });
    let mut length = head.method.as_str().len() + target.len() + REQUEST_LINE + host;
    for (name, value) in &head.headers {
        let value = value.as_bytes();
        if is_space(value.first()) || is_space(value.last()) {
            return Err(HeadFault::fixed(
                "the value of a field begins or ends with a space or a tab",
            ));
        }
        length += name.as_str().len() + value.len() + LINE;
    }
    if length > limit {
        return Err(HeadFault::TooLong { limit });
    }
    Ok(())
}

/// `Host` instead of `:authority`. If they name different hosts, the request keeps both, and the guard rejects it as it
/// rejects one with two `Host` fields.
fn name_host(head: &mut request::Parts) {
    let uri = std::mem::take(&mut head.uri).into_parts();
    let authority = uri.authority;
    let target = uri.path_and_query.unwrap_or(PathAndQuery::from_static("/"));
    head.uri = Uri::from(target);
    let Some(authority) = authority else {
        return;
    };
    let Ok(name) = HeaderValue::try_from(authority.as_str()) else {
        return; // an authority is visible ASCII
    };
    let mut hosts = head.headers.get_all(header::HOST).iter();
    let (first, second) = (hosts.next(), hosts.next());
    match (first, second) {
        (None, _) => {
            head.headers.insert(header::HOST, name);
        }
        (Some(host), None)
            if host
                .as_bytes()
                .eq_ignore_ascii_case(authority.as_str().as_bytes()) => {}
        (Some(_), _) => {
            head.headers.append(header::HOST, name);
        }
    }
}

/// One `Cookie` instead of several, into which clients may split it (RFC 9113 section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let mut cookies = headers.get_all(header::COOKIE).iter();
    if cookies.next().is_none() || cookies.next().is_none() {
        return;
    }
    let cookies: Vec<&[u8]> = headers
        .get_all(header::COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if let Ok(joined) = HeaderValue::from_bytes(&cookies.join(&b"; "[..])) {
        headers.insert(header::COOKIE, joined);
    }
}

/// What the form of a response depends on in its request.
#[derive(Debug, Clone, Copy)]
pub(super) struct ResponseForm {
    /// It has no content, whatever the service returns.
    pub(super) is_to_head: bool,
    /// The client sent `TE: trailers`.
    accepts_trailers: bool,
}

impl ResponseForm {
    /// The form of the response to this request.
    pub(super) fn of(head: &request::Parts) -> Self {
        Self {
            is_to_head: head.method == Method::HEAD,
            accepts_trailers: head.headers.contains_key(header::TE), // it can only be `trailers`
        }
    }

    /// Brings the head of a response into the form of HTTP/2. Returns what may follow it.
    pub(super) fn apply(self, head: &mut response::Parts, length: Option<u64>) -> Following {
        for name in OF_CONNECTION {
            head.headers.remove(name);
        }
        let has_none = matches!(
            head.status,
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
        );
        if head.status == StatusCode::NO_CONTENT {
            head.headers.remove(header::CONTENT_LENGTH);
        }
        if self.is_to_head
            && let Some(length) = length.filter(|length| *length > 0)
        {
            let missing = head.headers.entry(header::CONTENT_LENGTH);
            missing.or_insert_with(|| HeaderValue::from(length));
        }
        if has_none || self.is_to_head {
            return Following::Nothing;
        }
        if !self.accepts_trailers {
            return Following::Data;
        }
        if head.version == Version::HTTP_2 {
            return Following::DataAndAllTrailers;
        }
        match announced(&head.headers) {
            names if names.is_empty() => Following::Data,
            names => Following::DataAndTrailers(names.into_boxed_slice()),
        }
    }
}

/// What follows the head of a response.
#[derive(Debug)]
pub(super) enum Following {
    Nothing,
    Data,
    /// And trailers with these names.
    DataAndTrailers(Box<[HeaderName]>),
    /// And the trailers of an API that speaks HTTP/2, where they need no announcement: gRPC has none.
    DataAndAllTrailers,
}

impl Following {
    /// The trailers that may be sent, if there are any.
    pub(super) fn allowed(&self, trailers: &HeaderMap) -> Option<HeaderMap> {
        let names = match self {
            Self::Nothing | Self::Data => return None,
            Self::DataAndAllTrailers => return Some(trailers.clone()),
            Self::DataAndTrailers(names) => names,
        };
        let mut allowed = HeaderMap::new();
        for (name, value) in trailers {
            if names.contains(name) {
                allowed.append(name.clone(), value.clone());
            }
        }
        (!allowed.is_empty()).then_some(allowed)
    }
}

/// The names that all lines of `Trailer` announce.
fn announced(headers: &HeaderMap) -> Vec<HeaderName> {
    headers
        .get_all(header::TRAILER)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .collect()
}

#[cfg(test)]
mod tests;
