//! Trailers pass where they were announced; hyper holds that. Here: which of their fields never do.

use bytes::Bytes;
use http::HeaderName;
use http_body::Frame;

/// A frame without the trailer fields that `is_refused` names.
#[inline]
pub(super) fn checked(frame: Frame<Bytes>, is_refused: fn(&HeaderName) -> bool) -> Frame<Bytes> {
    if frame.is_trailers() {
        without(frame, is_refused)
    } else {
        frame
    }
}

#[cold]
fn without(frame: Frame<Bytes>, is_refused: fn(&HeaderName) -> bool) -> Frame<Bytes> {
    match frame.into_trailers() {
        Ok(mut fields) => {
            let going: Vec<HeaderName> = fields
                .keys()
                .filter(|name| is_refused(name) || never_trails(name))
                .cloned()
                .collect();
            for name in &going {
                fields.remove(name);
            }
            Frame::trailers(fields)
        }
        Err(frame) => frame,
    }
}

/// Fields that decide on framing, routing, the request's meaning, credentials or how content is read:
/// a recipient that merges trailers would take them for the head's (RFC 9110 section 6.5.1).
fn never_trails(name: &HeaderName) -> bool {
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
}

#[cfg(test)]
mod tests;
