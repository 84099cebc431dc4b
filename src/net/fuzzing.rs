//! The entry point for a fuzz target, which feeds the same bytes in one piece and in two. Not part of the public API.

use super::interim::{InterimFilter, InterimFlood};

/// Filters `bytes` as the response to a request. A `split` beyond the end counts as the end.
///
/// # Panics
/// If what passes, or the error, depends on `split`, or if something passes that was not sent.
pub fn filter_interim(bytes: &[u8], split: usize) {
    let whole = passed(&[bytes]);
    let (first, second) = bytes.split_at(split.min(bytes.len()));
    assert_eq!(
        passed(&[first, second]),
        whole,
        "what passes depends on the split"
    );
    if let Ok(passed) = whole {
        assert!(passed.len() <= bytes.len(), "more passes than was sent");
        let mut sent = bytes.iter();
        assert!(
            passed.iter().all(|byte| sent.any(|other| other == byte)),
            "what passes is not part of what was sent"
        );
    }
}

fn passed(pieces: &[&[u8]]) -> Result<Vec<u8>, InterimFlood> {
    let mut filter = InterimFilter::default();
    filter.expect_response();
    let mut out = Vec::new();
    for piece in pieces {
        let mut buffer = [filter.held(), piece].concat();
        let length = filter.filter(&mut buffer)?;
        out.extend_from_slice(&buffer[..length]);
    }
    out.extend_from_slice(filter.held());
    Ok(out)
}
