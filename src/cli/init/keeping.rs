//! Asks for the secret, and where it is to be kept.

use std::path::{Path, PathBuf};

use super::answers::{self, Answer, Credential};
use super::own::Own;
use super::person::Person;
use super::questions::{choice, question, shown, yes};
use super::{Stop, keyring};
use crate::config::InvalidValue;
use crate::credentials::{KeyringEntry, Secret};

/// The places that a secret may be kept in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    NewFile,
    Keyring,
    Command,
    File,
}

impl Place {
    const fn words(self) -> &'static str {
        match self {
            Self::NewFile => {
                "in a new file beside the configuration, for you alone to read (mode 0600)"
            }
            Self::Keyring => "in this system's keyring, which was tried just now",
            Self::Command => "a command prints it, such as: op read op://vault/item/field",
            Self::File => "in a file that is there already",
        }
    }

    const fn of(credential: &Credential) -> Self {
        match credential {
            Credential::Typed(_) => Self::NewFile,
            Credential::Keyring(..) => Self::Keyring,
            Credential::Command(_) => Self::Command,
            Credential::File(_) => Self::File,
        }
    }
}

pub(super) async fn credential(
    person: &mut dyn Person,
    answer: &mut Answer<Credential>,
    client_id: &str,
    own: &Own,
) -> Result<Credential, Stop> {
    if let Some(credential) = answer.known() {
        return Ok(credential.clone());
    }
    let before = answer.default().cloned();
    let entry = keyring::find(client_id).await;
    let place = place(person, before.as_ref(), entry.is_some())?;
    let credential = match (place, entry, &before) {
        (Place::Keyring, Some(entry), _) => {
            let is_own = own.has_entry(&entry);
            in_keyring(person, entry, is_own, before, client_id).await?
        }
        (Place::Command, ..) => {
            let words = match &before {
                Some(Credential::Command(words)) => answers::as_typed(words),
                Some(_) | None => None,
            };
            let words = question(person, "\nThe command:", words.as_deref(), answers::command)?;
            Credential::Command(words)
        }
        (Place::File, ..) => {
            let path = match &before {
                Some(Credential::File(path)) => Some(path.display().to_string()),
                Some(_) | None => None,
            };
            let path = question(person, "\nThe file:", path.as_deref(), existing_file)?;
            Credential::File(path)
        }
        // A keyring is offered only where there is an entry.
        (Place::NewFile | Place::Keyring, ..) => {
            Credential::Typed(hidden(person, client_id, before)?)
        }
    };
    *answer = Answer::Known(credential.clone());
    Ok(credential)
}

fn place(
    person: &mut dyn Person,
    before: Option<&Credential>,
    has_keyring: bool,
) -> Result<Place, Stop> {
    let mut places = vec![Place::NewFile, Place::Keyring, Place::Command, Place::File];
    places.retain(|place| has_keyring || *place != Place::Keyring);
    let default = before
        .map(Place::of)
        .and_then(|place| places.iter().position(|known| *known == place));
    let ways: Vec<&str> = places.iter().map(|place| place.words()).collect();
    let words = "\nWhere is the Client Secret to be kept?";
    let index = choice(person, words, &ways, default.unwrap_or(0))?;
    Ok(places[index])
}

/// What stands in the keyring already is replaced only after a yes, unless this run has put it there.
async fn in_keyring(
    person: &mut dyn Person,
    entry: KeyringEntry,
    is_own: bool,
    before: Option<Credential>,
    client_id: &str,
) -> Result<Credential, Stop> {
    if !is_own && keyring::has(&entry).await {
        let words = format!("\nThe keyring has {entry} already. Replace it?");
        if !yes(person, &words, false)? {
            return Ok(Credential::Keyring(entry, None));
        }
    }
    let secret = hidden(person, client_id, before)?;
    Ok(Credential::Keyring(entry, Some(secret)))
}

fn existing_file(text: &str) -> Result<PathBuf, InvalidValue> {
    let path = answers::absolute(Path::new(text.trim()));
    if path.is_file() {
        return Ok(path);
    }
    Err((
        format!("{} is no file", path.display()),
        "write the name of the file that holds the secret and nothing else",
    )
        .into())
}

/// A secret that is typed; Enter keeps the one that was typed before, if there is one.
fn hidden(
    person: &mut dyn Person,
    client_id: &str,
    before: Option<Credential>,
) -> Result<Secret, Stop> {
    let before = match before {
        Some(Credential::Typed(secret) | Credential::Keyring(_, Some(secret))) => Some(secret),
        Some(_) | None => None,
    };
    let hint = match before {
        Some(_) => "not shown; Enter keeps the one from before",
        None => "it is not shown while you paste or type it",
    };
    loop {
        let typed = person
            .hidden(&format!("\nThe Client Secret ({hint}): "))?
            .ok_or(Stop::Left)?;
        if typed.is_empty()
            && let Some(before) = before
        {
            return Ok(before);
        }
        match answers::secret(typed, client_id) {
            Ok(secret) => return Ok(secret),
            Err(complaint) => person.tell(&shown(&complaint)),
        }
    }
}
