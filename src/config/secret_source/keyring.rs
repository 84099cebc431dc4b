//! The user's keyring: GNOME's or KDE's by the Secret Service, macOS's keychain, Windows' credential manager.
//!
//! Reads one entry and stores none. Every call blocks, and says itself where it is bounded.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use zeroize::Zeroizing;

/// How long the keyring may take: it may ask its user to unlock it.
const LIMIT: Duration = Duration::from_secs(5);

/// Where a secret stands in the keyring: `SERVICE/ACCOUNT`, as `keyring`, `security` and `secret-tool`
/// call the two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyringEntry {
    service: String,
    account: String,
}

impl KeyringEntry {
    /// From `SERVICE/ACCOUNT`; neither is empty, the account may hold further slashes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (service, account) = text.split_once('/')?;
        (!service.is_empty() && !account.is_empty()).then(|| Self {
            service: service.to_owned(),
            account: account.to_owned(),
        })
    }

    /// The command that puts a secret there, on this system.
    fn how_to_store(&self) -> String {
        let Self { service, account } = self;
        if cfg!(target_os = "macos") {
            format!("security add-generic-password -s {service:?} -a {account:?} -w")
        } else if cfg!(windows) {
            format!("cmdkey /generic:{self} /user:{account} /pass")
        } else {
            format!(
                "secret-tool store --label={service:?} service {service:?} username {account:?}"
            )
        }
    }
}

impl fmt::Display for KeyringEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.service, self.account)
    }
}

/// Why the keyring gave no secret. No variant holds any of it.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The feature `keyring` was left out, or no such system is known.
    #[error("this build reads no keyring")]
    NotBuilt,
    /// A server, a container, a session without a desktop.
    #[error("there is no keyring here")]
    Absent,
    /// It is there, and has no such entry.
    #[error("it has no such entry")]
    NoEntry,
    /// Which of them is meant cannot be told.
    #[error("it has several such entries")]
    Ambiguous,
    /// It is locked, and its user did not unlock it.
    #[error("it is locked")]
    Locked,
    /// It did not answer; most often since it waits for its user to unlock it.
    #[error("it gave no answer within {} s", limit.as_secs())]
    TimedOut {
        /// How long it was given.
        limit: Duration,
    },
    /// What stands there is no text, or is not encoded as the system does it.
    #[error("what stands there is no password")]
    NotText,
    /// Anything else.
    #[error("it failed")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
}

impl KeyringError {
    pub(super) fn remedy(&self, entry: &KeyringEntry) -> String {
        const OTHERS: &str =
            "write { file = \"…\" }, { command = [\"…\"] } or { env = \"…\" } instead";
        match self {
            Self::NotBuilt | Self::Absent | Self::Failed(_) => OTHERS.to_owned(),
            Self::NoEntry | Self::NotText => format!("store it: {}", entry.how_to_store()),
            Self::Ambiguous => "delete all but one".to_owned(),
            Self::Locked | Self::TimedOut { .. } => {
                format!("unlock it, by logging in to the desktop; where there is none, {OTHERS}")
            }
        }
    }
}

/// Reads the entry on a thread of its own, within 5 s.
pub(super) async fn read(entry: KeyringEntry) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
    let reading = tokio::task::spawn_blocking(move || system::read(&entry));
    match tokio::time::timeout(LIMIT, reading).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(ended)) => Err(KeyringError::Failed(ended.into())),
        Err(_) => Err(KeyringError::TimedOut { limit: LIMIT }),
    }
}

/// The Secret Service of freedesktop.org, which GNOME Keyring, KDE's wallet and `KeePassXC` offer.
#[cfg(all(feature = "keyring", unix, not(target_vendor = "apple")))]
mod system {
    use std::collections::HashMap;

    use secret_service::{EncryptionType, SecretService};

    use super::{KeyringEntry, KeyringError, LIMIT, Zeroizing};

    /// A runtime of its own: when it is dropped, nothing of the conversation is left.
    pub(super) fn read(entry: &KeyringEntry) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| KeyringError::Failed(error.into()))?
            .block_on(async {
                tokio::time::timeout(LIMIT, lookup(entry))
                    .await
                    .unwrap_or(Err(KeyringError::TimedOut { limit: LIMIT }))
            })
    }

    async fn lookup(entry: &KeyringEntry) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
        // Dh: encrypted on the bus too, so that nobody who watches it, our own logs at `trace` among
        // them, sees the secret.
        let keyring = SecretService::connect(EncryptionType::Dh)
            .await
            .map_err(unavailable)?;
        let attributes = HashMap::from([
            ("service", entry.service.as_str()),
            ("username", entry.account.as_str()),
        ]);
        let found = keyring.search_items(attributes).await.map_err(failed)?;
        let item = match (&found.unlocked[..], &found.locked[..]) {
            ([item], _) => item,
            ([], [item]) => {
                item.unlock().await.map_err(failed)?;
                item
            }
            ([], []) => return Err(KeyringError::NoEntry),
            _ => return Err(KeyringError::Ambiguous),
        };
        item.get_secret().await.map(Zeroizing::new).map_err(failed)
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
}

/// The keychain of macOS, the credential manager of Windows, by the keyring crate's own stores.
#[cfg(all(feature = "keyring", any(target_os = "macos", windows)))]
mod system {
    use keyring_core::Entry;
    use keyring_core::api::CredentialStoreApi as _;

    use super::{KeyringEntry, KeyringError, Zeroizing};

    pub(super) fn read(entry: &KeyringEntry) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
        let password = named(entry).and_then(|entry| entry.get_password());
        password
            .map(|text| Zeroizing::new(text.into_bytes()))
            .map_err(failed)
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
}

#[cfg(not(all(feature = "keyring", any(unix, windows))))]
mod system {
    use super::{KeyringEntry, KeyringError, Zeroizing};

    pub(super) fn read(_: &KeyringEntry) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
        Err(KeyringError::NotBuilt)
    }
}
