//! Which fields are removed on the way to the upstream and on the way back: hop-by-hop fields, which belong to one
//! connection (RFC 9110 section 7.6.1), and those that are ours to set or would mislead the recipient.
//!
//! Requests: `RequestTemplate::headers` (`request_head`) builds the outgoing head without these fields. Responses:
//! `Proxy::finish_head` (`mod.rs`) removes them with [`strip_response`]. What is removed from a head is removed from
//! the trailers after it, too.

use http::HeaderValue;
use http::header::{self, HeaderMap, HeaderName};

use super::header_lines::{contains, lines};
use super::trailers;

/// Whether a field belongs to one connection only. `Trailer` does not: trailers are forwarded, and it announces them.
fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection" | "keep-alive" | "proxy-connection" | "te" | "transfer-encoding" | "upgrade"
    )
}

/// Whether a request field is not forwarded: hop-by-hop fields; framing, which is written anew; credentials and claims
/// about who sends the request, which are ours to make (RFC 9700 section 4.13). `_` counts as `-`, because a CGI-like
/// server cannot tell them apart (RFC 3875 section 4.1.18).
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
            is_removed_name(name) || name.contains('_') && is_removed_name(&name.replace('_', "-"))
        }
    }
}

fn is_removed_name(name: &str) -> bool {
    is_hop_by_hop(name)
        || matches!(
            name,
            "content-length"
                | "dpop"
                | "forwarded"
                | "x-cupbearer-key"
                | "x-real-ip"
                | "x-request-id"
        )
        || name.starts_with("proxy-")
        || name.starts_with("x-forwarded-")
}

/// Whether a response field is not forwarded: hop-by-hop fields, and those that would bind a browser to `localhost` or
/// open it to other origins, since only the guard decides which page may read a response.
pub(super) fn is_removed_from_response(name: &HeaderName) -> bool {
    *name != header::TRAILER && is_changed_in_response(name)
}

/// Whether a response field is removed, or announces fields that are.
fn is_changed_in_response(name: &HeaderName) -> bool {
    match *name {
        // The fields of nearly every response are recognized without reading their names.
        header::CONTENT_TYPE | header::CONTENT_LENGTH | header::DATE | header::SERVER => false,
        header::CONNECTION | header::TRAILER => true,
        _ => {
            let name = name.as_str();
            is_hop_by_hop(name)
                || matches!(
                    name,
                    "alt-svc" | "strict-transport-security" | "clear-site-data"
                )
                || name.starts_with("proxy-")
                || name.starts_with("access-control-")
        }
    }
}

/// Removes every field from a response that must not reach the client. In most responses that is `Connection` alone.
pub(super) fn strip_response(headers: &mut HeaderMap) {
    let mut changed = headers.keys().filter(|name| is_changed_in_response(name));
    let (Some(first), has_more) = (changed.next().cloned(), changed.next().is_some()) else {
        return;
    };
    let nominated = nominated_names(headers);
    for name in &nominated {
        headers.remove(name);
    }
    if has_more || first == header::TRAILER {
        return strip_several(headers, &NominatedFields::sorted(nominated));
    }
    headers.remove(first);
}

fn strip_several(headers: &mut HeaderMap, nominated: &NominatedFields) {
    while let Some(name) = headers.keys().find(|name| is_removed_from_response(name)) {
        headers.remove(name.clone());
    }
    trailers::keep_announced(headers, |name| {
        !is_removed_from_response(name) && !nominated.contains(name)
    });
}

/// The fields that `Connection` nominates as hop-by-hop, from all of its lines, sorted: there may be thousands. The
/// lines are read as bytes, so that a value that is not text hides nothing. `_` counts as `-`, as above.
pub(super) struct NominatedFields(Vec<HeaderName>);

impl NominatedFields {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        if contains(headers, &header::CONNECTION) {
            Self::sorted(nominated_names(headers))
        } else {
            Self(Vec::new()) // most requests have none
        }
    }

    fn sorted(mut names: Vec<HeaderName>) -> Self {
        for name in &mut names {
            if let Some(plain) = without_underscores(name) {
                *name = plain;
            }
        }
        names.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
        Self(names)
    }

    #[inline]
    pub(super) fn contains(&self, name: &HeaderName) -> bool {
        !self.0.is_empty() && self.finds(name) // nearly always empty
    }

    #[cold]
    fn finds(&self, name: &HeaderName) -> bool {
        let plain = without_underscores(name);
        let name = plain.as_ref().unwrap_or(name);
        self.0
            .binary_search_by(|nominated| nominated.as_str().cmp(name.as_str()))
            .is_ok()
    }
}

/// The name with `-` instead of each `_`. `None` if it has none.
fn without_underscores(name: &HeaderName) -> Option<HeaderName> {
    let name = name.as_str();
    let plain = name.contains('_').then(|| name.replace('_', "-"))?;
    HeaderName::try_from(plain).ok()
}

fn nominated_names(headers: &HeaderMap) -> Vec<HeaderName> {
    lines(headers, &header::CONNECTION)
        .map(HeaderValue::as_bytes)
        .filter(|line| !is_keep_alive_or_close(line)) // nearly every line
        .flat_map(|line| line.split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|option| !is_keep_alive_or_close(option))
        .filter_map(|token| HeaderName::from_bytes(token).ok())
        .collect()
}

/// Whether an option of `Connection` is about the connection itself and nominates no field.
const fn is_keep_alive_or_close(option: &[u8]) -> bool {
    matches!(option, b"keep-alive" | b"close")
        || option.eq_ignore_ascii_case(b"keep-alive")
        || option.eq_ignore_ascii_case(b"close")
}

#[cfg(test)]
mod tests;
