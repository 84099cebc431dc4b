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

/// Stores the secret. The user has agreed to replace an earlier one.
pub(super) async fn store(entry: &KeyringEntry, secret: &Secret) -> Result<(), InitError> {
    entry.store(secret).await.map_err(|error| {
        InitError::Failed(format!(
            "the keyring cannot store the secret: {error}; run this command again and choose another place for it"
        ))
    })
}
