//! Where a request ends must have one reading (RFC 9112 section 6.3).
//!
//! hyper refuses differing lengths, unparsable ones, a last coding other than `chunked`, and any coding
//! in HTTP/1.0; it drops equal repeated lengths and a length beside a coding before we see them
//! (`server::HeadScanner` refuses those in the raw bytes). It lets a repeated coding and `gzip, chunked` pass: they end here. All rules stand here all the same, so
//! that what is forwarded does not hang on one release's parser.

use http::Version;

use super::Refusal;
use super::fields::{Fields, Lines};
use crate::problem::Reason;

pub(super) fn check(fields: &Fields<'_>, version: Version) -> Result<(), Refusal> {
    match (fields.transfer_encoding, fields.content_length) {
        (Lines::Absent, Lines::Absent) => Ok(()),
        (Lines::Absent, Lines::One(length)) if is_decimal(length.as_bytes()) => Ok(()),
        (Lines::Absent, Lines::One(_)) => Err(bad("Content-Length is not a plain decimal number.")),
        (_, Lines::Several) => Err(bad("Content-Length was sent more than once.")),
        (Lines::Several, _) => Err(bad("Transfer-Encoding was sent more than once.")),
        (Lines::One(_), Lines::One(_)) => {
            Err(bad("Content-Length and Transfer-Encoding were both sent."))
        }
        (Lines::One(_), Lines::Absent) if version < Version::HTTP_11 => {
            Err(bad("HTTP/1.0 has no Transfer-Encoding."))
        }
        (Lines::One(coding), Lines::Absent)
            if coding.as_bytes().eq_ignore_ascii_case(b"chunked") =>
        {
            Ok(())
        }
        (Lines::One(_), Lines::Absent) => {
            Err(bad("Transfer-Encoding must be exactly \"chunked\"."))
        }
    }
}

/// Leading zeros are digits (RFC 9110 section 8.6); what goes out is written anew.
fn is_decimal(value: &[u8]) -> bool {
    !value.is_empty() && value.iter().all(u8::is_ascii_digit)
}

fn bad(detail: &'static str) -> Refusal {
    Refusal::new(Reason::BadRequest, detail)
}
