//! A caller's key: how one looks, how a source holds several, and what of it is kept in memory.
//!
//! `cbk_`, 30 random letters and digits (178 bits), 6 more as a checksum: `cbk_[0-9A-Za-z]{36}`, which a secret
//! scanner finds by its prefix and tells from an invention by its checksum. Other keys are taken too.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

const PREFIX: &str = "cbk_";
const RANDOM_LETTERS: usize = 30;
const CHECKSUM_LETTERS: usize = 6;
const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Bytes; a shorter one could be guessed.
const SHORTEST: usize = 16;
/// Bytes; longer is the wrong file.
const LONGEST: usize = 256;

/// What is kept of a key: its SHA-256.
///
/// The key itself is not held. Digests have one length, so that comparing all of them takes the same time
/// whatever was sent; and what a comparison could tell about a digest says nothing about the key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyDigest([u64; 4]);

impl KeyDigest {
    /// Of a key as it was configured or sent.
    #[must_use]
    pub fn of(key: &[u8]) -> Self {
        let digest = digest(&SHA256, key);
        let (words, _) = digest.as_ref().as_chunks();
        let mut all = [0; 4];
        for (to, from) in all.iter_mut().zip(words) {
            *to = u64::from_ne_bytes(*from);
        }
        Self(all)
    }

    /// In constant time.
    pub(super) fn is(&self, other: &Self) -> Choice {
        self.0[..].ct_eq(&other.0[..])
    }
}

impl fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyDigest(..)")
    }
}

/// Why a line is no key. Holds nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Fewer than 16 bytes.
    #[error("line {0} is shorter than 16 characters, which could be guessed")]
    Short(usize),
    /// More than 256 bytes.
    #[error("line {0} is longer than 256 characters")]
    Long(usize),
    /// A blank inside, or more than ASCII: it could not be sent.
    #[error("line {0} holds more than visible ASCII characters")]
    NotSendable(usize),
    /// It begins like a key of ours, and its checksum does not fit.
    #[error("line {0} is no whole key: mistyped, or cut off")]
    Mistyped(usize),
}

/// The keys in a source, one a line. Empty lines, and those that begin with `#`, hold none: a key is revoked by
/// removing it or by writing `#` before it.
///
/// # Errors
/// The first line that is something else.
pub fn keys_in(text: &[u8]) -> Result<Vec<KeyDigest>, KeyError> {
    let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    lines
        .zip(1..)
        .filter(|(line, _)| !line.is_empty() && !line.starts_with(b"#"))
        .map(|(line, number)| checked(line, number).map(KeyDigest::of))
        .collect()
}

fn checked(key: &[u8], line: usize) -> Result<&[u8], KeyError> {
    if !key.iter().all(u8::is_ascii_graphic) {
        return Err(KeyError::NotSendable(line));
    }
    if key.starts_with(PREFIX.as_bytes()) && !has_checksum(key) {
        return Err(KeyError::Mistyped(line));
    }
    match key.len() {
        ..SHORTEST => Err(KeyError::Short(line)),
        SHORTEST..=LONGEST => Ok(key),
        _ => Err(KeyError::Long(line)),
    }
}

/// A new key of the form above.
///
/// # Errors
/// The system has no randomness.
pub fn new_key() -> Result<Zeroizing<String>, NoRandomness> {
    let mut key = Zeroizing::new(String::with_capacity(
        PREFIX.len() + RANDOM_LETTERS + CHECKSUM_LETTERS,
    ));
    key.push_str(PREFIX);
    while key.len() < PREFIX.len() + RANDOM_LETTERS {
        let mut bytes = Zeroizing::new([0; 64]);
        rand::fill(&mut *bytes).map_err(|_| NoRandomness)?;
        // 248 is 4 times 62: every letter is as likely as every other.
        let letters = bytes.iter().filter(|byte| **byte < 248);
        let missing = PREFIX.len() + RANDOM_LETTERS - key.len();
        key.extend(letters.take(missing).map(|byte| letter(u32::from(*byte))));
    }
    let checksum = checksum(key.as_bytes());
    key.extend(checksum);
    Ok(key)
}

/// There is no source of random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random numbers")]
pub struct NoRandomness;

fn letter(number: u32) -> char {
    char::from(LETTERS[number as usize % LETTERS.len()])
}

fn has_checksum(key: &[u8]) -> bool {
    key.len() == PREFIX.len() + RANDOM_LETTERS + CHECKSUM_LETTERS
        && key
            .split_last_chunk::<CHECKSUM_LETTERS>()
            .is_some_and(|(before, sum)| checksum(before).map(|letter| letter as u8) == *sum)
}

/// The first 32 bits of the SHA-256 of what stands before, to the base 62, most significant first.
fn checksum(before: &[u8]) -> [char; CHECKSUM_LETTERS] {
    let digest = digest(&SHA256, before);
    let mut number = digest
        .as_ref()
        .iter()
        .take(4)
        .fold(0, |number: u32, byte| number << 8 | u32::from(*byte));
    let mut letters = ['0'; CHECKSUM_LETTERS];
    for place in letters.iter_mut().rev() {
        *place = letter(number % 62);
        number /= 62;
    }
    letters
}

#[cfg(test)]
mod tests;
