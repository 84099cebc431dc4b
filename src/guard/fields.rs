//! The few fields that the guard checks, found in one pass over the head. The pass costs less than five lookups, and
//! finds repeated field lines at no extra cost.

use http::{HeaderMap, HeaderValue};

use crate::config::is_override;

/// The lines of one field: how many, and the value if there is exactly one.
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum FieldLines<'a> {
    /// No line.
    #[default]
    Absent,
    /// Exactly one line.
    One(&'a HeaderValue),
    /// More than one line. Programs disagree on which of them counts.
    Several,
}

impl<'a> FieldLines<'a> {
    fn add(&mut self, value: &'a HeaderValue) {
        *self = match self {
            Self::Absent => Self::One(value),
            Self::One(_) | Self::Several => Self::Several,
        };
    }
}

/// The fields that the guard checks, borrowed from the head.
#[derive(Debug, Default)]
pub(super) struct GuardFields<'a> {
    pub(super) host: FieldLines<'a>,
    pub(super) origin: FieldLines<'a>,
    pub(super) site: FieldLines<'a>,
    pub(super) transfer_encoding: FieldLines<'a>,
    pub(super) content_length: FieldLines<'a>,
    pub(super) authorization: FieldLines<'a>,
    pub(super) key: FieldLines<'a>,
    pub(super) upgrade: FieldLines<'a>,
    /// The name of a field by which some servers replace the method or the path, in the head or announced as a trailer.
    pub(super) override_field: Option<&'a [u8]>,
}

/// The first field that a line of `Trailer` announces and that replaces the method or the path.
fn announced_override(names: &HeaderValue) -> Option<&[u8]> {
    let names = names.as_bytes().split(|byte| *byte == b',');
    names.map(<[u8]>::trim_ascii).find(|name| is_override(name))
}

/// Whether an upgrade to this protocol would let HTTP requests pass unchecked, in whichever version: `h2c`, `h2c-14`,
/// `HTTP/2.0`, `SPDY/3.1`, or `TLS/1.0` (RFC 2817). The proxy never forwards it. A list of protocols is not one.
#[must_use]
pub fn is_upgrade_to_http(protocol: &[u8]) -> bool {
    let mut words = protocol.split(|byte| !byte.is_ascii_alphanumeric());
    let name = words.find(|word| !word.is_empty()).unwrap_or_default();
    let begins = |start: &[u8]| {
        let name = name.get(..start.len());
        name.is_some_and(|name| name.eq_ignore_ascii_case(start))
    };
    let is_http =
        name.eq_ignore_ascii_case(b"tls") || [&b"h2"[..], b"http", b"spdy"].into_iter().any(begins);
    is_http && !protocol.contains(&b',')
}

impl<'a> GuardFields<'a> {
    /// Whether the request asks for an upgrade. One that the proxy never forwards does not count: Java's client asks
    /// for `h2c` with every request.
    pub(super) fn asks_upgrade(&self) -> bool {
        match self.upgrade {
            FieldLines::Absent => false,
            FieldLines::One(to) => !is_upgrade_to_http(to.as_bytes()),
            FieldLines::Several => true,
        }
    }

    pub(super) fn read(headers: &'a HeaderMap) -> Self {
        let mut fields = Self::default();
        for (name, value) in headers {
            match name.as_str() {
                "host" => fields.host.add(value),
                "origin" => fields.origin.add(value),
                "sec-fetch-site" => fields.site.add(value),
                "transfer-encoding" => fields.transfer_encoding.add(value),
                "content-length" => fields.content_length.add(value),
                "authorization" => fields.authorization.add(value),
                "x-cupbearer-key" => fields.key.add(value),
                "upgrade" => fields.upgrade.add(value),
                "trailer" => {
                    fields.override_field = fields.override_field.or(announced_override(value));
                }
                text if is_override(text.as_bytes()) => {
                    fields.override_field = Some(text.as_bytes());
                }
                _ => {}
            }
        }
        fields
    }
}
