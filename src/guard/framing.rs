//! The end of a request must be unambiguous (RFC 9112 section 6.3).
//!
//! hyper rejects differing or invalid lengths, a final coding other than `chunked`, and any coding in HTTP/1.0. It
//! drops equal repeated lengths, and a length beside a coding, before the guard sees them; `server::HeadScanner`
//! rejects those in the raw bytes. hyper accepts a repeated field and `gzip, chunked`, which are rejected here. This
//! file checks all of it again, so that what is forwarded does not depend on one release of a parser.

use http::{HeaderName, Version};

use super::fields::{FieldLines, GuardFields};
use super::rejection::Rejection;
use crate::problem::Reason;

pub(super) fn check(fields: &GuardFields<'_>, version: Version) -> Result<(), Rejection> {
    match (fields.transfer_encoding, fields.content_length) {
        (FieldLines::Absent, FieldLines::Absent) => Ok(()),
        (FieldLines::Absent, FieldLines::One(length)) if is_decimal(length.as_bytes()) => Ok(()),
        (FieldLines::Absent, FieldLines::One(_)) => {
            Err(bad("Content-Length is not a plain decimal number."))
        }
        (_, FieldLines::Several) => Err(bad("Content-Length was sent more than once.")),
        (FieldLines::Several, _) => Err(bad("Transfer-Encoding was sent more than once.")),
        (FieldLines::One(_), FieldLines::One(_)) => {
            Err(bad("Content-Length and Transfer-Encoding were both sent."))
        }
        (FieldLines::One(_), FieldLines::Absent) if version < Version::HTTP_11 => {
            Err(bad("HTTP/1.0 has no Transfer-Encoding."))
        }
        (FieldLines::One(coding), FieldLines::Absent)
            if coding.as_bytes().eq_ignore_ascii_case(b"chunked") =>
        {
            Ok(())
        }
        (FieldLines::One(coding), FieldLines::Absent) if is_unknown(coding.as_bytes()) => {
            Err(Rejection::new(
                Reason::CodingNotSupported,
                "The only transfer coding that this proxy knows is \"chunked\". To send a compressed body, use Content-Encoding.",
            ))
        }
        (FieldLines::One(_), FieldLines::Absent) => {
            Err(bad("Transfer-Encoding must be exactly \"chunked\"."))
        }
    }
}

/// Whether the codings are a valid list that ends in `chunked`, so that the end of the request is known but not its
/// content (RFC 9112 section 6.1).
fn is_unknown(codings: &[u8]) -> bool {
    let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
    let mut reversed = codings.rsplit(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    reversed.next().is_some_and(is_chunked)
        && reversed.all(|coding| is_coding(coding) && !is_chunked(coding))
}

/// A name, and perhaps parameters after a semicolon.
fn is_coding(coding: &[u8]) -> bool {
    let name = coding
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or_default();
    HeaderName::from_bytes(name.trim_ascii_end()).is_ok() // another token
}

/// Leading zeros are allowed (RFC 9110 section 8.6), because the outgoing field is written anew.
fn is_decimal(value: &[u8]) -> bool {
    !value.is_empty() && value.iter().all(u8::is_ascii_digit)
}

fn bad(detail: &'static str) -> Rejection {
    Rejection::new(Reason::BadRequest, detail)
}
