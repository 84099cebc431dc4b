//! Checks `Host`, the only field that reveals DNS rebinding and 0.0.0.0: a page whose name has been made to resolve to
//! this machine still sends its own name here.

use http::{HeaderValue, Version};

use super::fields::FieldLines;
use super::peer::Transport;
use super::rejection::Rejection;
use crate::config::PORT_PROBE_HOST;
use crate::problem::Reason;
use crate::text::{quotable, quotable_authority};

/// Constants, never resolved. Any port is accepted, because `-p 9000:6749` and `ssh -L` change it, and a page cannot
/// make a browser send one of these names to another machine.
const LOOPBACK_NAMES: [&[u8]; 3] = [b"localhost", b"127.0.0.1", b"[::1]"];

/// The hosts that a listener accepts.
#[derive(Clone, Copy)]
pub(super) enum AcceptedHosts<'a> {
    /// The loopback names and `guard.hosts`.
    Ours(&'a [String]),
    /// Any, on a unix socket: browsers cannot connect to one, and programs send any name there.
    Any,
}

impl<'a> AcceptedHosts<'a> {
    /// The hosts for a listener of this kind.
    pub(super) const fn new(transport: Transport, hosts: &'a [String]) -> Self {
        match transport {
            Transport::Loopback | Transport::Network => Self::Ours(hosts),
            Transport::Unix => Self::Any,
        }
    }

    /// Whether a request may name this authority.
    pub(super) fn include(self, authority: &[u8]) -> bool {
        match self {
            Self::Ours(hosts) => is_ours(authority, hosts),
            Self::Any => authority.iter().copied().all(is_authority_byte),
        }
    }
}

/// Characters of a host and a port (RFC 3986 section 3.2), except those that are hardly ever used.
const fn is_authority_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'.' | b'-' | b'_' | b'~' | b'%' | b':' | b'[' | b']')
}

/// Requires exactly one `Host` line with an accepted name, with or without a port. A request without one, with several,
/// or with something that is not a host is malformed (RFC 9112 section 3.2), except that HTTP/1.0 does not require
/// `Host`.
pub(super) fn check<'a>(
    lines: FieldLines<'a>,
    version: Version,
    hosts: AcceptedHosts<'_>,
) -> Result<&'a HeaderValue, Rejection> {
    let reject = |reason, detail: &'static str| Err(Rejection::new(reason, detail));
    match lines {
        FieldLines::One(host) if hosts.include(host.as_bytes()) => Ok(host),
        FieldLines::One(host) => Err(wrong_host(host.as_bytes())),
        FieldLines::Absent if version < Version::HTTP_11 => reject(
            Reason::HostRefused,
            "The request has no Host field. HTTP/1.0 does not require one, but this proxy does.",
        ),
        FieldLines::Absent if version == Version::HTTP_2 => reject(
            Reason::BadRequest,
            "The request has neither :authority nor a Host field.",
        ),
        FieldLines::Absent => reject(
            Reason::BadRequest,
            "The request has no Host field; it needs exactly one.",
        ),
        FieldLines::Several if version == Version::HTTP_2 => reject(
            Reason::BadRequest,
            "The request has several Host fields, or one that differs from :authority; they must name one host.",
        ),
        FieldLines::Several => reject(
            Reason::BadRequest,
            "The request has several Host fields; it needs exactly one.",
        ),
    }
}

/// Whether an authority is one of our names, with or without a port. Host names are case-insensitive (RFC 3986 section
/// 3.2.2). Everything else is compared literally, so a trailing dot or `a@` makes another name.
fn is_ours(authority: &[u8], hosts: &[String]) -> bool {
    let Some(name) = name_of(authority) else {
        return false;
    };
    LOOPBACK_NAMES
        .iter()
        .any(|ours| name == *ours || name.eq_ignore_ascii_case(ours)) // the first is usual, and costs less
        || hosts
            .iter()
            .any(|ours| name.eq_ignore_ascii_case(ours.as_bytes()))
}

/// The name before an optional port of 1 to 5 digits. `None` if something else follows the name.
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

#[cold]
fn wrong_host(host: &[u8]) -> Rejection {
    let whole = quotable_authority(host);
    let (reason, detail) = match name_of(host).filter(|name| could_be_configured(name)) {
        Some(name) => (
            Reason::HostRefused,
            format!(
                "Host \"{whole}\" does not name this proxy: use localhost, or, if that name is yours, add \"{}\" to \
                 guard.hosts.",
                quotable(name)
            ),
        ),
        None => (
            if host.iter().copied().all(is_host_byte) {
                Reason::HostRefused
            } else {
                Reason::BadRequest
            },
            format!("Host \"{whole}\" is not a host name with an optional port."),
        ),
    };
    Rejection {
        is_recorded: host != PORT_PROBE_HOST.as_bytes(),
        ..Rejection::new(reason, detail)
    }
}

/// Whether a host and a port may contain this character at all (RFC 3986 section 3.2).
const fn is_host_byte(byte: u8) -> bool {
    is_authority_byte(byte)
        || matches!(
            byte,
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'='
        )
}

/// Whether `guard.hosts` could ever match this name, so that it makes sense to suggest it.
fn could_be_configured(name: &[u8]) -> bool {
    let is_literal = name.starts_with(b"[");
    let is_part = |byte: &u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'.' | b'-' | b'_')
            || is_literal && b"[]:".contains(byte)
    };
    !name.is_empty() && !name.ends_with(b".") && name.iter().all(is_part)
}
