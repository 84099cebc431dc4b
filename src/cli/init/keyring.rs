//! The system's keyring: whether it works, and storing a secret in it.

use super::error::InitError;
use crate::credentials::{KeyringEntry, KeyringError, Secret, SecretSource};

/// The service name of all our entries.
const SERVICE: &str = "cupbearer";

/// The entry for the secret of this client, if the keyring has just stored, returned and deleted a test value. Many
/// sessions have a keyring that can do only some of this.
pub(super) async fn find(client_id: &str) -> Option<KeyringEntry> {
    let probe = entry(&format!("init-{:016x}", fastrand::u64(..)))?;
    let works = round_trip(&probe).await;
    works.then(|| entry(client_id)).flatten()
}

fn entry(account: &str) -> Option<KeyringEntry> {
    KeyringEntry::parse(&format!("{SERVICE}/{account}"))
}

async fn round_trip(probe: &KeyringEntry) -> bool {
    let text = Secret::new(format!("{:032x}", fastrand::u128(..)));
    if probe.store(&text).await.is_err() {
        return false;
    }
    let read = SecretSource::Keyring(probe.clone()).read().await;
    // Exposed to compare a random test value.
    let is_stored = read.is_ok_and(|read| read.expose() == text.expose());
    let is_deleted =
        probe.delete().await.is_ok() && matches!(probe.delete().await, Err(KeyringError::NoEntry));
    is_stored && is_deleted
}

/// Whether the entry has a secret.
pub(super) async fn has(entry: &KeyringEntry) -> bool {
    SecretSource::Keyring(entry.clone()).read().await.is_ok()
}

/// What an entry held before it was replaced.
pub(super) struct PreviousEntry {
    entry: KeyringEntry,
    secret: Option<Secret>,
}

impl PreviousEntry {
    /// Reads what is in the entry.
    ///
    /// # Errors
    /// It cannot be read, so it must not be replaced.
    pub(super) async fn of(entry: &KeyringEntry) -> Result<Self, InitError> {
        let secret = entry.read().await.map_err(|error| not_stored(&error))?;
        Ok(Self {
            entry: entry.clone(),
            secret,
        })
    }

    /// Puts it back, or deletes the entry if there was none. Returns what the user should know if that fails.
    pub(super) async fn restore(self) -> Option<String> {
        let put_back = async {
            let found = self.entry.read().await?;
            // Exposed to compare them.
            let is_same = |one: &Secret, other: &Secret| one.expose() == other.expose();
            match (&self.secret, &found) {
                (None, None) => Ok(()),
                (Some(before), Some(found)) if is_same(before, found) => Ok(()),
                (Some(before), _) => self.entry.store(before).await,
                (None, Some(_)) => self.entry.delete().await,
            }
        };
        let error: KeyringError = put_back.await.err()?;
        let entry = &self.entry;
        Some(format!(
            "the keyring entry {entry} may hold the new secret: {error}"
        ))
    }
}

/// Stores the secret. The user has agreed to replace an earlier one.
pub(super) async fn store(entry: &KeyringEntry, secret: &Secret) -> Result<(), InitError> {
    let stored = entry.store(secret).await;
    stored.map_err(|error| not_stored(&error))
}

fn not_stored(error: &KeyringError) -> InitError {
    InitError::Failed(format!(
        "the keyring cannot store the secret: {error}; run this command again and choose another place for it"
    ))
}
