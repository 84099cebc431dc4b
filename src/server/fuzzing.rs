//! Entry points for fuzz targets: each feeds the same bytes in one piece and in two, and panics if the results differ.
//! Not part of the public API.

use super::chunk_reader::ChunkReader;
use super::head_scanner::HeadScanner;

/// Scans `bytes` as the start of a connection. A `split` beyond the end counts as the end.
///
/// # Panics
/// If the verdict, the bytes left for hyper, or what the scanner says about the connection depends on `split`.
pub fn scan_head(bytes: &[u8], split: usize) {
    let mut whole_bytes = bytes.to_vec();
    let mut whole = HeadScanner::default();
    let whole_passes = whole.scan(&mut whole_bytes);

    let mut split_bytes = bytes.to_vec();
    let (first, second) = split_bytes.split_at_mut(split.min(bytes.len()));
    let mut scanner = HeadScanner::default();
    let split_passes = scanner.scan(first) && scanner.scan(second);

    assert_eq!(
        split_passes, whole_passes,
        "the verdict depends on the split"
    );
    assert_eq!(
        split_bytes, whole_bytes,
        "the bytes left for hyper depend on the split"
    );
    assert_eq!(
        scanner.is_in_head(),
        whole.is_in_head(),
        "the head's end depends on the split"
    );
    assert_eq!(
        scanner.has_left_http(),
        whole.has_left_http(),
        "the end of HTTP depends on the split"
    );
    assert_eq!(
        scanner.fault(),
        whole.fault(),
        "the fault depends on the split"
    );
    let changed = whole_bytes
        .iter()
        .zip(bytes)
        .filter(|(left, sent)| left != sent);
    assert_eq!(
        changed.count(),
        usize::from(!whole_passes),
        "only a rejection changes a byte, and only one"
    );
}

/// Reads `bytes` as a chunked body. A `split` beyond the end counts as the end.
///
/// # Panics
/// If the length of the body or the position after `bytes` depends on `split`.
pub fn read_chunks(bytes: &[u8], split: usize) {
    let whole = ChunkReader::Start.read(bytes);
    let (first, second) = bytes.split_at(split.min(bytes.len()));
    let in_two = match ChunkReader::Start.read(first) {
        (taken, Some(reader)) => {
            let (more, reader) = reader.read(second);
            (taken + more, reader)
        }
        rejected @ (_, None) => rejected,
    };
    assert_eq!(in_two, whole, "the end of the body depends on the split");
    assert!(whole.0 <= bytes.len(), "the body is longer than the input");
}

#[cfg(test)]
mod tests;
