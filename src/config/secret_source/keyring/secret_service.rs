//! The Secret Service of freedesktop.org, which GNOME Keyring, KDE's wallet and `KeePassXC` offer.

use std::collections::HashMap;
use std::time::Duration;

use secret_service::{EncryptionType, Item, SecretService};

use super::{KeyringEntry, KeyringError, LIMIT, Secret, UNLOCK_LIMIT, Zeroizing};

pub(super) fn read(entry: &KeyringEntry) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
    converse(LIMIT, async |keyring| {
        let item = item(keyring, entry).await?;
        item.get_secret().await.map(Zeroizing::new).map_err(failed)
    })
}

/// The attributes are `secret-tool`'s, so that both find what the other has stored.
pub(super) fn store(entry: &KeyringEntry, secret: &Secret) -> Result<(), KeyringError> {
    converse(UNLOCK_LIMIT, async |keyring| {
        let collection = keyring.get_default_collection().await.map_err(failed)?;
        collection.ensure_unlocked().await.map_err(failed)?;
        // Exposed to be handed to the keyring, encrypted on the way.
        let (label, secret) = (entry.to_string(), secret.expose());
        let stored = collection.create_item(&label, attributes(entry), secret, true, "text/plain");
        stored.await.map(drop).map_err(failed)
    })
}

pub(super) fn delete(entry: &KeyringEntry) -> Result<(), KeyringError> {
    converse(LIMIT, async |keyring| {
        let item = item(keyring, entry).await?;
        item.delete().await.map_err(failed)
    })
}

/// Connects within 5 s, and talks within `limit`. A runtime of its own: when it is dropped, nothing of the conversation is left.
fn converse<T>(
    limit: Duration,
    talk: impl AsyncFnOnce(&SecretService<'_>) -> Result<T, KeyringError>,
) -> Result<T, KeyringError> {
    let talking = async {
        // Dh: encrypted on the bus too, so that nobody who watches it, our own logs at `trace` among
        // them, sees the secret.
        let connecting = SecretService::connect(EncryptionType::Dh);
        let keyring = within(LIMIT, async { connecting.await.map_err(unavailable) }).await?;
        within(limit, talk(&keyring)).await
    };
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| KeyringError::Failed(error.into()))?
        .block_on(talking)
}

async fn within<T>(
    limit: Duration,
    step: impl Future<Output = Result<T, KeyringError>>,
) -> Result<T, KeyringError> {
    let timed = tokio::time::timeout(limit, step).await;
    timed.unwrap_or(Err(KeyringError::TimedOut { limit }))
}

async fn item<'a>(
    keyring: &'a SecretService<'_>,
    entry: &KeyringEntry,
) -> Result<Item<'a>, KeyringError> {
    let mut found = keyring
        .search_items(attributes(entry))
        .await
        .map_err(failed)?;
    match (found.unlocked.len(), found.locked.len()) {
        (1, _) => Ok(found.unlocked.remove(0)),
        (0, 1) => {
            let item = found.locked.remove(0);
            item.unlock().await.map_err(failed)?;
            Ok(item)
        }
        (0, 0) => Err(KeyringError::NoEntry),
        _ => Err(KeyringError::Ambiguous),
    }
}

fn attributes(entry: &KeyringEntry) -> HashMap<&str, &str> {
    HashMap::from([
        ("service", entry.service.as_str()),
        ("username", entry.account.as_str()),
    ])
}

/// No bus, or nobody on it who keeps secrets, comes in many shapes.
fn unavailable(error: secret_service::Error) -> KeyringError {
    match failed(error) {
        KeyringError::Failed(_) => KeyringError::Absent,
        named => named,
    }
}

fn failed(error: secret_service::Error) -> KeyringError {
    match error {
        secret_service::Error::Unavailable => KeyringError::Absent,
        secret_service::Error::Locked
        | secret_service::Error::Prompt
        | secret_service::Error::PromptDisconnected => KeyringError::Locked,
        secret_service::Error::NoResult => KeyringError::NoEntry,
        other => KeyringError::Failed(other.into()), // that crate's own enum, which grows
    }
}
