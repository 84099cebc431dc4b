//! Which fields are removed on the way to the upstream and on the way back: hop-by-hop fields, which belong to one
//! connection (RFC 9110 section 7.6.1), and those that are ours to set or would mislead the recipient.

use http::HeaderValue;
use http::header::{self, HeaderMap, HeaderName};

use super::header_lines::lines;

/// Whether a field belongs to one connection only. `Trailer` does not: trailers are forwarded, and it announces them.
fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection" | "keep-alive" | "proxy-connection" | "te" | "transfer-encoding" | "upgrade"
    )
}

/// Whether a request field is not forwarded: hop-by-hop fields; framing, which is written anew; credentials and claims
/// about who sends the request, which are ours to make (RFC 9700 section 4.13).
pub(super) fn is_removed_from_request(name: &HeaderName) -> bool {
    match *name {
        // The fields of nearly every request are recognized without reading their names.
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

/// Whether a response field is not forwarded: hop-by-hop fields, and those that would bind a browser to `localhost` or
/// open it to other origins, since only the guard decides which page may read a response.
pub(super) fn is_removed_from_response(name: &HeaderName) -> bool {
    match *name {
        // The fields of nearly every response are recognized without reading their names.
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

/// Removes every field from a response that must not reach the client. In most responses that is `Connection` alone.
pub(super) fn strip_response(headers: &mut HeaderMap) {
    let mut removed = headers.keys().filter(|name| is_removed_from_response(name));
    let (Some(first), has_more) = (removed.next().cloned(), removed.next().is_some()) else {
        return;
    };
    let nominated = NominatedFields::of(headers).0;
    headers.remove(first);
    for name in &nominated {
        headers.remove(name);
    }
    if has_more {
        strip_response(headers);
    }
}

/// The fields that `Connection` nominates as hop-by-hop, from all of its lines. The lines are read as bytes, so that
/// a value that is not text hides nothing.
pub(super) struct NominatedFields(Vec<HeaderName>);

impl NominatedFields {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let names = lines(headers, &header::CONNECTION)
            .map(HeaderValue::as_bytes)
            .filter(|line| !is_keep_alive_or_close(line)) // nearly every line
            .flat_map(|line| line.split(|byte| *byte == b','))
            .map(<[u8]>::trim_ascii)
            .filter(|option| !is_keep_alive_or_close(option))
            .filter_map(|token| HeaderName::from_bytes(token).ok())
            .collect();
        Self(names)
    }

    pub(super) fn contains(&self, name: &HeaderName) -> bool {
        self.0.contains(name)
    }
}

/// Whether an option of `Connection` is about the connection itself and nominates no field.
const fn is_keep_alive_or_close(option: &[u8]) -> bool {
    matches!(option, b"keep-alive" | b"close")
        || option.eq_ignore_ascii_case(b"keep-alive")
        || option.eq_ignore_ascii_case(b"close")
}
