//! Gives a request the form of HTTP/2 (RFC 9113 section 8.3), after it has been built in that of HTTP/1.1, and back if
//! it has to be sent over HTTP/1.1 after all.

use http::uri::{Authority, Parts, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri, Version, header};

use crate::config::Origin;

/// Where requests go.
pub(super) struct RequestTarget {
    scheme: Scheme,
    authority: Authority,
    host: HeaderValue,
}

impl RequestTarget {
    pub(super) fn of(origin: &Origin) -> Self {
        Self {
            scheme: origin.scheme.clone(),
            authority: origin.authority.clone(),
            host: HeaderValue::from_str(origin.authority.as_str())
                .expect("an authority is visible ASCII"),
        }
    }

    /// `:scheme` and `:authority` instead of `Host`, and no field that belongs to one connection. `TE` stays, which can
    /// only be `trailers` here. `Expect` does not: hyper does not report an interim response of HTTP/2.
    pub(super) fn to_http2<B>(&self, request: &mut Request<B>) {
        if request.version() == Version::HTTP_2 {
            return; // an earlier attempt was not sent
        }
        *request.version_mut() = Version::HTTP_2;
        let mut parts = Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(path_of(request.uri_mut()));
        *request.uri_mut() =
            Uri::from_parts(parts).expect("scheme, authority and path make an address");
        for name in [
            header::HOST,
            header::CONNECTION,
            header::TRANSFER_ENCODING,
            header::EXPECT,
        ] {
            request.headers_mut().remove(name);
        }
    }

    /// The opposite.
    pub(super) fn to_http1<B>(&self, request: &mut Request<B>) {
        if request.version() != Version::HTTP_2 {
            return;
        }
        *request.version_mut() = Version::HTTP_11;
        *request.uri_mut() = Uri::from(path_of(request.uri_mut()));
        let headers = request.headers_mut();
        headers.insert(header::HOST, self.host.clone());
        if headers.contains_key(header::TE) {
            headers.insert(header::CONNECTION, HeaderValue::from_static("te"));
        }
    }
}

fn path_of(uri: &mut Uri) -> PathAndQuery {
    let path = std::mem::take(uri).into_parts().path_and_query;
    path.unwrap_or(PathAndQuery::from_static("/"))
}

/// The trailers that may follow a request: those that its head announces, as in HTTP/1.1, where hyper sees to it.
pub(super) fn announced_trailers(headers: &HeaderMap) -> Box<[HeaderName]> {
    headers
        .get_all(header::TRAILER)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .collect()
}

/// Whether the content is gRPC. gRPC-Web is not: it is made for HTTP/1.1.
pub(super) fn is_grpc(headers: &HeaderMap) -> bool {
    const GRPC: &[u8] = b"application/grpc";
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return false;
    };
    let value = value.as_bytes();
    value.len() >= GRPC.len()
        && value[..GRPC.len()].eq_ignore_ascii_case(GRPC)
        && matches!(value.get(GRPC.len()), None | Some(b'+' | b';' | b' '))
}

#[cfg(test)]
mod tests;
