//! Finds where in a text a caller's key may begin. Only digests of the keys are kept, and digesting every part of a
//! text would take seconds; the hash of 16 bytes takes a nanosecond.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;

/// No key is shorter.
const START_BYTES: usize = 16;

/// How many starts the filter tells apart: with a hundred keys, 2 of 100 places in a text are looked up.
const FILTER_WORDS: usize = 64;

/// Random, so that nobody can write a text that takes longer because much in it looks like the start of a key.
static SEEDS: LazyLock<[u64; 2]> = LazyLock::new(|| {
    let random = RandomState::new();
    [random.hash_one(0_u8), random.hash_one(1_u8)]
});

/// A hash of the first bytes of a key. Anything shorter has that of nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct KeyStart(u32);

impl KeyStart {
    pub(super) fn of(text: &[u8]) -> Self {
        text.first_chunk()
            .map_or(Self(0), |start| Self::of_bytes(start, *SEEDS))
    }

    fn of_bytes(start: &[u8; START_BYTES], [one, other]: [u64; 2]) -> Self {
        let ([first, second], []) = start.as_chunks() else {
            return Self(0); // 16 bytes are two chunks of 8
        };
        let (first, second) = (u64::from_ne_bytes(*first), u64::from_ne_bytes(*second));
        let product = u128::from(first ^ one) * u128::from(second ^ other);
        // The bits in the middle depend on all of the bytes.
        let [_, higher, lower, _] = split(product);
        Self(higher ^ lower)
    }

    /// Its word and its bit in the filter.
    const fn place(self) -> (usize, u64) {
        (self.0 as usize % FILTER_WORDS, 1 << (self.0 >> 26))
    }
}

/// A number in four parts, the highest first.
fn split(number: u128) -> [u32; 4] {
    let bytes = number.to_be_bytes();
    let mut parts = [0; 4];
    let (chunks, _) = bytes.as_chunks();
    for (part, chunk) in parts.iter_mut().zip(chunks) {
        *part = u32::from_be_bytes(*chunk);
    }
    parts
}

/// The starts of all keys, and how long those keys are.
pub(super) struct KeyStarts {
    /// Sorted.
    keys: Vec<(KeyStart, usize)>,
    /// One bit for each start; several starts may share one.
    filter: [u64; FILTER_WORDS],
    seeds: [u64; 2],
}

impl KeyStarts {
    pub(super) fn of(keys: impl Iterator<Item = (KeyStart, usize)>) -> Self {
        let mut keys: Vec<_> = keys.collect();
        keys.sort_unstable();
        keys.dedup();
        let mut filter = [0; FILTER_WORDS];
        for (start, _) in &keys {
            let (word, bit) = start.place();
            filter[word] |= bit;
        }
        Self {
            keys,
            filter,
            seeds: *SEEDS,
        }
    }

    /// Every part of the text that may be one of the keys.
    pub(super) fn possible_keys<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let places = (0..text.len()).filter_map(move |at| {
            let start = KeyStart::of_bytes(text[at..].first_chunk()?, self.seeds);
            let (word, bit) = start.place();
            (self.filter[word] & bit != 0).then_some((at, start))
        });
        places.flat_map(move |(at, start)| {
            let first = self.keys.partition_point(|(other, _)| *other < start);
            let same = self.keys[first..].iter();
            let same = same.take_while(move |(other, _)| *other == start);
            same.filter_map(move |(_, length)| text.get(at..at.checked_add(*length)?))
        })
    }
}

#[cfg(test)]
mod tests;
