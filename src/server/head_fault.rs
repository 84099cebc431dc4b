//! Finds out why hyper could not read the head of a request, so that the response can say what is wrong and where.
//!
//! hyper reports only a category. This runs once per connection at most, after hyper has given up.

use std::borrow::Cow;

use http::uri::{Authority, PathAndQuery};
use memchr::memchr;

use super::head_scanner::FramingFault;

/// How many fields hyper reads. A larger number costs every request 5 % (see its `max_headers`).
pub(super) const MAX_FIELDS: usize = 100;

/// The longest request target that hyper reads, in bytes.
const MAX_TARGET: usize = 65_534;

/// Why the head of a request cannot be read. The text repeats at most one byte of the head, and no value of a field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeadFault {
    /// A client that uses `https://`.
    #[error("a TLS handshake arrived, but this listener speaks plain HTTP: use http://")]
    Tls,
    /// A client that uses `http://` on a listener with TLS.
    #[error("it is plain HTTP, but this listener speaks TLS: use https://")]
    NotTls,
    /// A version other than 1.0 and 1.1.
    #[error("{version} is not supported: use HTTP/1.1")]
    Version {
        /// As sent: `HTTP/` and two digits.
        version: String,
    },
    /// A byte that is not allowed where it stands.
    #[error("byte {position} of {place}: {}", shown(*.byte))]
    Byte {
        /// Counted from 1.
        position: usize,
        /// What contains it.
        place: String,
        /// The byte.
        byte: u8,
        /// Whether it would be allowed if it were percent-encoded.
        is_encodable: bool,
    },
    /// More fields than hyper accepts.
    #[error("too many fields ({count}, at most {})", MAX_FIELDS)]
    TooManyFields {
        /// As many as have arrived.
        count: usize,
    },
    /// `limits.header_bytes` is reached.
    #[error("the head is longer than {limit} bytes (limits.header_bytes)")]
    TooLong {
        /// The limit.
        limit: usize,
    },
    /// Longer than hyper accepts.
    #[error("the request target is longer than {} bytes", MAX_TARGET)]
    TargetTooLong,
    /// Anything else.
    #[error("{0}")]
    Malformed(Cow<'static, str>),
}

impl HeadFault {
    pub(super) const fn fixed(text: &'static str) -> Self {
        Self::Malformed(Cow::Borrowed(text))
    }
}

/// The byte between quotes.
fn shown(byte: u8) -> String {
    if byte.is_ascii() {
        format!("\"{}\"", char::from(byte).escape_default())
    } else {
        format!("\"\\x{byte:02x}\"")
    }
}

/// What is known about a head that hyper could not read.
pub(super) struct UnreadableHead<'a> {
    /// See [`restore`].
    pub(super) bytes: &'a [u8],
    /// What the scanner has rejected.
    pub(super) framing: Option<FramingFault>,
    /// Whether hyper says that the head is too large.
    pub(super) is_too_large: bool,
    /// Whether the client has closed its side.
    pub(super) has_ended: bool,
    /// `limits.header_bytes`.
    pub(super) limit: usize,
}

/// What the client sent, from what hyper has not parsed: the scanner replaces one line feed of a head that it rejects.
pub(super) fn restore(unparsed: &[u8], framing: Option<FramingFault>) -> Vec<u8> {
    let mut bytes = unparsed.to_vec();
    if framing.is_some()
        && let Some(replaced) = memchr(0, unparsed)
    {
        bytes[replaced] = b'\n';
    }
    bytes
}

impl UnreadableHead<'_> {
    /// What is wrong with it. `None` if that cannot be determined, because hyper discarded the head before it gave up,
    /// so that the bytes are not those of the head.
    pub(super) fn fault(&self) -> Option<HeadFault> {
        if let [0x16] | [0x16, 0x03, ..] = self.bytes {
            return Some(HeadFault::Tls); // a handshake record (RFC 8446 section 5.1)
        }
        if self.is_too_large {
            return Some(self.excess());
        }
        self.request_line_fault()
            .or_else(|| field_fault(self.bytes))
            .or_else(|| {
                let fault = self.framing.map(|fault| fault.to_string());
                fault.map(|fault| HeadFault::Malformed(fault.into()))
            })
            .or(self.has_ended.then_some(ENDED))
    }

    fn excess(&self) -> HeadFault {
        let mut lines = lines(self.bytes);
        let request_line = lines.next().unwrap_or_default();
        let target = request_line.splitn(3, |byte| *byte == b' ').nth(1);
        let count = lines.take_while(|line| !line.is_empty()).count();
        if count > MAX_FIELDS {
            HeadFault::TooManyFields { count }
        } else if self.bytes.len() < self.limit && target.is_some_and(|it| it.len() > MAX_TARGET) {
            HeadFault::TargetTooLong
        } else {
            HeadFault::TooLong { limit: self.limit }
        }
    }

    fn request_line_fault(&self) -> Option<HeadFault> {
        let whole = lines(self.bytes).next();
        let line = whole.unwrap_or(self.bytes);
        let Some(end) = memchr(b' ', line) else {
            return first_bad_byte(line, "the method", is_token)
                .or_else(|| whole.map(|_| NO_VERSION));
        };
        let (method, rest) = (&line[..end], &line[end + 1..]);
        if method.is_empty() {
            return Some(HeadFault::fixed("the request line begins with a space"));
        }
        if let Some(fault) = first_bad_byte(method, "the method", is_token) {
            return Some(fault);
        }
        let end = if whole.is_some() {
            rest.iter().rposition(|byte| *byte == b' ')
        } else {
            Some(memchr(b' ', rest).unwrap_or(rest.len()))
        };
        let Some(end) = end else {
            return Some(NO_VERSION);
        };
        let version = whole.and_then(|_| version_fault(&rest[end + 1..]));
        target_fault(&rest[..end]).or(version)
    }
}

const ENDED: HeadFault = HeadFault::fixed("the connection ended before the head did");
/// The fault if [`UnreadableHead::fault`] finds none.
pub(super) const UNKNOWN: HeadFault = HeadFault::fixed("the head is not valid HTTP/1.1");
const NO_VERSION: HeadFault = HeadFault::fixed("the request line does not end with HTTP/1.1");

fn version_fault(version: &[u8]) -> Option<HeadFault> {
    match version {
        b"HTTP/1.0" | b"HTTP/1.1" => None,
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            let (major, minor) = (char::from(*major), char::from(*minor));
            let version = format!("HTTP/{major}.{minor}");
            Some(HeadFault::Version { version })
        }
        _ => Some(NO_VERSION),
    }
}

/// The byte of the target that hyper rejects.
fn target_fault(target: &[u8]) -> Option<HeadFault> {
    const PLACE: &str = "the request target";
    if target.is_empty() {
        return Some(HeadFault::fixed("the request target is empty"));
    }
    let encodable = |position: usize| HeadFault::Byte {
        position: position + 1,
        place: PLACE.to_owned(),
        byte: target[position],
        is_encodable: true,
    };
    if let Some(at) = target
        .iter()
        .position(|byte| *byte <= b' ' || *byte == 0x7f)
    {
        return Some(encodable(at));
    }
    let (authority, path) = split_target(target);
    if authority.is_some_and(|authority| Authority::try_from(authority).is_err()) {
        return Some(HeadFault::fixed(
            "the host in the request target is not valid",
        ));
    }
    if path.first() != Some(&b'/') || PathAndQuery::try_from(path).is_ok() {
        return None;
    }
    let mut in_query = false;
    let invalid = path.iter().position(|byte| {
        in_query |= *byte == b'?';
        match byte {
            b'<' | b'>' => true,
            b'`' => !in_query,
            b'"' => in_query,
            _ => false,
        }
    });
    let not_utf8 = || {
        std::str::from_utf8(path)
            .err()
            .map(|error| error.valid_up_to())
    };
    let at = invalid.or_else(not_utf8)?;
    Some(encodable(target.len() - path.len() + at))
}

/// The authority of a target in absolute form, and the path with its query.
pub(super) fn split_target(target: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let scheme = target.windows(3).position(|piece| piece == b"://");
    let Some(scheme) = scheme.filter(|at| target[..*at].iter().all(u8::is_ascii_alphabetic)) else {
        return (None, target);
    };
    let rest = &target[scheme + 3..];
    let end = rest
        .iter()
        .position(|byte| matches!(byte, b'/' | b'?' | b'#'))
        .unwrap_or(rest.len());
    (Some(&rest[..end]), &rest[end..])
}

/// The first field of a head that hyper rejects.
fn field_fault(head: &[u8]) -> Option<HeadFault> {
    let fields = lines(head).skip(1).take_while(|line| !line.is_empty());
    fields.zip(1..).find_map(|(line, number)| {
        if matches!(line.first(), Some(b' ' | b'\t')) {
            return Some(HeadFault::Malformed(
                format!("field {number} is folded: its line begins with white space").into(),
            ));
        }
        let Some(colon) = memchr(b':', line) else {
            return Some(HeadFault::Malformed(
                format!("field {number} has no colon").into(),
            ));
        };
        if colon == 0 {
            return Some(HeadFault::Malformed(
                format!("field {number} has no name").into(),
            ));
        }
        let name_of = format!("the name of field {number}");
        first_bad_byte(&line[..colon], &name_of, is_token).or_else(|| {
            let value_of = format!("the value of field {number}");
            first_bad_byte(&line[colon + 1..], &value_of, is_in_value)
        })
    })
}

/// The complete lines of a head, without their line ends.
pub(super) fn lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = head;
    std::iter::from_fn(move || {
        let end = memchr(b'\n', rest)?;
        let line = &rest[..end];
        rest = &rest[end + 1..];
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    })
    .skip_while(|line| line.is_empty()) // before a request line (RFC 9112 section 2.2)
}

fn first_bad_byte(text: &[u8], place: &str, is_good: fn(u8) -> bool) -> Option<HeadFault> {
    let at = text.iter().position(|byte| !is_good(*byte))?;
    Some(HeadFault::Byte {
        position: at + 1,
        place: place.to_owned(),
        byte: text[at],
        is_encodable: false,
    })
}

/// RFC 9110 section 5.6.2.
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// RFC 9110 section 5.5.
const fn is_in_value(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

#[cfg(test)]
mod tests;
