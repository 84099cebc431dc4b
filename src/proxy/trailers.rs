//! Which trailer fields are removed. hyper forwards trailers only if they were announced.

use bytes::Bytes;
use http::HeaderName;
use http_body::Frame;

use crate::guard::is_override;

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

/// Fields that decide about framing, routing, the meaning of the request, credentials or how content is read. A
/// recipient that merges trailers into the head would obey them (RFC 9110 section 6.5.1).
fn is_forbidden(name: &HeaderName) -> bool {
    let name = name.as_str();
    matches!(
        name,
        "age"
            | "authorization"
            | "cache-control"
            | "cookie"
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
}

#[cfg(test)]
mod tests;
