//! The few fields that the guard judges, found in one pass over the head: a pass costs less than five
//! look-ups, and sees repeated lines for free.

use http::{HeaderMap, HeaderName, HeaderValue};

/// How often a field was sent, and what it held if that was once.
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Lines<'a> {
    /// Not at all.
    #[default]
    Absent,
    /// As one line.
    One(&'a HeaderValue),
    /// As several lines: no two programs agree on which counts.
    Several,
}

impl<'a> Lines<'a> {
    fn add(&mut self, value: &'a HeaderValue) {
        *self = match self {
            Self::Absent => Self::One(value),
            Self::One(_) | Self::Several => Self::Several,
        };
    }
}

/// Borrowed from the head; names are lower case in a `HeaderMap`.
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    pub(super) host: Lines<'a>,
    pub(super) origin: Lines<'a>,
    pub(super) site: Lines<'a>,
    pub(super) transfer_encoding: Lines<'a>,
    pub(super) content_length: Lines<'a>,
    pub(super) authorization: Lines<'a>,
    pub(super) key: Lines<'a>,
    pub(super) upgrade: Lines<'a>,
    /// A field that asks some servers to take the request for another one.
    pub(super) override_field: Option<&'a HeaderName>,
}

/// Fields that replace the method or the path, by what frameworks of the last twenty years read.
const OVERRIDES: [&str; 5] = [
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
    "x-original-url",
    "x-rewrite-url",
];

/// With `_` for `-` too: a CGI-like server cannot tell them apart (RFC 3875 section 4.1.18).
fn is_override(name: &str) -> bool {
    let plain = |byte: u8| if byte == b'_' { b'-' } else { byte };
    name.starts_with('x')
        && OVERRIDES
            .iter()
            .any(|known| known.len() == name.len() && known.bytes().eq(name.bytes().map(plain)))
}

impl<'a> Fields<'a> {
    pub(super) fn of(headers: &'a HeaderMap) -> Self {
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
                text if is_override(text) => fields.override_field = Some(name),
                _ => {}
            }
        }
        fields
    }
}
