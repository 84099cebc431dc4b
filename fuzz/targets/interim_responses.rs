//! The first two bytes say where the rest is split (little-endian).
#![no_main]

use cupbearer::net::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let [low, high, bytes @ ..] = input {
        fuzzing::filter_interim(bytes, usize::from(u16::from_le_bytes([*low, *high])));
    }
});
