//! The Secret Service of freedesktop.org, which GNOME Keyring, KDE Wallet and `KeePassXC` provide.

use std::collections::HashMap;
use std::time::Duration;

use secret_service::{EncryptionType, Item, SecretService};
use zeroize::Zeroizing;

use super::entry::{ANSWER_TIMEOUT, KeyringEntry, KeyringError, UNLOCK_TIMEOUT};
use crate::credentials::secret::Secret;

pub(super) fn read(entry: &KeyringEntry) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
    with_keyring(ANSWER_TIMEOUT, async |keyring| {
        secret_of(&item(keyring, entry).await?).await
    })
}

/// A search asks nobody; only unlocking does.
#[expect(clippy::unnecessary_wraps, reason = "not every system can do it")]
pub(super) fn look(entry: &KeyringEntry) -> Option<Result<Zeroizing<Vec<u8>>, KeyringError>> {
    let looked = with_keyring(ANSWER_TIMEOUT, async |keyring| {
        match found(keyring, entry).await? {
            FoundItem::Unlocked(item) => secret_of(&item).await,
            FoundItem::Locked(_) => Err(KeyringError::Locked),
        }
    });
    Some(looked)
}

/// Uses the attributes of `secret-tool`, so that each finds what the other has stored.
pub(super) fn store(entry: &KeyringEntry, secret: &Secret) -> Result<(), KeyringError> {
    with_keyring(UNLOCK_TIMEOUT, async |keyring| {
        let collection = keyring
            .get_default_collection()
            .await
            .map_err(keyring_error)?;
        collection.ensure_unlocked().await.map_err(keyring_error)?;
        // Exposed to store it in the keyring; it is encrypted on the bus.
        let (label, secret) = (entry.to_string(), secret.expose());
        let stored = collection.create_item(&label, attributes(entry), secret, true, "text/plain");
        stored.await.map(drop).map_err(keyring_error)
    })
}

pub(super) fn delete(entry: &KeyringEntry) -> Result<(), KeyringError> {
    with_keyring(ANSWER_TIMEOUT, async |keyring| {
        let item = item(keyring, entry).await?;
        item.delete().await.map_err(keyring_error)
    })
}

/// Connects within 5 s and runs `requests` within `limit`, on a runtime of its own: dropping it ends every task of the
/// connection.
fn with_keyring<T>(
    limit: Duration,
    requests: impl AsyncFnOnce(&SecretService<'_>) -> Result<T, KeyringError>,
) -> Result<T, KeyringError> {
    let conversation = async {
        // `Dh` encrypts the secret on the bus too: no monitor of the bus sees it, nor do our own logs at `trace`.
        let connecting = SecretService::connect(EncryptionType::Dh);
        let keyring = within(ANSWER_TIMEOUT, async {
            connecting.await.map_err(unavailable)
        })
        .await?;
        within(limit, requests(&keyring)).await
    };
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| KeyringError::Failed(error.into()))?
        .block_on(conversation)
}

async fn within<T>(
    limit: Duration,
    step: impl Future<Output = Result<T, KeyringError>>,
) -> Result<T, KeyringError> {
    let timed = tokio::time::timeout(limit, step).await;
    timed.unwrap_or(Err(KeyringError::TimedOut { limit }))
}

async fn secret_of(item: &Item<'_>) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
    let secret = item.get_secret().await;
    secret.map(Zeroizing::new).map_err(keyring_error)
}

async fn item<'a>(
    keyring: &'a SecretService<'_>,
    entry: &KeyringEntry,
) -> Result<Item<'a>, KeyringError> {
    match found(keyring, entry).await? {
        FoundItem::Unlocked(item) => Ok(item),
        FoundItem::Locked(item) => {
            item.unlock().await.map_err(keyring_error)?;
            Ok(item)
        }
    }
}

enum FoundItem<'a> {
    Unlocked(Item<'a>),
    Locked(Item<'a>),
}

async fn found<'a>(
    keyring: &'a SecretService<'_>,
    entry: &KeyringEntry,
) -> Result<FoundItem<'a>, KeyringError> {
    let mut found = keyring
        .search_items(attributes(entry))
        .await
        .map_err(keyring_error)?;
    match (found.unlocked.len(), found.locked.len()) {
        (1, _) => Ok(FoundItem::Unlocked(found.unlocked.remove(0))),
        (0, 1) => Ok(FoundItem::Locked(found.locked.remove(0))),
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

/// A missing bus, and a bus without a Secret Service, cause many different errors.
fn unavailable(error: secret_service::Error) -> KeyringError {
    match keyring_error(error) {
        KeyringError::Failed(_) => KeyringError::Absent,
        named => named,
    }
}

fn keyring_error(error: secret_service::Error) -> KeyringError {
    match error {
        secret_service::Error::Unavailable => KeyringError::Absent,
        secret_service::Error::Locked
        | secret_service::Error::Prompt
        | secret_service::Error::PromptDisconnected => KeyringError::Locked,
        secret_service::Error::NoResult => KeyringError::NoEntry,
        other => KeyringError::Failed(other.into()), // `secret_service::Error` is non-exhaustive
    }
}
