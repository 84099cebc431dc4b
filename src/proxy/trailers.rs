//! Which trailer fields are removed, in two steps. hyper forwards only the trailer fields that `Trailer` announces, so
//! what must not pass is removed from the announcement: the names that one head forbids are known only there. What no
//! message may have as a trailer is removed from the trailers as well.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use http_body::Frame;

use crate::config::is_override;

/// Removes the names from all lines of `Trailer` that must not pass as trailers, or that `may_pass` rejects.
#[cold]
pub(super) fn keep_announced(headers: &mut HeaderMap, may_pass: impl Fn(&HeaderName) -> bool) {
    let lines = headers.get_all(header::TRAILER).iter();
    let kept: Vec<HeaderValue> = lines
        .filter_map(|line| announced(line, &may_pass))
        .collect();
    headers.remove(header::TRAILER);
    for line in kept {
        headers.append(header::TRAILER, line);
    }
}

/// A line of `Trailer` without the names that must not pass as trailers, or that `may_pass` rejects. `None` if no name
/// is left.
#[cold]
pub(super) fn announced(
    line: &HeaderValue,
    may_pass: impl Fn(&HeaderName) -> bool,
) -> Option<HeaderValue> {
    let passes = |name: &[u8]| {
        HeaderName::from_bytes(name).is_ok_and(|name| !is_forbidden(&name) && may_pass(&name))
    };
    let names = || line.as_bytes().split(|byte| *byte == b',');
    if names().all(|name| passes(name.trim_ascii())) {
        return Some(line.clone());
    }
    let kept: Vec<&[u8]> = names()
        .map(<[u8]>::trim_ascii)
        .filter(|name| passes(name))
        .collect();
    let line = HeaderValue::from_bytes(&kept.join(&b", "[..])).ok()?;
    (!kept.is_empty()).then_some(line)
}

/// The frame without trailer fields that `is_removed` names or that must not be trailers.
#[inline]
pub(super) fn filtered(frame: Frame<Bytes>, is_removed: fn(&HeaderName) -> bool) -> Frame<Bytes> {
    if frame.is_trailers() {
        filtered_trailers(frame, is_removed)
    } else {
        frame
    }
}

#[cold]
fn filtered_trailers(frame: Frame<Bytes>, is_removed: fn(&HeaderName) -> bool) -> Frame<Bytes> {
    match frame.into_trailers() {
        Ok(mut fields) => {
            let removed: Vec<HeaderName> = fields
                .keys()
                .filter(|name| is_removed(name) || is_forbidden(name))
                .cloned()
                .collect();
            for name in &removed {
                fields.remove(name);
            }
            Frame::trailers(fields)
        }
        Err(frame) => frame,
    }
}

/// Fields that decide about framing, routing, the meaning of the request, credentials, caching or how content is read.
/// A recipient that merges trailers into the head would obey them (RFC 9110 section 6.5.1).
fn is_forbidden(name: &HeaderName) -> bool {
    // CGI-like servers cannot tell the two apart.
    let name = name.as_str().replace('_', "-");
    let name = name.as_str();
    matches!(
        name,
        "age"
            | "authorization"
            | "cookie"
            | "cookie2"
            | "date"
            | "expect"
            | "expires"
            | "host"
            | "location"
            | "max-forwards"
            | "origin"
            | "pragma"
            | "range"
            | "referer"
            | "retry-after"
            | "set-cookie"
            | "set-cookie2"
            | "surrogate-control"
            | "trailer"
            | "vary"
            | "via"
            | "warning"
            | "www-authenticate"
            | "x-request-id"
    ) || [
        "content-encoding",
        "content-length",
        "content-range",
        "content-type",
    ]
    .contains(&name)
        || name.starts_with("if-")
        || is_override(name.as_bytes())
        // And those of one kind of cache, such as `CDN-Cache-Control` (RFC 9213).
        || name.ends_with("cache-control")
}

#[cfg(test)]
mod tests;
