//! `Set-Cookie` as the client must see it: a pure function of its value.

use http::HeaderValue;

use crate::guard::OwnScheme;

/// A cookie that a client can store although it uses another host name, and perhaps plain HTTP. `None` means that it
/// stays byte for byte.
///
/// `Domain` is removed because it names the upstream. `Secure` is removed if the client uses plain HTTP, unless the
/// prefix of the cookie's name requires it (RFC 6265bis section 4.1.3). Browsers reject `SameSite=None` and
/// `Partitioned` without `Secure`, so in that case the first becomes `Lax` and the second is removed.
pub(super) fn rewritten_cookie(value: &HeaderValue, scheme: OwnScheme) -> Option<HeaderValue> {
    let mut parts = value.as_bytes().split(|byte| *byte == b';');
    let pair = parts.next()?;
    let attributes: Vec<&[u8]> = parts.collect();
    let drops_secure = scheme == OwnScheme::Http
        && !requires_secure(pair)
        && attributes.iter().any(|part| has_name(part, b"secure"));
    let drops_domain = attributes.iter().any(|part| has_name(part, b"domain"));
    if !drops_secure && !drops_domain {
        return None;
    }
    let is_dropped = |part: &[u8]| {
        has_name(part, b"domain")
            || drops_secure && (has_name(part, b"secure") || has_name(part, b"partitioned"))
    };
    let mut new = pair.to_vec();
    for part in attributes {
        if is_dropped(part) {
            continue;
        }
        new.push(b';');
        match split_at_none(part).filter(|_| drops_secure) {
            Some((before, after)) => new.extend([before, b"Lax", after].concat()),
            None => new.extend(part),
        }
    }
    // Without a name and a value it is not a cookie, and must not become an empty field.
    let is_empty = new.trim_ascii().is_empty();
    HeaderValue::from_bytes(&new).ok().filter(|_| !is_empty)
}

/// Whether an attribute has this name, which is given in lower case.
fn has_name(attribute: &[u8], wanted: &[u8]) -> bool {
    attribute
        .split(|byte| *byte == b'=')
        .next()
        .is_some_and(|name| name.trim_ascii().eq_ignore_ascii_case(wanted))
}

fn requires_secure(pair: &[u8]) -> bool {
    let starts = |prefix: &[u8]| {
        pair.trim_ascii_start()
            .get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    starts(b"__Host-") || starts(b"__Secure-") || starts(b"__Http-")
}

/// What comes before and after the value of `SameSite=None`.
fn split_at_none(attribute: &[u8]) -> Option<(&[u8], &[u8])> {
    const NONE: &[u8] = b"none";
    if !has_name(attribute, b"samesite") {
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
