//! Asks for the secret, and where it is stored.

use super::answers::AnswerSlot;
use super::error::InitError;
use super::identity::SecretLocation;
use super::overwritable::Overwritable;
use super::prompts::{ask, choose, confirm, explain};
use super::terminal::Dialogue;
use super::{flag_values, keyring, parse};
use crate::credentials::{KeyringEntry, Secret};

/// The ways to store a secret.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SecretStore {
    NewFile,
    Keyring,
    Command,
    File,
}

impl SecretStore {
    const fn description(self) -> &'static str {
        match self {
            Self::NewFile => {
                "in a new file beside the configuration, which only you can read (mode 0600)"
            }
            Self::Keyring => "in this system's keyring, which works (it has just been tested)",
            Self::Command => "a command prints it, such as: op read op://vault/item/field",
            Self::File => "in an existing file",
        }
    }

    const fn of(location: &SecretLocation) -> Self {
        match location {
            SecretLocation::NewFile(_) => Self::NewFile,
            SecretLocation::Keyring(..) => Self::Keyring,
            SecretLocation::Command(_) => Self::Command,
            SecretLocation::File(_) => Self::File,
        }
    }
}

pub(super) async fn secret(
    dialogue: &mut dyn Dialogue,
    answer: &mut AnswerSlot<SecretLocation>,
    client_id: &str,
    overwritable: &Overwritable,
) -> Result<SecretLocation, InitError> {
    if let Some(location) = answer.known() {
        return Ok(location.clone());
    }
    let before = answer.default().cloned();
    let entry = keyring::find(client_id).await;
    let store = choose_store(dialogue, before.as_ref(), entry.is_some())?;
    let location = match (store, entry, &before) {
        (SecretStore::Keyring, Some(entry), _) => {
            let is_ours = overwritable.has_entry(&entry);
            in_keyring(dialogue, entry, is_ours, before, client_id).await?
        }
        (SecretStore::Command, ..) => {
            let default = match &before {
                Some(SecretLocation::Command(words)) => parse::command_text(words),
                Some(_) | None => None,
            };
            let question = "\nWhich command prints the secret?";
            let words = ask(dialogue, question, default.as_deref(), flag_values::command)?;
            SecretLocation::Command(words)
        }
        (SecretStore::File, ..) => {
            let default = match &before {
                Some(SecretLocation::File(path)) => Some(path.display().to_string()),
                Some(_) | None => None,
            };
            let question = "\nWhich file has the secret?";
            let path = ask(dialogue, question, default.as_deref(), parse::existing_file)?;
            SecretLocation::File(path)
        }
        // The keyring is offered only if there is an entry.
        (SecretStore::NewFile | SecretStore::Keyring, ..) => {
            SecretLocation::NewFile(read_secret(dialogue, client_id, before)?)
        }
    };
    *answer = AnswerSlot::Known(location.clone());
    Ok(location)
}

fn choose_store(
    dialogue: &mut dyn Dialogue,
    before: Option<&SecretLocation>,
    has_keyring: bool,
) -> Result<SecretStore, InitError> {
    let mut stores = vec![
        SecretStore::NewFile,
        SecretStore::Keyring,
        SecretStore::Command,
        SecretStore::File,
    ];
    stores.retain(|store| has_keyring || *store != SecretStore::Keyring);
    let default = before
        .map(SecretStore::of)
        .and_then(|store| stores.iter().position(|known| *known == store));
    let descriptions: Vec<&str> = stores.iter().map(|store| store.description()).collect();
    let question = "\nWhere should the Client Secret be stored?";
    let index = choose(dialogue, question, &descriptions, default.unwrap_or(0))?;
    Ok(stores[index])
}

/// Asks before it replaces a secret in the keyring, unless this run has stored it.
async fn in_keyring(
    dialogue: &mut dyn Dialogue,
    entry: KeyringEntry,
    is_ours: bool,
    before: Option<SecretLocation>,
    client_id: &str,
) -> Result<SecretLocation, InitError> {
    if !is_ours && keyring::has(&entry).await {
        let question = format!("\nThe keyring already has {entry}. Replace it?");
        if !confirm(dialogue, &question, false)? {
            return Ok(SecretLocation::Keyring(entry, None));
        }
    }
    let secret = read_secret(dialogue, client_id, before)?;
    Ok(SecretLocation::Keyring(entry, Some(secret)))
}

/// Enter keeps the secret that was typed before, if there is one.
fn read_secret(
    dialogue: &mut dyn Dialogue,
    client_id: &str,
    before: Option<SecretLocation>,
) -> Result<Secret, InitError> {
    let before = match before {
        Some(SecretLocation::NewFile(secret) | SecretLocation::Keyring(_, Some(secret))) => {
            Some(secret)
        }
        Some(_) | None => None,
    };
    let hint = match before {
        Some(_) => "not shown; press Enter to keep the previous one",
        None => "it is not shown while you paste or type it",
    };
    loop {
        let typed = dialogue
            .read_hidden(&format!("\nThe Client Secret ({hint}): "))?
            .ok_or(InitError::Abandoned)?;
        if typed.is_empty()
            && let Some(before) = before
        {
            return Ok(before);
        }
        match parse::secret(typed, client_id) {
            Ok(secret) => return Ok(secret),
            Err(invalid) => dialogue.show(&explain(&invalid)),
        }
    }
}
