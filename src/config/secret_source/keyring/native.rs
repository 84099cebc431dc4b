//! The keychain of macOS, the credential manager of Windows, by the keyring crate's own stores.

use keyring_core::Entry;
use keyring_core::api::CredentialStoreApi as _;

use super::{KeyringEntry, KeyringError, Secret, Zeroizing};

pub(super) fn read(entry: &KeyringEntry) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
    let password = named(entry).and_then(|entry| entry.get_password());
    password
        .map(|text| Zeroizing::new(text.into_bytes()))
        .map_err(failed)
}

pub(super) fn store(entry: &KeyringEntry, secret: &Secret) -> Result<(), KeyringError> {
    // Exposed to be handed to the keyring.
    let text = std::str::from_utf8(secret.expose()).map_err(|_| KeyringError::NotText)?;
    let stored = named(entry).and_then(|entry| entry.set_password(text));
    stored.map_err(failed)
}

pub(super) fn delete(entry: &KeyringEntry) -> Result<(), KeyringError> {
    let deleted = named(entry).and_then(|entry| entry.delete_credential());
    deleted.map_err(failed)
}

#[cfg(target_os = "macos")]
fn named(entry: &KeyringEntry) -> keyring_core::Result<Entry> {
    let store = apple_native_keyring_store::keychain::Store::new()?;
    store.build(&entry.service, &entry.account, None)
}

/// Windows knows one name for both: the one that is written in the configuration.
#[cfg(windows)]
fn named(entry: &KeyringEntry) -> keyring_core::Result<Entry> {
    let name = entry.to_string();
    let target = std::collections::HashMap::from([("target", name.as_str())]);
    let store = windows_native_keyring_store::Store::new()?;
    store.build(&entry.service, &entry.account, Some(&target))
}

/// Some of that crate's errors hold the secret: these are left behind.
fn failed(error: keyring_core::Error) -> KeyringError {
    use keyring_core::Error as E;
    match error {
        E::NoEntry => KeyringError::NoEntry,
        E::Ambiguous(_) => KeyringError::Ambiguous,
        E::NoStorageAccess(_) => KeyringError::Locked,
        E::PlatformFailure(source) => KeyringError::Failed(source),
        E::BadEncoding(_) | E::BadDataFormat(..) => KeyringError::NotText,
        _ => KeyringError::Absent, // that crate's own enum, which grows
    }
}
