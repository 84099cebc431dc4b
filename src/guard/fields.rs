//! The few fields that the guard judges, found in one pass over the head: a pass costs less than five
//! look-ups, and sees repeated lines for free.

use http::{HeaderMap, HeaderValue};

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
                _ => {}
            }
        }
        fields
    }
}
