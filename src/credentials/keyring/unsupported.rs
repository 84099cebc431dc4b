//! Builds without the feature `keyring`, and systems without a keyring that is supported.

use zeroize::Zeroizing;

use super::entry::{KeyringEntry, KeyringError};
use crate::credentials::secret::Secret;

pub(super) fn read(_: &KeyringEntry) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
    Err(KeyringError::NotBuilt)
}

pub(super) fn look(_: &KeyringEntry) -> Option<Result<Zeroizing<Vec<u8>>, KeyringError>> {
    None
}

pub(super) fn store(_: &KeyringEntry, _: &Secret) -> Result<(), KeyringError> {
    Err(KeyringError::NotBuilt)
}

pub(super) fn delete(_: &KeyringEntry) -> Result<(), KeyringError> {
    Err(KeyringError::NotBuilt)
}
