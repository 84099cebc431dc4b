//! The macOS keychain and the Windows credential manager, through the stores of the `keyring` project.

use keyring_core::Entry;
use keyring_core::api::CredentialStoreApi as _;
use zeroize::Zeroizing;

use super::entry::{KeyringEntry, KeyringError};
use crate::credentials::secret::Secret;

pub(super) fn read(entry: &KeyringEntry) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
    let password = store_entry(entry).and_then(|entry| entry.get_password());
    password
        .map(|text| Zeroizing::new(text.into_bytes()))
        .map_err(keyring_error)
}

/// The keychain of macOS may ask whenever it is read. The credential manager of Windows never asks.
pub(super) fn look(entry: &KeyringEntry) -> Option<Result<Zeroizing<Vec<u8>>, KeyringError>> {
    cfg!(windows).then(|| read(entry))
}

pub(super) fn store(entry: &KeyringEntry, secret: &Secret) -> Result<(), KeyringError> {
    // Exposed to store it in the keyring.
    let text = std::str::from_utf8(secret.expose()).map_err(|_| KeyringError::NotText)?;
    let stored = store_entry(entry).and_then(|entry| entry.set_password(text));
    stored.map_err(keyring_error)
}

pub(super) fn delete(entry: &KeyringEntry) -> Result<(), KeyringError> {
    let deleted = store_entry(entry).and_then(|entry| entry.delete_credential());
    deleted.map_err(keyring_error)
}

#[cfg(target_os = "macos")]
fn store_entry(entry: &KeyringEntry) -> keyring_core::Result<Entry> {
    let store = apple_native_keyring_store::keychain::Store::new()?;
    store.build(&entry.service, &entry.account, None)
}

/// Windows has a single name for an entry: `SERVICE/ACCOUNT`, as in the configuration.
#[cfg(windows)]
fn store_entry(entry: &KeyringEntry) -> keyring_core::Result<Entry> {
    let name = entry.to_string();
    let target = std::collections::HashMap::from([("target", name.as_str())]);
    let store = windows_native_keyring_store::Store::new()?;
    store.build(&entry.service, &entry.account, Some(&target))
}

/// Some errors of that crate contain the secret; these are dropped.
fn keyring_error(error: keyring_core::Error) -> KeyringError {
    use keyring_core::Error as E;
    match error {
        E::NoEntry => KeyringError::NoEntry,
        E::Ambiguous(_) => KeyringError::Ambiguous,
        E::TooLong(_, limit) => KeyringError::TooLong {
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
        },
        E::NoStorageAccess(_) => KeyringError::Locked,
        E::PlatformFailure(source) => KeyringError::Failed(source),
        E::BadEncoding(_) | E::BadDataFormat(..) => KeyringError::NotText,
        _ => KeyringError::Absent, // `keyring_core::Error` is non-exhaustive
    }
}
