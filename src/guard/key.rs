//! A caller's key: its format, how a source holds several, and what is kept of it in memory.
//!
//! A key that we make is `cbk_`, 30 random letters and digits (178 bits), and a checksum of 6 more:
//! `cbk_[0-9A-Za-z]{36}`. A secret scanner finds such a key by its prefix, and recognizes a made-up one by its
//! checksum. Other keys are accepted too.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

use super::key_start::KeyStart;

const PREFIX: &str = "cbk_";
const RANDOM_LETTERS: usize = 30;
const CHECKSUM_LETTERS: usize = 6;
const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// In bytes. A shorter key could be guessed.
const SHORTEST_KEY: usize = 16;
/// In bytes. A longer line means that the file is the wrong one.
const LONGEST: usize = 256;

/// The SHA-256 digest of a key, which is all that is kept of it, besides its length and 32 bits of a random hash.
///
/// All digests have the same length, so a comparison takes the same time whatever was sent, and anything it could
/// reveal about a digest says nothing about the key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyDigest {
    words: [u64; 4],
    /// That of the key, in bytes.
    length: u32,
    start: KeyStart,
}

impl KeyDigest {
    /// The digest of a key, as configured or as sent.
    #[must_use]
    pub fn of(key: &[u8]) -> Self {
        let digest = digest(&SHA256, key);
        let (words, _) = digest.as_ref().as_chunks();
        let mut all = [0; 4];
        for (to, from) in all.iter_mut().zip(words) {
            *to = u64::from_ne_bytes(*from);
        }
        Self {
            words: all,
            length: u32::try_from(key.len()).unwrap_or(u32::MAX),
            start: KeyStart::of(key),
        }
    }

    /// How the key begins, and how long it is in bytes, to find it in a text.
    pub(super) const fn start_and_length(&self) -> (KeyStart, usize) {
        (self.start, self.length as usize)
    }

    /// Compares in constant time.
    pub(super) fn matches(&self, other: &Self) -> Choice {
        self.words[..].ct_eq(&other.words[..])
    }
}

impl fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyDigest(..)")
    }
}

/// Why a line is not a valid key. Contains nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallerKeyError {
    /// Fewer than 16 bytes.
    #[error("line {0} is shorter than 16 characters, which could be guessed")]
    Short(usize),
    /// More than 256 bytes.
    #[error("line {0} is longer than 256 characters")]
    Long(usize),
    /// White space inside, or characters outside ASCII, which a client could not send.
    #[error("line {0} contains characters that are not visible ASCII")]
    NotSendable(usize),
    /// It begins like a key that we make, but its checksum does not match.
    #[error("line {0} is not a complete key: it is mistyped or truncated")]
    Mistyped(usize),
}

/// The keys in a source, one per line. Empty lines and lines that begin with `#` are ignored: to revoke a key, remove
/// it or put `#` before it.
///
/// # Errors
/// The first line that is not a valid key.
pub fn parse_keys(text: &[u8]) -> Result<Vec<KeyDigest>, CallerKeyError> {
    key_lines(text)
        .map(|(line, number)| check_key(line, number).map(KeyDigest::of))
        .collect()
}

/// The first word of each line that could hold a key, valid or not: a key that is not among them has been removed,
/// whatever else is wrong with the source.
pub(super) fn mentioned_keys(text: &[u8]) -> Vec<KeyDigest> {
    let words = key_lines(text).filter_map(|(line, _)| line.split(u8::is_ascii_whitespace).next());
    words.map(KeyDigest::of).collect()
}

fn key_lines(text: &[u8]) -> impl Iterator<Item = (&[u8], usize)> {
    let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    lines
        .zip(1..)
        .filter(|(line, _)| !line.is_empty() && !line.starts_with(b"#"))
}

fn check_key(key: &[u8], line: usize) -> Result<&[u8], CallerKeyError> {
    if !key.iter().all(u8::is_ascii_graphic) {
        return Err(CallerKeyError::NotSendable(line));
    }
    if key.starts_with(PREFIX.as_bytes()) && !has_checksum(key) {
        return Err(CallerKeyError::Mistyped(line));
    }
    match key.len() {
        ..SHORTEST_KEY => Err(CallerKeyError::Short(line)),
        SHORTEST_KEY..=LONGEST => Ok(key),
        _ => Err(CallerKeyError::Long(line)),
    }
}

/// Whether the text contains a key that we made: a word that begins like one, or one with its checksum anywhere. A JWT
/// may contain the prefix by chance, but not at the beginning of a word.
pub(super) fn contains_made_key(text: &[u8]) -> bool {
    const LENGTH: usize = PREFIX.len() + RANDOM_LETTERS + CHECKSUM_LETTERS;
    let is_inside = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
    let mut starts = text
        .windows(PREFIX.len())
        .enumerate()
        .filter(|(_, window)| *window == PREFIX.as_bytes())
        .map(|(start, _)| start);
    starts.any(|start| {
        let before = text[..start].last();
        let is_word = !before.is_some_and(is_inside);
        is_word || text.get(start..start + LENGTH).is_some_and(has_checksum)
    })
}

/// Makes a new key.
///
/// # Errors
/// The system's random number generator failed.
pub fn new_key() -> Result<Zeroizing<String>, NoRandomness> {
    let mut key = Zeroizing::new(String::with_capacity(
        PREFIX.len() + RANDOM_LETTERS + CHECKSUM_LETTERS,
    ));
    key.push_str(PREFIX);
    while key.len() < PREFIX.len() + RANDOM_LETTERS {
        let mut bytes = Zeroizing::new([0; 64]);
        rand::fill(&mut *bytes).map_err(|_| NoRandomness)?;
        let missing = PREFIX.len() + RANDOM_LETTERS - key.len();
        key.extend(letters_of(&*bytes).take(missing));
    }
    let checksum = checksum(key.as_bytes());
    key.extend(checksum);
    Ok(key)
}

/// The system's random number generator failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system's random number generator failed")]
pub struct NoRandomness;

/// A letter for each byte below 248, which is 4 times 62, so that every letter is equally likely.
fn letters_of(random: &[u8]) -> impl Iterator<Item = char> {
    let even = random.iter().filter(|byte| **byte < 248);
    even.map(|byte| letter(u32::from(*byte)))
}

fn letter(number: u32) -> char {
    char::from(LETTERS[number as usize % LETTERS.len()])
}

fn has_checksum(key: &[u8]) -> bool {
    key.len() == PREFIX.len() + RANDOM_LETTERS + CHECKSUM_LETTERS
        && key
            .split_last_chunk::<CHECKSUM_LETTERS>()
            .is_some_and(|(rest, sum)| checksum(rest).map(|letter| letter as u8) == *sum)
}

/// The first 32 bits of the SHA-256 of the rest of the key, in base 62, most significant letter first.
fn checksum(rest: &[u8]) -> [char; CHECKSUM_LETTERS] {
    let digest = digest(&SHA256, rest);
    let mut number = digest
        .as_ref()
        .iter()
        .take(4)
        .fold(0, |number: u32, byte| number << 8 | u32::from(*byte));
    let mut letters = ['0'; CHECKSUM_LETTERS];
    for place in letters.iter_mut().rev() {
        *place = letter(number);
        number /= 62;
    }
    letters
}

#[cfg(test)]
mod tests;
