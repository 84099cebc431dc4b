//! Sign-ins on another device (RFC 8628): the codes that wait for a person. All of it is kept in memory.

use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::keys::{random_bytes, random_text};
use super::people::Person;
use super::sessions::Consent;

/// How long a person has to enter a code.
pub(super) const LIFETIME: Duration = Duration::from_mins(10);
/// How often a program may ask: often, so that a demo does not make anyone wait.
pub(super) const INTERVAL: Duration = Duration::from_secs(1);
/// A program that waits for the interval may still be this early.
const TOLERANCE: Duration = Duration::from_millis(200);

/// What a person types: no vowels, so that no words occur, and nothing that is easily mistaken (RFC 8628 6.1).
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const LENGTH: usize = 8;

#[derive(Default)]
pub(super) struct DeviceCodes(Mutex<HashMap<String, PendingDevice>>);

struct PendingDevice {
    user_code: String,
    scope: String,
    until: Instant,
    /// When the program last asked.
    asked: Option<Instant>,
    decision: Decision,
}

enum Decision {
    Open,
    Denied,
    Granted(Person),
}

/// What a program gets that asks for the token.
pub(super) enum DeviceOutcome {
    Unknown,
    Pending,
    TooEarly,
    Expired,
    Denied,
    Granted(Consent),
}

impl DeviceCodes {
    /// Returns the program's code and the one that a person enters.
    ///
    /// # Errors
    /// The operating system provides no randomness.
    pub(super) fn begin(&self, scope: &str) -> io::Result<(String, String)> {
        let code = random_text()?;
        let letters = random_bytes::<LENGTH>()?
            .map(|byte| char::from(LETTERS[usize::from(byte) % LETTERS.len()]));
        let (first, second) = letters.split_at(LENGTH / 2);
        let user_code = format!("{}-{}", String::from_iter(first), String::from_iter(second));
        let pending = PendingDevice {
            user_code: user_code.clone(),
            scope: scope.to_owned(),
            until: Instant::now() + LIFETIME,
            asked: None,
            decision: Decision::Open,
        };
        let codes = &mut self.lock();
        // Those that have expired are kept for a while, so that the program learns it.
        codes.retain(|_, pending| Instant::now() < pending.until + LIFETIME);
        codes.insert(code.clone(), pending);
        Ok((code, user_code))
    }

    /// The code as it was issued, if it is one that waits for a person. Case and separators do not matter.
    pub(super) fn waiting(&self, typed: &str) -> Option<String> {
        let codes = self.lock();
        let found = codes.values().find(|pending| pending.is_meant_by(typed));
        found.map(|pending| pending.user_code.clone())
    }

    /// A person grants or denies what waits under the code. `false` if nothing does.
    pub(super) fn decide(&self, typed: &str, person: Option<Person>) -> bool {
        let mut codes = self.lock();
        let Some(pending) = codes
            .values_mut()
            .find(|pending| pending.is_meant_by(typed))
        else {
            return false;
        };
        pending.decision = person.map_or(Decision::Denied, Decision::Granted);
        true
    }

    /// Answers a program. The code works once.
    pub(super) fn ask(&self, code: &str) -> DeviceOutcome {
        let mut codes = self.lock();
        let Some(pending) = codes.get_mut(code) else {
            return DeviceOutcome::Unknown;
        };
        let now = Instant::now();
        let before = pending.asked.replace(now);
        let outcome = match pending.decision {
            Decision::Denied => DeviceOutcome::Denied,
            Decision::Granted(person) => DeviceOutcome::Granted(Consent {
                person,
                scope: pending.scope.clone(),
                nonce: None,
            }),
            Decision::Open if now >= pending.until => DeviceOutcome::Expired,
            Decision::Open if before.is_some_and(|before| now - before + TOLERANCE < INTERVAL) => {
                return DeviceOutcome::TooEarly;
            }
            Decision::Open => return DeviceOutcome::Pending,
        };
        codes.remove(code);
        outcome
    }

    /// Ignores poisoning: no method panics halfway through a change.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, PendingDevice>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PendingDevice {
    fn is_meant_by(&self, typed: &str) -> bool {
        let letters = |text: &str| -> String {
            let letters = text.chars().filter(char::is_ascii_alphanumeric);
            letters.map(|letter| letter.to_ascii_uppercase()).collect()
        };
        matches!(self.decision, Decision::Open)
            && Instant::now() < self.until
            && letters(&self.user_code) == letters(typed)
    }
}

#[cfg(test)]
mod tests;
