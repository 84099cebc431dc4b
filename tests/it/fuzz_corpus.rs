//! Every input in the corpus of a fuzz target still satisfies what the target checks.

use std::fs;
use std::path::Path;

use cupbearer::net;
use cupbearer::server::fuzzing;

#[test]
fn every_request_head_of_the_corpus_reads_the_same_wherever_it_is_split() {
    replay("request_head", fuzzing::scan_head);
}

#[test]
fn every_chunked_body_of_the_corpus_reads_the_same_wherever_it_is_split() {
    replay("chunked_body", fuzzing::read_chunks);
}

#[test]
fn every_series_of_interim_responses_of_the_corpus_passes_the_same_wherever_it_is_split() {
    replay("interim_responses", net::fuzzing::filter_interim);
}

/// Feeds each input as the target does, and then with every other split.
fn replay(target: &str, feed: fn(&[u8], usize)) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let mut inputs = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let input = fs::read(entry.unwrap().path()).unwrap();
        if let [low, high, bytes @ ..] = &input[..] {
            feed(bytes, usize::from(u16::from_le_bytes([*low, *high])));
            for split in 0..bytes.len() {
                feed(bytes, split);
            }
        }
        inputs += 1;
    }
    assert!(inputs >= 100, "the corpus of {target} has {inputs} inputs");
}
