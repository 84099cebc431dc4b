//! What the name of a request field means to servers, as far as a setting or a check depends on it.

use http::HeaderName;

/// Fields that replace the method or the path in some framework of the last twenty years.
const OVERRIDES: [&str; 5] = [
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
    "x-original-url",
    "x-rewrite-url",
];

/// Whether some servers let the field of this name replace the method or the path of a request. Case is ignored, and
/// `_` counts as `-`, because a CGI-like server cannot tell them apart (RFC 3875 section 4.1.18).
#[must_use]
#[inline]
pub fn is_override(name: &[u8]) -> bool {
    let plain = |byte: &u8| match byte {
        b'_' => b'-',
        _ => byte.to_ascii_lowercase(),
    };
    matches!(name, [b'x' | b'X', ..])
        && OVERRIDES
            .iter()
            .any(|known| known.len() == name.len() && known.bytes().eq(name.iter().map(plain)))
}

/// Whether a CGI-like server takes two names for the same.
#[must_use]
#[inline]
pub fn is_same_field(one: &HeaderName, other: &HeaderName) -> bool {
    let plain = |byte: u8| if byte == b'_' { b'-' } else { byte };
    let (one, other) = (one.as_str(), other.as_str());
    one.len() == other.len() && one.bytes().map(plain).eq(other.bytes().map(plain))
}

/// Whether a field has a meaning of its own, so that it cannot carry the token: framing, the connection, the target,
/// cookies, the origin, claims about who sends a request, and the fields of cupbearer itself. `name` is in lower case.
pub(super) fn has_own_meaning(name: &str) -> bool {
    let name = name.replace('_', "-");
    matches!(
        &*name,
        "connection"
            | "cookie"
            | "date"
            | "dpop"
            | "expect"
            | "forwarded"
            | "host"
            | "http2-settings"
            | "keep-alive"
            | "origin"
            | "referer"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "via"
            | "x-real-ip"
            | "x-request-id"
    ) || [
        "access-control-",
        "content-",
        "proxy-",
        "sec-",
        "x-cupbearer",
        "x-forwarded",
    ]
    .iter()
    .any(|start| name.starts_with(start))
        || is_override(name.as_bytes())
}

#[cfg(test)]
mod tests;
