//! `Location` and `Set-Cookie` as the client must see them, each a pure function of its value.

use http::HeaderValue;

use super::Place;

/// A URL with its origin replaced, if it names `from`; `None` leaves it byte for byte.
///
/// `to` is a whole origin: `http://localhost:6749`.
pub(in crate::proxy) fn with_origin(
    value: &HeaderValue,
    from: Place<'_>,
    to: &[u8],
) -> Option<HeaderValue> {
    let url = value.as_bytes();
    let rest = &url[from.named_by(url)?..];
    HeaderValue::from_bytes(&[to, rest].concat()).ok()
}

/// A cookie that a client of plain HTTP at another name can keep; `None` leaves it byte for byte.
///
/// `Domain` goes: it names the upstream. `Secure` goes, since we are not, unless the name's prefix says
/// that the cookie is nothing without it (RFC 6265bis section 4.1.3); and as browsers take no
/// `SameSite=None` without `Secure`, it becomes `Lax` with it.
pub(in crate::proxy) fn cookie(value: &HeaderValue) -> Option<HeaderValue> {
    let mut parts = value.as_bytes().split(|byte| *byte == b';');
    let pair = parts.next()?;
    let attributes: Vec<&[u8]> = parts.collect();
    let drops_secure = !is_prefixed(pair) && attributes.iter().any(|part| name(part, b"secure"));
    let drops_domain = attributes.iter().any(|part| name(part, b"domain"));
    if !drops_secure && !drops_domain {
        return None;
    }
    let mut new = pair.to_vec();
    for part in attributes {
        if name(part, b"domain") || drops_secure && name(part, b"secure") {
            continue;
        }
        new.push(b';');
        match none_of(part).filter(|_| drops_secure) {
            Some((before, after)) => new.extend([before, b"Lax", after].concat()),
            None => new.extend(part),
        }
    }
    HeaderValue::from_bytes(&new).ok()
}

/// Whether an attribute has this name, given in lower case.
fn name(attribute: &[u8], wanted: &[u8]) -> bool {
    attribute
        .split(|byte| *byte == b'=')
        .next()
        .is_some_and(|name| name.trim_ascii().eq_ignore_ascii_case(wanted))
}

fn is_prefixed(pair: &[u8]) -> bool {
    let starts = |prefix: &[u8]| {
        pair.trim_ascii_start()
            .get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    starts(b"__Host-") || starts(b"__Secure-")
}

/// What stands before and after the value of `SameSite=None`.
fn none_of(attribute: &[u8]) -> Option<(&[u8], &[u8])> {
    const NONE: &[u8] = b"none";
    if !name(attribute, b"samesite") {
        return None;
    }
    let equals = attribute.iter().position(|byte| *byte == b'=')?;
    let value = &attribute[equals + 1..];
    let start = attribute.len() - value.trim_ascii_start().len();
    let end = start + NONE.len();
    let is_none = value.trim_ascii().eq_ignore_ascii_case(NONE);
    is_none.then(|| (&attribute[..start], &attribute[end..]))
}

#[cfg(test)]
mod tests;
