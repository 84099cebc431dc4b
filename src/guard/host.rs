//! `Host`: the only field that shows DNS rebinding and 0.0.0.0. A page whose name was made to resolve
//! to this machine still says its own name here.

use http::HeaderValue;

use super::fields::Lines;
use super::{Refusal, Way};
use crate::problem::Reason;
use crate::text::quotable;

/// Constants, never resolved. The port is left open: `-p 9000:6749` and `ssh -L` change it, and a page
/// cannot make a browser send one of these names to another machine.
const LOOPBACK_NAMES: [&[u8]; 3] = [b"localhost", b"127.0.0.1", b"[::1]"];

/// Which names a listener answers to.
#[derive(Clone, Copy)]
pub(super) enum Names<'a> {
    /// Loopback ones and `guard.hosts`.
    Ours(&'a [String]),
    /// Any: a browser cannot connect to a unix socket, and programs put there what they like.
    Any,
}

impl<'a> Names<'a> {
    /// Those of a listener of this kind.
    pub(super) const fn at(way: Way, hosts: &'a [String]) -> Self {
        match way {
            Way::Loopback | Way::Network => Self::Ours(hosts),
            Way::Unix => Self::Any,
        }
    }

    /// Whether an authority may stand in a request.
    pub(super) fn include(self, authority: &[u8]) -> bool {
        match self {
            Self::Ours(hosts) => is_ours(authority, hosts),
            Self::Any => authority.iter().copied().all(may_stand_in_authority),
        }
    }
}

/// What a host and port are made of (RFC 3986 section 3.2), without what only few of them have.
const fn may_stand_in_authority(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'.' | b'-' | b'_' | b'~' | b'%' | b':' | b'[' | b']')
}

/// Exactly one line, one of `names`, with or without a port (RFC 9112 section 3.2).
pub(super) fn check<'a>(lines: Lines<'a>, names: Names<'_>) -> Result<&'a HeaderValue, Refusal> {
    match lines {
        Lines::One(host) if names.include(host.as_bytes()) => Ok(host),
        Lines::One(host) => Err(refused(foreign(host.as_bytes()))),
        Lines::Absent => Err(refused(
            "The request has no Host field; it needs exactly one.".to_owned(),
        )),
        Lines::Several => Err(refused(
            "The request has several Host fields; it needs exactly one.".to_owned(),
        )),
    }
}

/// Whether an authority is one of our names, with or without a port. Names have no case (RFC 3986
/// section 3.2.2); everything else is compared as it stands, so a trailing dot or `a@` is another name.
fn is_ours(authority: &[u8], hosts: &[String]) -> bool {
    let Some(name) = name_of(authority) else {
        return false;
    };
    LOOPBACK_NAMES
        .iter()
        .any(|ours| name.eq_ignore_ascii_case(ours))
        || hosts
            .iter()
            .any(|ours| name.eq_ignore_ascii_case(ours.as_bytes()))
}

/// The name before an optional port of 1-5 digits; `None` where what follows is no port.
fn name_of(authority: &[u8]) -> Option<&[u8]> {
    let end = match authority.first() {
        Some(b'[') => authority.iter().position(|byte| *byte == b']')? + 1,
        _ => authority
            .iter()
            .position(|byte| *byte == b':')
            .unwrap_or(authority.len()),
    };
    let (name, rest) = authority.split_at(end);
    match rest {
        [] => Some(name),
        [b':', port @ ..]
            if (1..=5).contains(&port.len()) && port.iter().all(u8::is_ascii_digit) =>
        {
            Some(name)
        }
        _ => None,
    }
}

fn foreign(host: &[u8]) -> String {
    let whole = quotable(host);
    match name_of(host).filter(|name| could_be_configured(name)) {
        Some(name) => format!(
            "Host \"{whole}\" is not this proxy's: use localhost, or add \"{}\" to guard.hosts.",
            quotable(name)
        ),
        None => format!("Host \"{whole}\" is not a host name with an optional port."),
    }
}

/// No advice to configure what could never match.
fn could_be_configured(name: &[u8]) -> bool {
    let is_literal = name.starts_with(b"[");
    let is_part = |byte: &u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'.' | b'-' | b'_')
            || is_literal && b"[]:".contains(byte)
    };
    !name.is_empty() && !name.ends_with(b".") && name.iter().all(is_part)
}

fn refused(detail: String) -> Refusal {
    Refusal::new(Reason::HostRefused, detail)
}
