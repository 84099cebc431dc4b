//! Whether this machine has a keyring that really keeps secrets, and putting one there.

use super::Stop;
use crate::credentials::{KeyringEntry, KeyringError, Secret, SecretSource};

/// What entries of ours are filed under in it.
const SERVICE: &str = "cupbearer";

/// Where the secret of this client would stand, if a keyring has just kept something, given it back and
/// forgotten it again: many sessions have one that does only some of this.
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
    // Exposed to compare a random text with what came back.
    let is_kept = read.is_ok_and(|read| read.expose() == text.expose());
    let is_forgotten =
        probe.delete().await.is_ok() && matches!(probe.delete().await, Err(KeyringError::NoEntry));
    is_kept && is_forgotten
}

/// Whether a secret stands there already.
pub(super) async fn has(entry: &KeyringEntry) -> bool {
    SecretSource::Keyring(entry.clone()).read().await.is_ok()
}

/// Puts a secret there; what stood there was asked about.
pub(super) async fn store(entry: &KeyringEntry, secret: &Secret) -> Result<(), Stop> {
    entry.store(secret).await.map_err(|error| {
        Stop::Failed(format!(
            "the keyring does not take the secret: {error}; run this again and choose another place"
        ))
    })
}
